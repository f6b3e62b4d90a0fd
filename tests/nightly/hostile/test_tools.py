"""No command-line tool executes what is in a checkpoint, on any of the ways to one."""

import numpy as np
import pytest
import tiny
from PIL import Image

from mmdpt.checkpoints.reading.download import cached_path
from mmdpt.checkpoints.reading.releases import RELEASES

PRETRAINED = "dict(_delete_=True, type='Pretrained', checkpoint='')"
INITIAL = f"model['backbone']['init_cfg'] = {PRETRAINED}\n"
HOST = """model['backbone'] = dict(
    _delete_=True, type='mmseg.SwinTransformer', embed_dims=8, depths=(1, 1, 1, 1),
    num_heads=(1, 1, 1, 1), init_cfg=dict(type='Pretrained', checkpoint=''),
)
"""
RESULTS = ('converted.pth', 'folder', 'model.pt2', '*.png', '*.jpg', 'zero_shot.*', '*.json')
"""What a tool writes where all is well."""


@pytest.fixture(scope='module')
def place(tmp_path_factory, scenes):
    """A folder with a picture, and configs of tiny models."""
    root = tmp_path_factory.mktemp('place')
    Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(root / 'photo.png')
    (root / 'sets' / 'eth3d').mkdir(parents=True)
    tiny.write_config(root, 'depth', scenes)
    for name, more in dict(tiny='', initial=INITIAL, host=HOST).items():
        tiny.write_config(root, 'segmentation', scenes, more, name)
    return root


CHECKPOINT = '--cfg-options', 'model.backbone.init_cfg.checkpoint={path}'
OTHER = '--cfg-options', 'model.backbone.arch=b'
TINY = '--config', '{place}/tiny.py'
CONVERT = 'convert_checkpoint.py', '{path}'
PREDICT = 'predict.py', '{place}/photo.png', '--out', '{out}', '--checkpoint', '{path}'
WAYS = {
    'load_from': ('train.py', '{place}/tiny.py', '--cfg-options', 'load_from={path}'),
    'init_cfg': ('train.py', '{place}/initial.py', *CHECKPOINT),
    'init_cfg of a host': ('train.py', '{place}/host.py', *CHECKPOINT),
    '--resume': ('train.py', '{place}/tiny.py', '--resume'),
    'test': ('test.py', '{place}/tiny.py', '{path}'),
    'convert': (*CONVERT, '{out}/converted.pth'),
    'convert --to': (*CONVERT, '{out}/folder', '--to', 'huggingface', *TINY),
    'predict': (*PREDICT, *TINY),
    'predict --model': (*PREDICT, '--model', 'dpt-hybrid-nyu', *OTHER),
    'release': ('predict.py', '{place}/photo.png', '--model', 'dpt-hybrid-nyu', '--out', '{out}'),
    'export': (
        *('export.py', '{place}/tiny.py', '{path}', '--format', 'torch-export'),
        *('--out', '{out}/model.pt2'),
    ),
    'show_attention': (
        *('show_attention.py', '{place}/tiny.py', '{path}', '{place}/photo.png'),
        *('--out', '{out}/attention.png'),
    ),
    'benchmark_zero_shot': (
        *('benchmark_zero_shot.py', '{place}/depth.py', '{path}', '--data-root', '{place}/sets'),
        *('--out', '{out}'),
    ),
}
"""Every tool's way to a checkpoint."""


@pytest.mark.parametrize('way', WAYS)
def test_a_tool_executes_nothing(
    place, hostile, marker, call_tool, tmp_path, monkeypatch, capsys, way
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('MMDPT_HOME', str(tmp_path / 'home'))
    work, out = tmp_path / 'work', tmp_path / 'out'
    out.mkdir()
    path = hostile('os.system', 'state_dict', work / 'iter_1.pth')
    (work / 'last_checkpoint').write_text(str(path))
    hostile('os.system', 'state_dict', cached_path(RELEASES['dpt-hybrid-nyu'].address))
    command = [part.format(place=place, path=path, out=out) for part in WAYS[way]]
    if command[0] in ('train.py', 'test.py'):
        command += ['--work-dir', work if way == '--resume' else out]
    assert call_tool(*command) == 1
    assert not marker.exists()
    said = capsys.readouterr().err
    assert 'error: ' in said and 'would call posix.system' in said
    assert not [name for name in RESULTS if list(out.rglob(name))]

"""No command-line tool executes what is in a checkpoint, on any of the ways to one."""

import numpy as np
import pytest
from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import DefaultScope
from mmengine.visualization import Visualizer
from PIL import Image

from mmdpt.checkpoints.reading.download import cached_path
from mmdpt.checkpoints.reading.releases import RELEASES
from mmdpt.files.shipped import shipped
from mmdpt.scenes import write_scenes

TRICKS = (
    *('os.system', 'subprocess', 'eval', 'instance', 'protocol 4', 'torch', 'torch.fx'),
    *('numpy', 'mmengine', 'weights-only'),
)
PLACES = ('state_dict', 'nested', 'meta', 'message_hub', 'optimizer', 'alone')


RESULTS = (
    'converted.pth',
    'folder',
    'model.pt2',
    'attention.png',
    '*.jpg',
    'zero_shot.*',
    '*.json',
)
"""What a tool writes where all is well."""


@pytest.fixture(scope='module')
def place(tmp_path_factory):
    """A folder with two scenes, a picture, and a config of a tiny model that trains on them."""
    root = tmp_path_factory.mktemp('place')
    write_scenes(root / 'scenes', num_train=1, num_val=1, size=(64, 48), workers=1)
    Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(root / 'photo.png')
    arch = dict(_delete_=True, embed_dims=24, num_layers=4, num_heads=2, feedforward_channels=48)
    initial = ", init_cfg=dict(_delete_=True, type='Pretrained', checkpoint='')"
    for name, base, more in (
        ('tiny', 'scenes', ''),
        ('initial', 'scenes', initial),
        ('depth', 'scenes-depth', ''),
    ):
        (root / f'{name}.py').write_text(f"""
_base_ = ['{shipped('configs')}/dpt/dpt_vit-ti16_{base}.py']
model = dict(
    data_preprocessor=dict(size=(48, 64)),
    backbone=dict(arch={arch}, img_size=(48, 64), out_indices=(0, 1, 2, 3){more}),
    decode_head=dict(embed_dims=24, reassemble_channels=(4, 8, 12, 16), channels=8),
)
data = dict(
    num_workers=0, persistent_workers=False, dataset=dict(data_root='{root / 'scenes'}')
)
train_dataloader = val_dataloader = test_dataloader = data
optim_wrapper = dict(type='OptimWrapper')
train_cfg = dict(max_iters=1, val_interval=1)
""")
    return root


def train(place, path, out):
    return 'train.py', place / 'tiny.py', '--work-dir', out


WAYS = {
    'train load_from': lambda place, path, out: (
        *train(place, path, out),
        *('--cfg-options', f'load_from={path}'),
    ),
    'train init_cfg': lambda place, path, out: (
        *('train.py', place / 'initial.py', '--work-dir', out),
        *('--cfg-options', f'model.backbone.init_cfg.checkpoint={path}'),
    ),
    'train --resume': lambda place, path, out: (*train(place, path, path.parent), '--resume'),
    'test': lambda place, path, out: ('test.py', place / 'tiny.py', path, '--work-dir', out),
    'convert': lambda place, path, out: ('convert_checkpoint.py', path, out / 'converted.pth'),
    'convert --to': lambda place, path, out: (
        *('convert_checkpoint.py', path, out / 'folder', '--to', 'huggingface'),
        *('--config', place / 'tiny.py'),
    ),
    'predict': lambda place, path, out: (
        *('predict.py', place / 'photo.png', '--config', place / 'tiny.py'),
        *('--checkpoint', path, '--out', out),
    ),
    'predict --model': lambda place, path, out: (
        *('predict.py', place / 'photo.png', '--model', 'dpt-hybrid-nyu', '--checkpoint', path),
        *('--out', out, '--cfg-options', 'model.backbone.arch=b'),
    ),
    'export': lambda place, path, out: (
        *('export.py', place / 'tiny.py', path, '--format', 'torch-export'),
        *('--out', out / 'model.pt2'),
    ),
    'show_attention': lambda place, path, out: (
        *('show_attention.py', place / 'tiny.py', path, place / 'photo.png'),
        *('--out', out / 'attention.png'),
    ),
    'benchmark_zero_shot': lambda place, path, out: (
        *('benchmark_zero_shot.py', place / 'depth.py', path, '--data-root', place / 'sets'),
        *('--out', out),
    ),
}
"""Every tool's way to a checkpoint: its command, from the files' folder, the checkpoint, an out."""


BY_RUNNER = ('train load_from', 'train init_cfg', 'train --resume', 'test')


@pytest.fixture
def run(place, hostile, marker, call_tool, tmp_path, monkeypatch, capsys):
    """Run a tool on a hostile checkpoint; give what it said."""
    monkeypatch.chdir(tmp_path)
    (place / 'sets' / 'eth3d').mkdir(parents=True, exist_ok=True)

    def tool(way, trick, where='meta'):
        path = hostile(trick, where, tmp_path / 'work' / 'iter_1.pth')
        (path.parent / 'last_checkpoint').write_text(str(path))
        out = tmp_path / 'out'
        out.mkdir(exist_ok=True)
        for singletons in (MMLogger, MessageHub, Visualizer, DefaultScope):
            singletons._instance_dict.clear()
        code = call_tool(*WAYS[way](place, path, out))
        assert not marker.exists()
        assert code == 1, way
        said = capsys.readouterr().err
        assert said.rstrip().splitlines()[-1].startswith(('error: ', '  ', 'Where', 'or train')), (
            said
        )
        assert 'iter_1.pth' in said
        assert not [name for name in RESULTS if list(out.rglob(name))]
        return said

    return tool


@pytest.mark.parametrize('way', WAYS)
def test_a_tool_executes_nothing(run, way):
    assert 'would call posix.system' in run(way, 'os.system', 'state_dict')


@pytest.mark.parametrize('way', ['train --resume', 'test'])
def test_what_mmengine_would_execute_is_not(run, way):
    run(way, 'weights-only', 'optimizer')


def test_a_released_model_in_the_cache_executes_nothing(
    place, hostile, marker, call_tool, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv('MMDPT_HOME', str(tmp_path / 'home'))
    hostile('os.system', 'state_dict', cached_path(RELEASES['dpt-hybrid-nyu'].address))
    command = ('predict.py', place / 'photo.png', '--model', 'dpt-hybrid-nyu', '--out', tmp_path)
    assert call_tool(*command) == 1
    assert not marker.exists()
    assert 'would call posix.system' in capsys.readouterr().err


@pytest.mark.nightly
@pytest.mark.timeout(1800)
def test_no_tool_executes_any_trick_anywhere(run, record):
    """Every trick on every way; in every place, where that needs no runner, which takes seconds."""
    tried = [
        (way, trick, where)
        for way in WAYS
        for number, trick in enumerate(TRICKS)
        for where in ([PLACES[number % len(PLACES)]] if way in BY_RUNNER else PLACES)
    ]
    for way, trick, where in tried:
        run(way, trick, where)
    record(
        'hostile checkpoints given to tools',
        f'{len(tried)}: {len(TRICKS)} pickles, {len(PLACES)} places, {len(WAYS)} ways to a file',
        'all refused, nothing executed',
    )

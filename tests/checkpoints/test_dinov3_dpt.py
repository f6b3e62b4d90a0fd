"""DINOv3's own depth heads become ours and give their depth; a head alone gets its encoder."""

import runpy
from pathlib import Path

import pytest
import tiny
import torch
from mmengine.registry import init_default_scope

from mmdpt.apis import init_model
from mmdpt.checkpoints import read_checkpoint, to_ours
from mmdpt.config import load_config, prepare_test
from mmdpt.errors import InputError
from mmdpt.registry import MODELS
from mmdpt.training import build_runner

REFERENCE = runpy.run_path(str(Path(__file__).with_name('record_dinov3_dpt.py')))
CONFIGS = {'synthmix': 'dpt_dinov3-7b16_synthmix', 'chmv2': 'dpt_dinov3-l16_canopy'}
TIMM = dict(zip(('model_name', 'model_args'), tiny.TIMM['dinov3'], strict=True))
NARROW = dict(
    embed_dims=(REFERENCE['DIMS'],) * 4,
    channels=REFERENCE['CHANNELS'],
    reassemble_channels=REFERENCE['WIDTHS'],
)


@pytest.fixture(scope='module')
def record():
    """Weights by head, and depth by head and grid."""
    outputs, about = REFERENCE['REFERENCE']['load'](REFERENCE['OUTPUTS'])
    filled, fill = REFERENCE['REFERENCE']['filled'], REFERENCE['fill']
    return {name: filled(shapes, fill) for name, shapes in about['shapes'].items()}, outputs


def deviation(name, record, **changed):
    """Give the greatest deviation of depth, relative to the greatest depth, of all grids."""
    cfg = load_config(CONFIGS[name])
    init_default_scope(cfg.default_scope)
    head = MODELS.build(dict(cfg.model.decode_head, patch_size=16, **NARROW) | changed).eval()
    converted, report = to_ours(record[0][name])
    assert (report.source, report.task) == ('dinov3', 'depth')
    head.load_state_dict({k.removeprefix('decode_head.'): v for k, v in converted.items()})
    stride, errors = REFERENCE['STRIDE'], []
    for grid in REFERENCE['GRIDS']:
        with torch.no_grad():
            depth = head(REFERENCE['taps'](grid))[0, 0, ::stride, ::stride]
        expected = record[1][f'{name} {grid}']
        errors.append(((depth - expected).abs().max() / expected.max()).item())
    return max(errors)


@pytest.mark.parity
@pytest.mark.parametrize('name', CONFIGS)
def test_depth_equals_its_own(record, name):
    assert deviation(name, record) <= 1e-5


@pytest.mark.parity
@pytest.mark.parametrize(
    ('name', 'changed'),
    [
        ('synthmix', dict(bins=dict(low=0.001, high=100.0, epsilon=0.2))),
        ('synthmix', dict(bins=dict(low=0.001, high=100.0, spacing='log'))),
        ('synthmix', dict(resized='path')),
        ('chmv2', dict(bins=dict(low=0.001, high=96.0, spacing='mixed-log', epsilon=1e-8))),
    ],
)
def test_the_record_tells_a_change_apart(record, name, changed):
    assert deviation(name, record, **changed) > 1e-4


@pytest.fixture
def narrow(tmp_path):
    """Write the release's config, narrow, with an encoder from a file; give both files' paths."""

    def write(encoder):
        backbone = dict(TIMM, frozen_stages=-1, init_cfg=encoder)
        model = dict(backbone=backbone, decode_head=NARROW)
        base = tiny.REPO / 'configs' / 'dinov3' / 'dpt_dinov3-7b16_synthmix.py'
        (tmp_path / 'narrow.py').write_text(f"_base_ = '{base}'\nmodel = {model!r}\n")
        return str(tmp_path / 'narrow.py')

    return write


def runner_of(config, checkpoint):
    """Build the runner of tools/test.py."""
    cfg = load_config(config)
    prepare_test(cfg, str(checkpoint))
    return build_runner(cfg, str(checkpoint.parent / 'work'))


def test_a_head_alone_gets_the_encoder_of_its_config(record, narrow, tmp_path, call_tool):
    """Through init_model, a test, and the converter, whose file then holds both."""
    head, encoder = tmp_path / 'head.pth', tmp_path / 'encoder.pth'
    torch.save(record[0]['synthmix'], head)
    config = narrow(dict(type='Pretrained', checkpoint=str(encoder)))
    weights = tiny.draw_weights(init_model(config).backbone.timm_model).state_dict()
    torch.save(weights, encoder)
    state = init_model(config, str(head)).state_dict()
    for key, value in weights.items():
        assert torch.equal(state[f'backbone.timm_model.{key}'], value)
    runner = runner_of(config, head)
    runner.load_or_resume()
    tested = runner.model.state_dict()
    assert all(torch.equal(tested[key], value) for key, value in state.items())
    whole = tmp_path / 'whole.pth'
    assert call_tool('convert_checkpoint.py', head, whole, '--config', config) == 0
    kept = read_checkpoint(whole).state_dict
    assert all(torch.equal(kept[key], value) for key, value in state.items() if key in kept)
    assert kept.keys() >= set(dict(init_model(config).named_parameters()))


def test_a_head_alone_without_an_encoder_is_refused(record, narrow, tmp_path):
    config, head = narrow(None), tmp_path / 'head.pth'
    torch.save(record[0]['synthmix'], head)
    for load in (lambda: init_model(config, str(head)), runner_of(config, head).load_or_resume):
        with pytest.raises(InputError, match=r'a head alone, and model\.backbone\.init_cfg no enc'):
            load()

"""Metric depth through the tools: trained, evaluated, drawn."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def depth_config(scenes, tmp_path_factory):
    path = tmp_path_factory.mktemp('configs') / 'tiny_depth.py'
    path.write_text(f"""
_base_ = ['{REPO}/configs/dpt/dpt_vit-ti16_scenes-depth.py']
data_root = '{scenes}/nyu'
model = dict(
    data_preprocessor=dict(size=(48, 64)),
    backbone=dict(
        arch=dict(
            _delete_=True, embed_dims=24, num_layers=4, num_heads=2, feedforward_channels=48
        ),
        img_size=(48, 64),
        out_indices=(0, 1, 2, 3),
    ),
    decode_head=dict(embed_dims=24, reassemble_channels=(4, 8, 12, 16), channels=8),
)
train_pipeline = _base_.train_pipeline
train_pipeline[2].scale = (64, 48)
test_pipeline = _base_.test_pipeline
test_pipeline[2].scale = (64, 48)
train_dataloader = dict(
    batch_size=2,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(data_root=data_root, pipeline=train_pipeline),
)
val_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(data_root=data_root, pipeline=test_pipeline),
)
test_dataloader = val_dataloader
optim_wrapper = dict(type='OptimWrapper')
train_cfg = dict(max_iters=4, val_interval=4)
default_hooks = dict(logger=dict(interval=1), checkpoint=dict(interval=4))
randomness = dict(seed=0)
""")
    return path


def test_depth_trains_is_evaluated_and_drawn(depth_config, run_tool, tmp_path):
    done = run_tool('train.py', depth_config, '--work-dir', tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    losses = [float(x) for x in re.findall(r'decode\.loss_silog: ([\d.]+)', done.stdout)]
    assert len(losses) == 4 and all(0 < loss < 10 for loss in losses)
    assert 'WARNING' not in done.stdout and 'Warning' not in done.stderr

    pictures = tmp_path / 'pictures'
    test = run_tool(
        *('test.py', depth_config, tmp_path / 'iter_4.pth', '--work-dir', tmp_path / 'test'),
        *('--show-dir', pictures, '--out', tmp_path / 'depth'),
    )
    assert test.returncode == 0, test.stdout + test.stderr
    pattern = r'd1: ([\d.]+).*abs_rel: ([\d.]+)'
    trained, tested = (re.findall(pattern, text)[-1] for text in (done.stdout, test.stdout))
    assert trained == tested
    assert 0 <= float(tested[0]) <= 1 and float(tested[1]) > 0
    written = sorted((tmp_path / 'depth').glob('*.npy'))
    assert [path.stem for path in written] == [path.stem for path in sorted(pictures.glob('*.png'))]
    depth = np.load(written[0])
    assert depth.shape == (48, 64) and depth.dtype == np.float32
    assert (depth >= 0.1).all() and (depth <= 65).all()
    drawn = sorted(pictures.glob('*.png'))
    assert len(drawn) == 3
    assert np.asarray(Image.open(drawn[0])).shape == (48 + 34, 4 * 64 + 3 * 4, 3)


def test_two_metrics_of_depth_are_the_projects_own(depth_config):
    """mmseg has a DepthMetric of its own."""
    from mmengine.registry import init_default_scope

    from mmdpt.config import load_config
    from mmdpt.evaluation import DepthMetric
    from mmdpt.registry import METRICS

    init_default_scope('mmdpt')
    assert isinstance(METRICS.build(load_config(str(depth_config)).test_evaluator), DepthMetric)


@pytest.mark.nightly
def test_variants_are_compared_with_their_base(depth_config, run_tool, tmp_path):
    """One variant trains, one is the base tested at another size, a third is the base itself."""
    (tmp_path / 'readout-add.py').write_text(
        f"_base_ = '{depth_config}'\nmodel = dict(decode_head=dict(readout_type='add'))\n"
    )
    (tmp_path / 'resolution.py').write_text(
        f"_base_ = '{depth_config}'\n"
        'test_dataloader = _base_.test_dataloader\n'
        'test_dataloader.dataset.pipeline[2].scale = (32, 24)\n'
    )
    (tmp_path / 'same.py').write_text(f"_base_ = '{depth_config}'\n")
    work_dir = tmp_path / 'work'
    done = run_tool(
        *('ablate.py', tmp_path / 'readout-add.py', tmp_path / 'resolution.py'),
        *(tmp_path / 'same.py', '--base', depth_config, '--iters', '31', '--work-dir', work_dir),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split(' | ') for line in (work_dir / 'table.md').read_text().splitlines()[2:]]
    assert [row[0] for row in rows] == ['| base', '| readout-add', '| resolution', '| same']
    assert rows[3][1:] == [rows[0][1], '+0.0000 (+0.0000 to +0.0000)', *rows[0][3:]]
    assert rows[1][1] != rows[0][1] and rows[2][1] != rows[0][1]
    trained = sorted(path.parent.name for path in work_dir.glob('*/iter_31.pth'))
    assert trained == ['base', 'readout-add']


def test_variants_of_fewer_iterations_than_the_warm_up(depth_config, run_tool, tmp_path):
    done = run_tool('ablate.py', '--base', depth_config, '--iters', '30', '--work-dir', tmp_path)
    assert done.returncode == 1
    assert done.stderr == 'error: --iters must be more than the 30 of the warm-up\n'


def test_tta_averages_with_the_mirror_image(depth_config, tmp_path):
    from mmdpt.config import load_config, prepare_test

    cfg = load_config(str(depth_config))
    (tmp_path / 'a.pth').touch()
    prepare_test(cfg, str(tmp_path / 'a.pth'), tta=True)
    assert cfg.model.test_cfg.flip is True

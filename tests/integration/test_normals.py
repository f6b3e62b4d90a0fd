"""A model of surface normals trains on depth, is tested and predicts."""

import json

import numpy as np
import pytest
import tiny
from tiny_files import write_map

from mmdpt.inference.inferencer import DPTInferencer
from mmdpt.inference.model import build_model
from mmdpt.scenes import intrinsics

CAMERA = tuple(intrinsics(tiny.SIZE).values())


@pytest.fixture(scope='module')
def config(scenes, tmp_path_factory):
    path = tmp_path_factory.mktemp('normals') / 'normals.py'
    backbone = dict(tiny.BACKBONE, img_size=56)
    model = dict(data_preprocessor=dict(size=tiny.SIZE[::-1]), backbone=backbone)
    path.write_text(f"""
_base_ = ['{tiny.REPO}/configs/dpt/dpt_tipsv2-b14_nyu-normals.py']
model = {dict(model, decode_head=tiny.HEAD)!r}
model['backbone']['init_cfg'] = None
train_pipeline = _base_.train_pipeline
train_pipeline[2:4] = [dict(type='NormalsFromDepth', intrinsics={CAMERA})]  # no crop of NYU's
train_dataloader = dict(
    batch_size=2,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(data_root='{scenes}/nyu', pipeline=train_pipeline),
)
test_pipeline = _base_.test_pipeline
test_pipeline[2:4] = [train_pipeline[2]]  # nor NYU's size
val_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(data_root='{scenes}/nyu', pipeline=test_pipeline),
)
test_dataloader = val_dataloader
train_cfg = dict(max_iters=2, val_interval=2)
default_hooks = dict(logger=dict(interval=1), checkpoint=dict(interval=2))
randomness = dict(seed=0)
""")
    return path


@pytest.fixture
def picture(tmp_path):
    return write_map(
        tmp_path / 'a.png', np.random.default_rng(0).integers(0, 256, (45, 61, 3), np.uint8)
    )


def test_it_trains_and_is_tested(call_tool, config, tmp_path, scenes):
    work_dir = tmp_path / 'work'
    assert call_tool('train.py', config, '--work-dir', work_dir) == 0
    rows = [json.loads(x) for x in next(work_dir.glob('*/vis_data/scalars.json')).open()]
    losses = [row['decode.loss_cosine'] for row in rows if 'decode.loss_cosine' in row]
    assert len(losses) == 2 and all(0 < loss < 2 for loss in losses)
    (scores,) = (row for row in rows if 'angle' in row)
    assert 0 < scores['angle'] < scores['angle_rmse'] < 180
    assert scores['within_11'] <= scores['within_22'] <= scores['within_30'] <= 100
    (best,) = work_dir.glob('best_angle_*.pth')
    out, drawn = tmp_path / 'out', tmp_path / 'drawn'
    arguments = ('--work-dir', tmp_path / 'test', '--out', out, '--show-dir', drawn)
    assert call_tool('test.py', config, best, *arguments) == 0
    files = sorted(out.rglob('*.npy'))
    images = list((scenes / 'nyu' / 'images' / 'test').rglob('*.*'))
    assert len(files) == len(list(drawn.rglob('*.png'))) == len(images) > 0
    normals = np.load(files[0])
    assert normals.shape == (*tiny.SIZE[::-1], 3) and normals.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(normals, axis=-1), 1, atol=1e-5)


def test_it_predicts(call_tool, config, picture, tmp_path, capsys):
    weights, out = tmp_path / 'w.pth', tmp_path / 'out'
    tiny.save(tiny.randomise(build_model(str(config))), weights)
    given = ('--config', config, '--checkpoint', weights)
    kinds = ('colour', 'side-by-side', 'normals')
    assert call_tool('predict.py', picture, *given, '--out', out, '--write', *kinds, '--json') == 0
    line = json.loads(capsys.readouterr().out)
    assert (line['output'], line['size']) == ('normals', [61, 45])
    endings = ('colour.jpg', 'normals.npy', 'normals.png', 'side-by-side.jpg')
    assert sorted(path.name for path in out.iterdir()) == [f'a_{end}' for end in endings]
    prediction = DPTInferencer(str(config), str(weights), 'cpu')(picture)
    normals = np.load(out / 'a_normals.npy')
    np.testing.assert_allclose(normals, prediction.normals(), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=-1), 1, atol=1e-5)
    assert normals.std(axis=(0, 1)).min() > 0.01

"""What a test writes: names, pictures, calibrated depth, one file of metrics."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import tiny
import torch
from mmengine.dist import utils
from mmengine.logging import MMLogger
from PIL import Image

from mmdpt.registry import HOOKS
from mmdpt.training.test_outputs.calibration_hook import least_abs_rel_factor
from mmdpt.training.test_outputs.comparison_hook import _comparison
from mmdpt.training.test_outputs.output_names import OutputNames


class Images(tuple):
    def get_data_info(self, index):
        return {'img_path': self[index]}


@pytest.mark.parametrize(
    ('paths', 'names'),
    [
        (('data/test/a.jpg', 'data/test/b.jpg'), ('a.png', 'b.png')),
        (('k/drive1/c/1.png', 'k/drive2/c/1.png'), ('drive1/c/1.png', 'drive2/c/1.png')),
        (('only.jpg',), ('only.png',)),
        (('d/i.jpg', 'd/i.png', 'd/j.jpg'), ('i.jpg.png', 'i.png.png', 'j.jpg.png')),
        (('d/a.b.jpg', 'd/a.c.jpg'), ('a.b.png', 'a.c.png')),
    ],
)
def test_named_below_the_folder_that_all_share(tmp_path, paths, names):
    outputs = OutputNames(tmp_path, Images(paths))
    for path, name in zip(paths, names, strict=True):
        output = outputs.path(path, '.png')
        assert output == tmp_path / name and output.parent.is_dir()


@pytest.mark.parametrize('seed', range(3))
def test_no_other_factor_has_a_smaller_error(seed):
    rng = np.random.default_rng(seed)
    ratios = [rng.lognormal(0.2, 0.5, count) for count in (7, 40, 3)]

    def abs_rel(factor):
        return np.mean([np.abs(factor / ratio - 1).mean() for ratio in ratios])

    found = abs_rel(least_abs_rel_factor(ratios))
    assert found <= min(map(abs_rel, np.geomspace(0.2, 5, 4001)))


def test_depth_is_black_where_the_predicted_labels_say_sky(tmp_path):
    Image.new('RGB', (64, 48), 'grey').save(tmp_path / 'a.png')
    labels = torch.zeros(1, 48, 64, dtype=torch.int64)
    labels[:, :10] = 1
    depth = torch.linspace(2, 9, 64).expand(1, 48, 64)
    meta = dict(img_path=str(tmp_path / 'a.png'), depth_output='depth', depth_unit='m')
    sample = tiny.sample(labels, depth, **meta)
    sample.pred_sem_seg, sample.pred_depth_map = sample.gt_sem_seg, sample.gt_depth_map
    for second in ('sky', 'wall'):
        meta = dict(classes=('floor', second), palette=[[0, 200, 0], [0, 0, 200]])
        prediction = _comparison(sample, meta)[52:100, 136:200]
        black = (prediction == 0).all(axis=-1)
        expected = (labels[0] == 1).numpy() if second == 'sky' else np.zeros((48, 64), bool)
        np.testing.assert_array_equal(black, expected)


@pytest.mark.parametrize('rank', [0, 1])
def test_rank_0_alone_writes_the_metrics(tmp_path, monkeypatch, rank):
    monkeypatch.setattr(utils, 'get_rank', lambda group=None: rank)
    hook = HOOKS.build(dict(type='LoggerHook'))
    hook.json_log_path = 'metrics.json'
    runner = SimpleNamespace(
        log_dir=str(tmp_path), test_dataloader=[], logger=MMLogger.get_instance('metrics'),
        log_processor=SimpleNamespace(get_log_after_epoch=lambda *_, **__: (dict(mIoU=50.0), '')),
    )  # fmt: skip
    hook.after_test_epoch(runner)
    written = [json.loads(file.read_text()) for file in tmp_path.iterdir()]
    assert written == [] if rank else written == [dict(mIoU=50.0)]

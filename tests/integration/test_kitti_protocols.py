"""KITTI's two protocols beside the code that published numbers with them, and its pictures."""

import cv2
import mmcv
import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmengine.registry import init_default_scope

from mmdpt.config import load_config
from mmdpt.evaluation.depth_errors import ERRORS, depth_errors
from mmdpt.models.decode_heads.depth_dpt_head import DepthDPTHead
from mmdpt.models.segmentors.depth_estimator import store_depth
from mmdpt.registry import METRICS, TRANSFORMS
from mmdpt.training.test_outputs.comparison_hook import _comparison

FRAMES = [(375, 1242), (370, 1224)]
RANGE = (1e-3, 80)


@pytest.fixture(params=FRAMES, ids=str)
def example(request, tmp_path):
    """The config, a sample with a prediction of the crop, the prediction, and the frame's depth.

    The prediction is right in the middle of the frame and too far towards the ends.
    """
    height, width = request.param
    rng = np.random.default_rng(0)
    depth = rng.integers(256, 90 * 256, (height, width)).astype(np.uint16)
    depth[rng.random(depth.shape) < 0.8] = 0
    image = rng.integers(256, size=(height // 8, width // 8, 3), dtype=np.uint8)
    mmcv.imwrite(cv2.resize(image, (width, height)), str(tmp_path / 'image.png'))
    mmcv.imwrite(depth, str(tmp_path / 'depth.png'))
    cfg = load_config('dpt_hybrid_kitti')
    init_default_scope(cfg.default_scope)
    paths = dict(img_path=tmp_path / 'image.png', depth_map_path=tmp_path / 'depth.png')
    steps = Compose([TRANSFORMS.build(step) for step in cfg.test_dataloader.dataset.pipeline])
    paths = {key: str(path) for key, path in paths.items()}
    packed = steps(dict(**paths, depth_scale=256, seg_fields=[]))
    assert packed['inputs'].shape == (3, 352, 1216)
    truth = depth / np.float32(256)
    top, left = height - 352, (width - 1216) // 2
    slope = 1 + abs(np.arange(352)[:, None] - 150) / 400 + np.arange(1216) / 4000
    crop = truth[top:, left : left + 1216]
    predicted = (np.where(crop > 0, crop, 20) * slope).astype(np.float32)
    store_depth(
        torch.from_numpy(predicted)[None, None],
        DepthDPTHead('depth', max_depth=200.0),
        [packed['data_samples']],
        dict(resize_mode='bicubic'),
    )
    return cfg, packed['data_samples'], predicted, truth


def garg(height, width):
    mask = np.zeros((height, width), bool)
    rows = slice(int(0.40810811 * height), int(0.99189189 * height))
    mask[rows, int(0.03594771 * width) : int(0.96405229 * width)] = True
    return mask


def as_bts(predicted, truth):
    """utils/eval_with_pngs.py of cleinc/bts with --garg_crop --do_kb_crop."""
    height, width = truth.shape
    top, left = height - 352, int((width - 1216) / 2)
    frame = np.zeros_like(truth)
    frame[top : top + 352, left : left + 1216] = predicted.clip(*RANGE)
    valid = (truth > RANGE[0]) & (truth < RANGE[1]) & garg(height, width)
    return depth_errors(frame[valid].astype(float), truth[valid].astype(float))


def as_toolbox(predicted, truth):
    """depth/datasets/kitti.py of zhyever/Monocular-Depth-Estimation-Toolbox."""
    height, width = truth.shape
    top, left = height - 352, int((width - 1216) / 2)
    truth = truth[top : top + 352, left : left + 1216]
    valid = (truth > RANGE[0]) & (truth < RANGE[1]) & garg(352, 1216)
    return depth_errors(predicted.clip(*RANGE)[valid].astype(float), truth[valid].astype(float))


def test_both_protocols_give_their_sources_numbers_and_pictures_the_whole_frame(example):
    cfg, sample, predicted, truth = example
    frame, crop = (METRICS.build(metric) for metric in cfg.test_evaluator)
    found = {}
    for metric in (frame, crop):
        metric.process({}, [sample.to_dict()])
        found.update(metric.evaluate(1))
    published = as_bts(predicted, truth), as_toolbox(predicted, truth)
    for name in ERRORS:
        expected = [errors[name] for errors in published]
        assert [found[name], found[f'kb-garg/{name}']] == pytest.approx(expected, rel=1e-6)
    assert found['abs_rel'] != pytest.approx(found['kb-garg/abs_rel'], rel=1e-2)

    # pictures show photo and maps of the whole frame
    height, width = truth.shape
    left = (width - 1216) // 2
    depth = sample.pred_depth_map.data[0]
    assert depth.shape == sample.gt_depth_map.data[0].shape == (height, width)
    seen = depth.isfinite()
    assert seen[height - 352 :, left : left + 1216].all() and seen.sum() == 352 * 1216
    picture = _comparison(sample, {})
    photo = mmcv.imread(sample.img_path, channel_order='rgb')
    assert np.array_equal(picture[:height, :width], photo)
    above = [
        picture[: height - 352, start : start + width] for start in range(0, 4 * width, width + 4)
    ]
    assert above[1][truth[: height - 352] > 0].any()
    assert not above[2].any() and not above[3].any()  # black: the network did not see it

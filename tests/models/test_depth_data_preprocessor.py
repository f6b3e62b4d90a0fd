"""Batches: padding is invalid depth, everything else as in mmseg."""

import pytest
import torch
from mmengine.structures import PixelData
from mmseg.models import SegDataPreProcessor
from mmseg.structures import SegDataSample

from mmdpt.models.segmentors.depth_estimator import DepthDataPreProcessor

SETTINGS = dict(mean=[127.5] * 3, std=[127.5] * 3, bgr_to_rgb=True)


def batch(*sizes, labels=False):
    """Images of the sizes (H, W), depth 255 m everywhere: mmseg's padding value."""
    inputs, samples = [], []
    for height, width in sizes:
        inputs.append(torch.randint(0, 256, (3, height, width), dtype=torch.uint8))
        sample = SegDataSample(metainfo=dict(img_shape=(height, width)))
        sample.gt_depth_map = PixelData(data=torch.full((1, height, width), 255.0))
        if labels:
            sample.gt_sem_seg = PixelData(data=torch.zeros(1, height, width, dtype=torch.int64))
        samples.append(sample)
    return dict(inputs=inputs, data_samples=samples)


def copied(data):
    return dict(
        inputs=[image.clone() for image in data['inputs']],
        data_samples=[sample.clone() for sample in data['data_samples']],
    )


@pytest.mark.parametrize('padding', [dict(size=(8, 12)), dict(size_divisor=4)])
def test_padding_is_nan_and_nothing_else(padding):
    sizes = [(6, 12), (8, 9), (5, 7), (8, 12)]
    samples = DepthDataPreProcessor(**SETTINGS, **padding)(batch(*sizes), True)['data_samples']
    for (height, width), sample in zip(sizes, samples, strict=True):
        depth = sample.gt_depth_map.data
        assert depth.shape == (1, 8, 12)
        assert (depth[:, :height, :width] == 255).all()
        assert depth.isnan().sum() == 8 * 12 - height * width


def test_labels_and_images_are_as_in_mmseg():
    data = batch((6, 12), (8, 9), labels=True)
    theirs = SegDataPreProcessor(**SETTINGS, size=(8, 12))(copied(data), True)
    ours = DepthDataPreProcessor(**SETTINGS, size=(8, 12))(copied(data), True)
    torch.testing.assert_close(ours['inputs'], theirs['inputs'], rtol=0, atol=0)
    for our, their in zip(ours['data_samples'], theirs['data_samples'], strict=True):
        assert torch.equal(our.gt_sem_seg.data, their.gt_sem_seg.data)
        assert our.metainfo == their.metainfo
    assert (ours['data_samples'][0].gt_sem_seg.data[:, 6:] == 255).all()


def test_sample_without_depth_is_left_alone():
    data = batch((6, 12), (8, 9), labels=True)
    del data['data_samples'][1].gt_depth_map
    samples = DepthDataPreProcessor(**SETTINGS, size=(8, 12))(data, True)['data_samples']
    assert samples[0].gt_depth_map.data.isnan().sum() == 24
    assert 'gt_depth_map' not in samples[1]


def test_ground_truth_keeps_its_size_in_testing():
    data = batch((6, 10))
    result = DepthDataPreProcessor(**SETTINGS, test_cfg=dict(size_divisor=8))(data, False)
    assert result['inputs'].shape == (1, 3, 8, 16)
    depth = result['data_samples'][0].gt_depth_map.data
    assert depth.shape == (1, 6, 10)
    assert (depth == 255).all()

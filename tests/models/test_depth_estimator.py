"""Models of depth: batches, kinds of inference, and the way to the original image."""

from copy import deepcopy

import pytest
import tiny
import torch
import torch.nn.functional as F
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmseg.models import SegDataPreProcessor
from mmseg.models.segmentors import DepthEstimator as MMSegDepthEstimator

from mmdpt.models import DepthDataPreProcessor, DepthDPTHead, DepthEstimator, JointEstimator
from mmdpt.models.segmentors.depth_estimator import store_depth

SIZE, ORIGINAL = (40, 56), (75, 110)
WINDOWS = dict(mode='slide', crop_size=(40, 48), stride=(40, 16))
NAN = float('nan')


def build(joint=False, clamp=(None, None), **test_cfg):
    init_default_scope('mmdpt')
    depth = dict(type='DepthDPTHead', output='depth', max_depth=10.0, clamp=clamp, **tiny.HEAD)
    heads = (dict(type='DPTHead', num_classes=5, **tiny.HEAD), depth) if joint else (depth,)
    model = (JointEstimator if joint else DepthEstimator)(
        tiny.ENCODER,
        *heads,
        data_preprocessor=dict(type='DepthDataPreProcessor'),
        test_cfg=ConfigDict(test_cfg),
    )
    return tiny.draw_weights(model, std=0.2)


def images(size=SIZE):
    return torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def infer(model, image):
    size = tuple(image.shape[-2:])
    return model.inference(image, [dict(ori_shape=size, img_shape=size) for _ in image])


def test_slide_inference_averages_its_windows():
    """mmseg's overwrites them by the whole image."""
    image = images((64, 96))
    first, second = (infer(build(), image[..., x : x + 64]) for x in (0, 32))
    middle = (first[..., 32:] + second[..., :32]) / 2
    expected = torch.cat([first[..., :32], middle, second[..., 32:]], dim=-1)
    slide = infer(build(mode='slide', crop_size=(64, 64), stride=(64, 32)), image)
    torch.testing.assert_close(slide, expected)
    assert not torch.allclose(expected, infer(build(), image), atol=1e-3)


def test_slide_flip_is_mmsegs():
    image, meta = images((40, 72)), [dict(ori_shape=(40, 72), img_shape=(40, 72))]
    with torch.no_grad():
        theirs = build(**{**WINDOWS, 'mode': 'whole'})
        expected = MMSegDepthEstimator.slide_flip_inference(theirs, image, meta)
    ours = infer(build(**{**WINDOWS, 'mode': 'slide_flip'}), image)
    torch.testing.assert_close(ours, expected)


@pytest.mark.parametrize('joint', [False, True], ids=['depth', 'joint'])
def test_flip_averages_with_the_mirror_image(joint):
    """Of a joint model the logits, too; a mode that does not exist is refused."""
    plain, mirrored = (infer(build(joint), image) for image in (images(), images().flip(-1)))
    flipped = infer(build(joint, flip=True), images())
    torch.testing.assert_close(flipped, (plain + mirrored.flip(-1)) / 2)
    assert not torch.allclose(plain, mirrored.flip(-1), atol=1e-3)
    with pytest.raises(ValueError, match=r"'whole', 'slide'.*'turned'"):
        infer(build(joint, mode='turned'), images())


@pytest.mark.parametrize('joint', [False, True], ids=['depth', 'joint'])
@pytest.mark.parametrize(
    'inference',
    [dict(mode='whole'), dict(mode='whole', flip=True), WINDOWS, {**WINDOWS, 'flip': 1}],
)
@torch.no_grad()
def test_every_kind_of_inference_is_resized_as_asked(inference, joint):
    clamp = (1.0, 9.0)
    meta = dict(ori_shape=ORIGINAL, img_shape=SIZE)
    small = build(joint, clamp, **inference).inference(images(), [dict(meta)])[:, -1:]
    bilinear = F.interpolate(small, ORIGINAL, mode='bilinear')[0]
    expected = F.interpolate(small, ORIGINAL, mode='bicubic')[0].clamp(*clamp)
    for settings, result in (({}, bilinear), (dict(resize_mode='bicubic'), expected)):
        model = build(joint, clamp, **inference, **settings)
        (sample,) = model.predict(images(), [tiny.sample(**meta)])
        torch.testing.assert_close(sample.pred_depth_map.data, result)
        assert (sample.depth_output, sample.depth_unit, sample.is_metric) == ('depth', 'm', True)
    assert (bilinear - expected).abs().max() > 1e-2


@pytest.mark.parametrize(
    'change',
    [
        dict(),
        dict(flip=True, flip_direction='horizontal'),
        dict(flip=True, flip_direction='vertical'),
        dict(padding_size=[1, 2, 3, 4]),
        dict(padding_size=[9, 9, 9, 9], img_padding_size=(1, 2, 3, 4)),
    ],
)
def test_depth_returns_to_the_original_image_as_in_mmseg(change):
    depth, meta = torch.rand(2, 1, 20, 30), dict(ori_shape=(33, 41), **change)
    ours, theirs = (
        kind.postprocess_result(build(), depth, [tiny.sample(**meta) for _ in depth])
        for kind in (DepthEstimator, MMSegDepthEstimator)
    )
    found, expected = ([one.pred_depth_map.data for one in each] for each in (ours, theirs))
    torch.testing.assert_close(found, expected)


def enlarge(row, width, clamp=(None, None), **test_cfg):
    """Bring one row of depth to a width."""
    head = DepthDPTHead(clamp=clamp, **tiny.HEAD)
    sample = tiny.sample(ori_shape=(1, width))
    store_depth(torch.tensor(row).reshape(1, 1, 1, -1), head, [sample], test_cfg)
    return sample.pred_depth_map.data[0, 0]


# an edge of 4 m, doubled; the cubic's weights for a = -0.75 at a quarter of a pixel are
# -0.10546875, 0.87890625, 0.26171875, -0.03515625: 4 times their sums right of the edge
EDGE = [0.0] * 4 + [4.0] * 4
CUBIC = [0, 0, 0, 0, 0, -0.140625, -0.421875, 0.90625, 3.09375, 4.421875, 4.140625, 4, 4, 4, 4, 4]


@pytest.mark.parametrize('clamp', [(None, None), (0.5, 4.2)])
def test_bicubic_overshoot_ends_at_zero_or_the_clamp(clamp):
    low, high = clamp
    expected = torch.tensor(CUBIC).clamp(low or 0, high)
    depth = enlarge(EDGE, 16, clamp, resize_mode='bicubic')
    torch.testing.assert_close(depth, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ('test_cfg', 'expected'),
    [
        ({}, [0, 1, 3, 4]),
        (dict(resize_mode='bilinear', resize_align_corners=False), [0, 1, 3, 4]),
        (dict(resize_align_corners=True), [0, 4 / 3, 8 / 3, 4]),
    ],
)
def test_bilinear_between_pixel_centres_or_corners(test_cfg, expected):
    torch.testing.assert_close(enlarge([0.0, 4.0], 4, **test_cfg), torch.tensor(expected).float())


def test_bicubic_changes_no_equal_size_and_makes_no_depth_of_a_failed_prediction():
    """So that KITTI's crop, seen at its own size, is evaluated as predicted; "cubic" is refused."""
    row = torch.rand(30).tolist()
    assert torch.equal(enlarge(row, 30, resize_mode='bicubic'), torch.tensor(row))
    depth = enlarge([1.0] * 7 + [NAN], 16, (0.1, 10.0), resize_mode='bicubic')
    assert depth[-1].isnan() and depth[:8].eq(1).all()
    with pytest.raises(ValueError, match=r"resize_mode must be one of .*'bicubic'.* got 'cubic'"):
        enlarge([1.0], 2, resize_mode='cubic')


SETTINGS = dict(mean=[127.5] * 3, std=[127.5] * 3, bgr_to_rgb=True)


def batch(*sizes, labels=False):
    """Images of the sizes (H, W), depth 255 m everywhere: mmseg's padding value."""
    inputs = [torch.randint(0, 256, (3, *size), dtype=torch.uint8) for size in sizes]
    samples = [
        tiny.sample(
            torch.zeros(1, *size).long() if labels else None,
            torch.full((1, *size), 255.0),
            img_shape=size,
        )
        for size in sizes
    ]
    return dict(inputs=inputs, data_samples=samples)


@pytest.mark.parametrize('padding', [dict(size=(8, 12)), dict(size_divisor=4)])
def test_padding_is_nan_and_nothing_else(padding):
    """A sample without depth is left alone."""
    sizes = [(6, 12), (8, 9), (5, 7), (8, 12)]
    data = batch(*sizes, (7, 7))
    del data['data_samples'][-1].gt_depth_map
    *samples, without = DepthDataPreProcessor(**SETTINGS, **padding)(data, True)['data_samples']
    assert 'gt_depth_map' not in without
    for (height, width), sample in zip(sizes, samples, strict=True):
        expected = torch.full((1, 8, 12), NAN)
        expected[:, :height, :width] = 255
        torch.testing.assert_close(sample.gt_depth_map.data, expected, equal_nan=True)


def test_labels_and_images_are_as_in_mmseg():
    data = batch((6, 12), (8, 9), labels=True)
    ours, theirs = (
        preprocessor(**SETTINGS, size=(8, 12))(deepcopy(data), True)
        for preprocessor in (DepthDataPreProcessor, SegDataPreProcessor)
    )
    torch.testing.assert_close(ours['inputs'], theirs['inputs'], rtol=0, atol=0)
    for our, their in zip(ours['data_samples'], theirs['data_samples'], strict=True):
        assert torch.equal(our.gt_sem_seg.data, their.gt_sem_seg.data)
        assert our.metainfo == their.metainfo
    assert (ours['data_samples'][0].gt_sem_seg.data[:, 6:] == 255).all()


def test_ground_truth_keeps_its_size_in_testing():
    preprocessor = DepthDataPreProcessor(**SETTINGS, test_cfg=dict(size_divisor=8))
    result = preprocessor(batch((6, 10)), False)
    assert result['inputs'].shape == (1, 3, 8, 16)
    depth = result['data_samples'][0].gt_depth_map.data
    assert depth.shape == (1, 6, 10) and (depth == 255).all()

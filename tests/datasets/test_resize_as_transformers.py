"""Images are resized to the bit as by the image processors of exported models, and others' code."""

import cv2
import numpy as np
import pytest
from transformers import DPTImageProcessor

from mmdpt.datasets.transforms import ResizeAsDepthAnything3
from mmdpt.datasets.transforms.resize_as_transformers import ResizeAsTransformers


def picture(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parity
@pytest.mark.parametrize('size', [(100, 150), (150, 90), (40, 30), (64, 64)])
@pytest.mark.parametrize('settings', [dict(), dict(keep_ratio=True, multiple=14)])
def test_pixels_equal_those_of_the_processor(size, settings):
    """Larger, smaller and portrait pictures; squeezed, and with their shape kept."""
    image = picture(*size)
    results = ResizeAsTransformers(70, **settings).transform(dict(img=image))
    processor = DPTImageProcessor(
        size=dict(height=70, width=70),
        keep_aspect_ratio=settings.get('keep_ratio', False),
        ensure_multiple_of=settings.get('multiple', 1),
        do_rescale=False,
        do_normalize=False,
    )
    expected = processor(images=image, return_tensors='np')['pixel_values'][0]
    np.testing.assert_array_equal(results['img'], expected.transpose(1, 2, 0))
    assert results['img'].dtype == np.uint8


def test_sizes_by_hand():
    """Height 100 to 70 is the smaller change: width 150 * 0.7 = 105, to 98 or 112; 7.5 is even."""
    step = ResizeAsTransformers(70, keep_ratio=True, multiple=14)
    depth = np.ones((100, 150), np.float32)
    results = step.transform(
        dict(img=picture(100, 150), gt_depth_map=depth, seg_fields=['gt_depth_map'])
    )
    assert results['gt_depth_map'] is depth
    assert results['img'].shape == (70, 112, 3) and results['img_shape'] == (70, 112)
    assert results['scale'] == (112, 70)
    assert results['scale_factor'] == pytest.approx((112 / 150, 0.7))
    assert ResizeAsTransformers(70).transform(dict(img=picture(100, 150)))['scale'] == (70, 70)


def test_a_float_image_is_refused():
    with pytest.raises(ValueError, match='expected a uint8 image, got float32'):
        ResizeAsTransformers(70).transform(dict(img=picture(9, 9).astype(np.float32)))


@pytest.mark.parametrize(
    ('size', 'steps'),  # of (height, width); width, height and interpolation, as in its own run
    [
        ((480, 640), [(504, 378, cv2.INTER_AREA)]),
        ((375, 1242), [(504, 152, cv2.INTER_AREA), (504, 154, cv2.INTER_CUBIC)]),
        ((1080, 1920), [(504, 284, cv2.INTER_AREA), (504, 280, cv2.INTER_AREA)]),
        ((504, 371), [(378, 504, cv2.INTER_CUBIC)]),
        ((99, 131), [(504, 381, cv2.INTER_CUBIC), (504, 378, cv2.INTER_AREA)]),
    ],
)
def test_depth_anything_3_resizes_twice(size, steps):
    """Compared with Depth-Anything-3@2c21ea8 itself: every pixel of these sizes is equal."""
    image = expected = picture(*size)
    for width, height, interpolation in steps:
        expected = cv2.resize(expected, (width, height), interpolation=interpolation)
    results = ResizeAsDepthAnything3().transform(dict(img=image))
    np.testing.assert_array_equal(results['img'], expected)
    assert results['scale_factor'] == (steps[-1][0] / size[1], steps[-1][1] / size[0])

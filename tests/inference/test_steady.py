"""A video's numbers keep their scale and shift until a cut, and follow what lasts."""

import numpy as np
import pytest

from mmdpt.errors import InputError
from mmdpt.evaluation import align_depth
from mmdpt.evaluation.flicker import flicker
from mmdpt.inference.prediction import Prediction
from mmdpt.inference.steady import SceneCuts, Steady
from mmdpt.scenes import render_walk

SIZE = (64, 48)


@pytest.fixture(scope='module')
def walk():
    """A walk of 60 frames through a room: pictures and depth [m]."""
    frames = [rendering for _, rendering in render_walk(0, 'training', 0, SIZE)]
    return [frame.image for frame in frames], np.stack([frame.depth for frame in frames])


def predictions(images, maps, output='relative', **fields):
    unit = dict(relative='', depth='m', disparity='1/m')[output]
    return [
        Prediction(image, 'frame', values.astype(np.float32), output, unit, unit != '', **fields)
        for image, values in zip(images, maps, strict=True)
    ]


def steady_maps(found):
    steady = Steady()
    return np.stack([steady(prediction).map for prediction in found])


def aligned(pred, target):
    return align_depth(pred, target, np.isfinite(target), alignment='lstsq', output='relative')


def test_frames_of_any_scale_and_shift_flicker_a_third_with_equal_errors(walk):
    """The true disparity, each frame of another scale and shift, which alone then flicker."""
    images, depth = walk
    rng = np.random.default_rng(0)
    jitter = rng.normal(size=(2, 60, 1, 1))
    maps = np.exp(0.1 * jitter[0]) / depth + 0.03 * jitter[1]
    steady = steady_maps(predictions(images, maps))
    assert flicker(steady, depth).pixels < flicker(maps, depth).pixels / 3
    assert flicker(1 / depth, depth).pixels < 1e-6
    for before, after, target in zip(maps, steady, depth, strict=True):
        np.testing.assert_allclose(aligned(before, target), aligned(after, target), rtol=1e-3)


@pytest.mark.parametrize('output', ['depth', 'disparity'])
def test_of_numbers_with_a_unit_the_scale_alone_is_steady_and_stays(walk, output):
    images, depth = walk
    scales = np.exp(np.random.default_rng(0).normal(0, 0.1, (60, 1, 1)))
    maps = scales * (depth if output == 'depth' else 1 / depth)
    steady = steady_maps(predictions(images, maps, output))
    before, after = (flicker(each, depth, output) for each in (maps, steady))
    assert after.pixels < before.pixels / 3 and after.frames < before.frames / 3
    factors = steady / maps
    assert np.ptp(factors, axis=(1, 2)).max() < 1e-5  # no shift, no other shape
    # 20 frames are enough to forget the first
    np.testing.assert_allclose(np.log(factors * scales)[20:].mean(), 0, atol=0.05)


def test_one_scale_for_all_frames_is_followed_slowly():
    image, ramp = np.zeros((*SIZE[::-1], 3), np.uint8), np.linspace(1, 2, 64 * 48).reshape(48, 64)
    steady = steady_maps(predictions([image] * 3, [ramp, 3 * ramp + 1, 3 * ramp + 1]))
    for values, share in zip(steady, (0, 0.1, 0.19), strict=True):
        np.testing.assert_allclose(values, ramp + share * (2 * ramp + 1), rtol=1e-5)


def test_what_moves_does_not_scale_the_rest(walk):
    images, depth = walk
    before = 1 / depth[0]
    after = before.copy()
    after[20:40, 20:45] = 5  # a sixth of the picture
    steady = steady_maps(predictions(images[:1] * 2, [before, after]))
    still = after == before
    np.testing.assert_allclose(steady[1][still], before[still], rtol=1e-3)


def test_sky_and_pixels_without_depth_are_not_fitted(walk):
    images, depth = walk
    sky = np.zeros(SIZE[::-1], bool)
    sky[:30] = True
    found = predictions(images[:1] * 2, [depth[0]] * 2, 'depth', sky=sky)
    found[1].map[:30] = 1000
    found[0].map[40] = np.nan
    found[1].map[41] = np.inf
    np.testing.assert_allclose(steady_maps(found)[1], found[1].map, rtol=1e-6)


def test_a_cut_or_another_size_begins_anew(walk):
    images, depth = walk
    street = [rendering for _, rendering in render_walk(0, 'training', 1, SIZE, frames=5)]
    clip = [*images, *(frame.image for frame in street)]
    cuts = SceneCuts()
    assert [index for index, image in enumerate(clip) if cuts(image)] == [60]
    maps = [1 / depth[0], 2 / street[0].depth]
    steady = steady_maps(predictions([clip[59], clip[60]], maps))
    np.testing.assert_array_equal(steady[1], maps[1].astype(np.float32))
    smaller = [images[0], np.ascontiguousarray(images[0][::2])]
    _, second = map(Steady(), predictions(smaller, [1 / depth[0], 2 / depth[0][::2]]))
    np.testing.assert_array_equal(second.map, (2 / depth[0][::2]).astype(np.float32))


def test_labels_have_no_scale():
    pixel = np.zeros((2, 2), np.uint8)
    with pytest.raises(InputError, match='clip: the model predicts no depth to keep'):
        Steady()(Prediction(np.zeros((2, 2, 3), np.uint8), 'clip', labels=pixel))


def test_flicker_by_hand():
    """One of three pixels is a tenth farther in the second frame than it should be."""
    targets = np.array([[[2.0, 4.0, 6.0, np.nan]], [[2.0, 3.0, 6.0, 5.0]]])
    preds, tenth = targets.copy(), pytest.approx(np.log(1.1))
    assert flicker(preds, targets, 'depth') == (0, 0)
    preds[1, 0, 0] *= 1.1
    assert flicker(preds, targets, 'depth') == pytest.approx((np.log(1.1) / 3, 0))
    assert flicker(preds[..., :1], targets[..., :1], 'depth').frames == tenth
    # one scale and shift of all frames change nothing
    disparity = np.where(np.isnan(targets), 0, 1 / targets)
    assert flicker(3 * disparity + 1, targets) == pytest.approx((0, 0), abs=1e-9)
    with pytest.raises(ValueError, match='no pixel of known depth in two consecutive frames'):
        flicker(preds[:1], targets[:1], 'depth')

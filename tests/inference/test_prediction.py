"""A prediction in its unit: to metres, to pictures, to files."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmdpt.errors import InputError
from mmdpt.inference.known_points import KnownPoints
from mmdpt.inference.point_cloud import Intrinsics
from mmdpt.inference.prediction import Prediction
from mmdpt.visualization.depth import LEGEND_HEIGHT, RELATIVE, depth_panel
from mmdpt.visualization.legend import LINE_HEIGHT
from mmdpt.visualization.segmentation import classes_and_palette
from mmdpt.visualization.tiling import GAP

SIZE = (30, 40)
UNITS = {'relative': '', 'disparity': '1/m', 'depth': 'm'}
RAMP = np.linspace(1, 5, 40, dtype=np.float32)[None].repeat(30, axis=0)
NAN = np.full(SIZE, np.nan, np.float32)
CAMERA = Intrinsics(40, 40, 0, 0)
LABELS = np.zeros(SIZE, np.uint8)
LABELS[:, 20:] = 2
CLASSES, PALETTE = ('wall', 'floor', 'sky'), ((250, 0, 0), (0, 250, 0), (0, 0, 250))


def of_map(values=RAMP, output='depth'):
    image = np.full((*values.shape, 3), 100, np.uint8)
    return Prediction(image, 'room', values, output, UNITS[output], output != 'relative')


def of_labels(labels=LABELS, **fields):
    image = np.full((*labels.shape, 3), 100, np.uint8)
    fields = dict(classes=CLASSES, palette=PALETTE) | fields
    return Prediction(image, 'room', labels=labels, **fields)


def points(*known):
    return KnownPoints(*np.array(known, float).reshape(-1, 3).T)


@pytest.mark.parametrize(
    ('fields', 'message'),
    [
        (dict(), 'a prediction has a map, labels or both'),
        (dict(map=RAMP), 'a map and what it is go together'),
        (dict(map=RAMP.T, output='depth'), r'prediction is \(40, 30\), image \(30, 40\)'),
        (dict(map=RAMP, output='depth', sky=LABELS.T > 0), r'prediction is \(40, 30\), image'),
        (dict(labels=LABELS.T), r'prediction is \(40, 30\), image \(30, 40\)'),
    ],
)
def test_what_is_no_prediction_is_refused(fields, message):
    with pytest.raises(ValueError, match=f'room: {message}'):
        Prediction(np.zeros((*SIZE, 3), np.uint8), 'room', **fields)


@pytest.mark.parametrize(
    ('use', 'message'),
    [
        (lambda: of_map(output='relative').depth(), r'relative disparity has no scale.*: align$'),
        (lambda: of_labels().depth(), 'the model predicts labels, not depth'),
        (lambda: of_labels().align(points((0, 0, 5))), 'the model predicts labels, not depth'),
        (lambda: of_map().save_labels('a.png'), 'the model predicts depth, not labels'),
        (lambda: of_map(NAN).colour_map(), 'the map holds no finite number'),
        (lambda: of_map(NAN).plot(), 'the map holds no finite number'),
        (lambda: of_map().save('a.ply'), 'the camera is not known: give its intrinsics'),
        (lambda: of_map().save('a.glb'), 'the camera is not known: give its intrinsics'),
        (lambda: of_map().save_sky('a.png'), 'the model has no sky branch'),
        (lambda: of_map(output='relative').to_pointcloud(CAMERA), 'relative disparity has no'),
    ],
)
def test_what_a_prediction_cannot_give_is_named(use, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=f'room: {message}'):
        use()
    assert os.listdir(tmp_path) == []


def test_depth_stays_and_disparity_is_inverted_zero_or_less_is_infinitely_far():
    np.testing.assert_array_equal(of_map().depth(), RAMP)
    disparity = np.array([[0.5, 4, 0, -0.0, -1, np.nan, 1e-40]], np.float32)
    depth = of_map(disparity, 'disparity').depth()
    assert depth.dtype == np.float32
    np.testing.assert_array_equal(depth, [[2, 0.25, np.inf, np.inf, np.inf, np.nan, np.inf]])


def test_two_points_and_three_noisy_ones_by_hand():
    """0.1 p + 0.05 = 0.25 at p = 2 and 0.45 at p = 4."""
    values = np.array([[2, 4, 10, -0.75, -1]], np.float32)
    aligned = of_map(values, 'relative').align(points((0, 0, 1 / 0.25), (1, 0, 1 / 0.45)))
    expected = [[4, 1 / 0.45, 1 / 1.05, np.inf, np.inf]]
    np.testing.assert_allclose(aligned.map, expected, rtol=1e-6)
    assert (aligned.output, aligned.unit, aligned.is_metric) == ('depth', 'm', True)
    assert (aligned.map.dtype, aligned.name) == (np.float32, 'room')
    np.testing.assert_array_equal(aligned.depth(), aligned.map)
    # least squares through 1, 2 and 6 at the predictions 1, 2 and 3: 2.5 p - 2
    values = np.array([[1, 2, 3]], np.float32)
    aligned = of_map(values, 'relative').align(points((0, 0, 1), (1, 0, 1 / 2), (2, 0, 1 / 6)))
    np.testing.assert_allclose(aligned.map, 1 / (2.5 * values - 2), rtol=1e-5)


@pytest.mark.parametrize('output', ['disparity', 'depth'])
def test_metric_predictions_are_aligned_too(output):
    """Twice as far as predicted."""
    truth = 2 * (RAMP if output == 'depth' else 1 / RAMP)
    known = points((0, 0, truth[0, 0]), (20, 3, truth[3, 20]), (39, 9, truth[9, 39]))
    np.testing.assert_allclose(of_map(RAMP, output).align(known).map, truth, rtol=1e-5)


def test_fractional_pixel_is_the_nearest_one_and_labels_stay():
    both = of_labels(map=RAMP, output='relative')
    whole = both.align(points((39, 0, 1), (0, 29, 5)))
    fractional = both.align(points((39.4, 0.4, 1), (0.3, 28.6, 5)))
    np.testing.assert_array_equal(whole.map, fractional.map)
    assert whole.labels is LABELS and whole.classes == CLASSES and both.output == 'relative'


@pytest.mark.parametrize(
    ('known', 'message'),
    [
        ([(0, 0, 5)], 'scale and shift need two known points, got 1'),
        ([], 'scale and shift need two known points, got 0'),
        ([(0, 0, 5), (40, 3, 1)], r'\(40, 3\) is outside the image of 40 x 30 px'),
        ([(0, 0, 5), (3, 30, 1)], r'\(3, 30\) is outside the image of 40 x 30 px'),
        ([(-1, 0, 5), (39, 3, 1)], r'\(-1, 0\) is outside the image of 40 x 30 px'),
        ([(0, -1, 5), (39, 3, 1)], r'\(0, -1\) is outside the image of 40 x 30 px'),
        ([(5, 0, 5), (5, 9, 1), (5, 20, 2)], 'the prediction is the same at all 3 known points'),
        ([(0, 0, 1), (39, 0, 5)], r'contradict the prediction.*\(scale -0\.2\)'),
        ([(0, 0, 2), (39, 0, 2)], r'contradict the prediction.*\(scale 0\)'),
    ],
)
def test_points_that_tell_no_scale_are_refused(known, message):
    with pytest.raises(InputError, match=f'room: .*{message}'):
        of_map(output='relative').align(points(*known))


def test_rounding_is_no_difference_and_nan_no_prediction():
    values = np.array([[np.nextafter(np.float32(9), np.float32(10)), 9, np.nan]], np.float32)
    with pytest.raises(InputError, match='the prediction is the same at all 2 known'):
        of_map(values, 'relative').align(points((0, 0, 1), (1, 0, 2)))
    with pytest.raises(InputError, match=r'no finite prediction at known point \(2, 0\)'):
        of_map(values, 'relative').align(points((1, 0, 1), (2, 0, 2)))


@pytest.mark.parametrize('output', ['relative', 'disparity', 'depth'])
def test_what_is_near_is_bright(output):
    columns = of_map(output=output).colour_map()[0].sum(axis=1, dtype=float)
    steps = np.diff(columns if output != 'depth' else columns[::-1])
    assert (steps >= -1).all() and columns.max() - columns.min() > 500


def test_a_given_range_colours_frames_alike_of_depth_and_of_its_disparity():
    depth = of_map(RAMP, 'depth').colour_map(1, 5)
    disparity = of_map(1 / RAMP, 'disparity').colour_map(1 / 5, 1)
    for column in (0, -1):
        np.testing.assert_array_equal(depth[0, column], disparity[0, column])
    near, far = of_map(RAMP).colour_map(0, 10), of_map(RAMP + 1).colour_map(0, 10)
    step = np.abs(RAMP[0] - RAMP[0, 0] - 1).argmin()
    assert np.abs(near[:, step].astype(int) - far[:, 0]).max() <= 3
    in_part = of_map().colour_map(low=float(np.percentile(RAMP, 2)), high=9)
    np.testing.assert_array_equal(of_map().colour_map(high=9), in_part)
    assert not (near == of_map().colour_map()).all()


@pytest.mark.parametrize(
    ('width', 'drawn'), [(40, 240), (240, 240), (500, 500), (960, 960), (1920, 960)]
)
def test_plot_is_image_and_map_of_a_readable_width(width, drawn):
    values = np.linspace(1, 5, width, dtype=np.float32)[None].repeat(100, axis=0)
    plot = of_map(values).plot()
    height = round(100 * drawn / width)
    assert plot.size == (2 * drawn + GAP, height + LEGEND_HEIGHT)
    assert np.asarray(plot)[height // 2, drawn // 2].tolist() == [100, 100, 100]


@pytest.mark.parametrize('output', UNITS)
def test_plot_says_what_the_numbers_are(output):
    found = of_map(RAMP.repeat(10, axis=1), output)
    panel = depth_panel(found.image, None, found.map, UNITS[output] or RELATIVE)
    np.testing.assert_array_equal(found.plot(), panel)


def test_plot_of_labels_names_the_classes_that_are_there_and_that_of_both_has_three_columns():
    labels = LABELS.repeat(10, axis=0).repeat(10, axis=1)
    plot = np.asarray(of_labels(labels).plot())
    assert plot.shape == (300 + LINE_HEIGHT, 800 + GAP, 3)
    colours = set(map(tuple, plot[300:].reshape(-1, 3).tolist()))
    assert {PALETTE[0], PALETTE[2]} < colours and PALETTE[1] not in colours
    both = of_labels(map=RAMP, output='depth', unit='m', is_metric=True)
    plot = np.asarray(both.plot())
    assert plot.shape == (180 + LEGEND_HEIGHT, 3 * 240 + 2 * GAP, 3)
    assert plot[0, -1].tolist() == [30, 30, 205]


def test_classes_without_palette_have_colours_and_more_than_256_classes_are_told_apart():
    labels = np.array([[0, 1], [256, 257]], np.uint16)
    picture = of_labels(labels, classes=tuple(map(str, range(300))), palette=()).colour_map()
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) == 4


@pytest.mark.filterwarnings('ignore:depth beyond')
def test_each_format_holds_the_map(tmp_path):
    values = RAMP + np.arange(30, dtype=np.float32)[:, None]
    values[0, :2] = np.nan, np.inf
    for name in ('a.npy', 'a.PNG', 'a.ply'):
        of_map(values).save(str(tmp_path / name), field_of_view=60 if name == 'a.ply' else None)
    read = np.load(tmp_path / 'a.npy')
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, values)
    assert np.asarray(Image.open(tmp_path / 'a.PNG'))[-1, -1] == 34_000  # millimetres
    assert b'element vertex 1198\n' in (tmp_path / 'a.ply').read_bytes()
    of_map(output='relative').save(tmp_path / 'b.png')
    assert np.asarray(Image.open(tmp_path / 'b.png')).max() == 65535  # the whole range


@pytest.mark.parametrize('suffix', ['.npy', '.png'])
@pytest.mark.parametrize('labels', [LABELS, LABELS.astype(np.uint16) * 200])
def test_labels_are_saved_where_there_is_no_map(tmp_path, suffix, labels):
    path = tmp_path / f'a{suffix}'
    of_labels(labels).save(path)
    read = np.load(path) if suffix == '.npy' else np.asarray(Image.open(path))
    assert read.dtype == labels.dtype
    np.testing.assert_array_equal(read, labels)


def test_another_format_is_refused(tmp_path):
    for name in ('a.jpg', 'a', 'a.tif'):
        with pytest.raises(InputError, match=f'{name}: a map is saved as one of .npy, .pfm, .png'):
            of_map().save(tmp_path / name)
    for name in ('a.pfm', 'a.ply'):
        with pytest.raises(InputError, match=f'{name}: labels are saved as one of .npy, .png'):
            of_labels().save(tmp_path / name)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize('name', ['a.npy', 'a.pfm', 'a.png', 'a.ply', 'a.glb'])
def test_full_disk_leaves_nothing_behind(tmp_path, monkeypatch, name):
    def half_write(path, data):
        with path.open('wb') as file:
            file.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, 'write_bytes', half_write)
    with pytest.raises(InputError, match=rf'cannot write .*/{name}: No space left on device'):
        of_map().save(tmp_path / name, field_of_view=60)
    assert os.listdir(tmp_path) == []


def test_points_lie_at_their_depth_and_the_field_of_view_is_the_horizontal_one():
    """90 degrees over 40 px: fx = fy = 20, the axis at (19.5, 14.5)."""
    cloud = of_map(1 / RAMP, 'disparity').to_pointcloud(CAMERA)
    np.testing.assert_allclose(cloud.points[:, 2], RAMP.ravel(), rtol=1e-6)
    np.testing.assert_allclose(cloud.points[39], [39 / 40 * 5, 0, 5], rtol=1e-6)
    narrow = of_map().to_pointcloud(field_of_view=90)
    expected = of_map().to_pointcloud(Intrinsics(20, 20, 19.5, 14.5))
    np.testing.assert_allclose(narrow.points, expected.points, rtol=1e-6)


def test_names_and_colours_are_the_data_set_s_or_numbers_and_their_own():
    meta = dict(classes=['a', 'b'], palette=[[1, 2, 3], np.array([4, 5, 6])])
    assert classes_and_palette(meta, 2) == (('a', 'b'), ((1, 2, 3), (4, 5, 6)))
    for none in (None, meta):
        classes, palette = classes_and_palette(none, 3)
        assert classes == ('class 0', 'class 1', 'class 2')
        assert len(set(palette)) == 3 and palette == classes_and_palette(none, 3)[1]

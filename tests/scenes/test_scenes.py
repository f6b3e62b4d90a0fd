"""The scenes data set: exact labels and depth, the same bytes every time, whole or rewritten."""

import json
import math
import shutil
from unittest.mock import Mock

import cv2
import numpy as np
import pytest
from mmseg.datasets import NYUDataset

from mmdpt.errors import InputError
from mmdpt.scenes import (
    CLASSES,
    LABELS,
    intrinsics,
    render,
    render_sample,
    render_walk,
    write_scenes,
)
from mmdpt.scenes.geometry import Box, Camera, Rectangle, Sphere, occluded
from mmdpt.scenes.scene import Body, Light, Scene, Sky
from mmdpt.scenes.textures import TEXTURES, Texture
from mmdpt.scenes.writer import MARKER, encode_depth

SIZE = (64, 48)
ODD_SIZE = (65, 49)  # has a pixel on the optical axis
MIDDLE = (24, 32)
GREY = Texture('plain', (0.5, 0.5, 0.5))
LIGHT = Light((0.0, -5.0, 20.0), (0.5, 0.5, 0.5), (0.4, 0.4, 0.4))
SKY = Sky((0.2, 0.4, 0.8), (0.7, 0.8, 0.9), haze=300.0, clouds=0.5)
AHEAD = Camera((0.0, 0.0, 0.0), yaw=0.0, pitch=0.0, roll=0.0, size=ODD_SIZE)


def wall(distance):
    shape = Rectangle((0, distance, 0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0))
    return Body('wall', shape, GREY, casts_shadow=False)


def scene(*bodies, sky=SKY):
    return Scene(bodies, LIGHT, sky)


def back_project(depth, camera):
    """World points (H, W, 3) of a depth map, from its intrinsics, written out independently."""
    numbers = intrinsics(camera.size)
    v, u = np.mgrid[: depth.shape[0], : depth.shape[1]]
    x, y = (u - numbers['cx']) / numbers['fx'], (v - numbers['cy']) / numbers['fy']
    rays = np.stack([x, y, np.ones_like(x)], axis=-1) @ np.stack(camera.axes)
    return np.array(camera.position) + depth[..., None].astype(float) * rays


def contents(root):
    return {path.relative_to(root): path.read_bytes() for path in root.rglob('*') if path.is_file()}


@pytest.fixture(scope='module')
def written(tmp_path_factory):
    root = tmp_path_factory.mktemp('scenes')
    summary = write_scenes(root, num_train=4, num_val=2, size=SIZE, seed=3, workers=1)
    assert summary.written
    return root


def test_a_sphere_two_metres_ahead_stands_out_from_a_wall_at_z_depth_three():
    rendering = render(scene(wall(3.0), Body('ball', Sphere((0, 2, 0), 0.5), GREY)), AHEAD)
    assert rendering.depth[MIDDLE] == pytest.approx(1.5, abs=1e-6)
    # the outline of a sphere on the axis is a circle of tangent r / sqrt(d^2 - r^2)
    radius = 0.5 / math.sqrt(2**2 - 0.5**2) * AHEAD.focal
    v, u = np.mgrid[:49, :65]
    expected = np.hypot(u - 32, v - 24) < radius
    np.testing.assert_array_equal(rendering.labels == LABELS['ball'], expected)
    np.testing.assert_array_equal(rendering.labels == LABELS['wall'], ~expected)
    np.testing.assert_allclose(rendering.depth[~expected], 3.0, atol=1e-6)


def test_the_first_of_two_bodies_wins_whatever_their_order():
    near = Body('cabinet', Box((0, 2.0, 0), (0.4, 0.5, 0.3)), GREY)
    far = Body('ball', Sphere((0, 4.0, 0), 0.5), GREY)
    for bodies in ((near, far, wall(6.0)), (wall(6.0), far, near)):
        rendering = render(scene(*bodies), AHEAD)
        assert rendering.depth[MIDDLE] == pytest.approx(1.5, abs=1e-6)
        assert rendering.labels[MIDDLE] == LABELS['cabinet']
        # front face: |x| <= 0.4 at 1.5 m
        row = rendering.labels[24] == LABELS['cabinet']
        half = 0.4 / 1.5 * AHEAD.focal
        np.testing.assert_array_equal(row, np.abs(np.arange(65) - 32) <= half)


def test_a_box_turned_by_45_degrees_shows_its_edge():
    box = Body('cabinet', Box((0, 3.0, 0), (0.5, 0.5, 0.5), yaw=math.pi / 4), GREY)
    depth = render(scene(wall(6.0), box), AHEAD).depth
    assert depth[MIDDLE] == pytest.approx(3.0 - 0.5 * math.sqrt(2), abs=1e-6)
    # right of the edge the face is the line y = edge + x: z = edge / (1 - tangent)
    expected = (3.0 - 0.5 * math.sqrt(2)) / (1 - 4 / AHEAD.focal)
    assert depth[24, [28, 36]] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize('index', range(4))
def test_back_projected_points_of_a_drawn_scene_lie_on_a_body_of_their_class(index):
    view, rendering = render_sample(0, 'training', index, SIZE)
    points = back_project(rendering.depth, view.camera).reshape(-1, 3)
    labels, depth = rendering.labels.ravel(), rendering.depth.ravel()
    nearest = np.full(labels.shape, np.inf)
    for body in view.scene.bodies:
        own = labels == LABELS[body.category]
        nearest[own] = np.minimum(nearest[own], distance_to(body.shape, points[own]))
    valid = np.nan_to_num(depth, nan=np.inf) < 30
    assert valid.mean() > 0.3
    assert nearest[valid].max() < 1e-4
    np.testing.assert_array_equal(np.isnan(depth), labels == LABELS['sky'])


@pytest.mark.parametrize('index', range(4))
def test_a_walk_sees_the_same_bodies_from_places_ahead(index):
    view, first = render_sample(0, 'training', index, SIZE)
    cameras, frames = zip(*render_walk(0, 'training', index, SIZE), strict=True)
    assert len(frames) == 60
    np.testing.assert_array_equal(frames[0].image, first.image)
    places = np.array([camera.position for camera in cameras])
    assert np.linalg.norm(np.diff(places, axis=0), axis=1).max() < 0.03
    assert 1.1 < np.linalg.norm(places[-1] - places[0]) < 1.3
    assert min(np.nanmin(frame.depth) for frame in frames) > 0.3
    last = frames[-1].depth
    points = back_project(last, cameras[-1])[np.nan_to_num(last, nan=np.inf) < 30]
    distances = [distance_to(body.shape, points) for body in view.scene.bodies]
    assert np.min(distances, axis=0).max() < 1e-4


def distance_to(shape, points):
    """Distance of points (n, 3) from a surface, independent of the ray caster."""
    if isinstance(shape, Rectangle):
        axes = np.array([shape.axis_u, shape.axis_v])
        offset = points - np.array(shape.point)
        inside = np.clip(offset @ axes.T, *np.transpose([shape.range_u, shape.range_v]))
        return np.linalg.norm(offset - inside @ axes, axis=1)
    offset = points - np.array(shape.centre)
    if isinstance(shape, Sphere):
        return np.abs(np.linalg.norm(offset, axis=1) - shape.radius)
    cos, sin = math.cos(shape.yaw), math.sin(shape.yaw)
    local = offset @ np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    outside = np.abs(local) - np.array(shape.half)
    inwards = np.abs(np.minimum(outside.max(axis=1), 0))
    return np.linalg.norm(np.maximum(outside, 0), axis=1) + inwards


def test_a_body_between_a_point_and_the_light_puts_it_in_shadow():
    points = np.array([[0.0, 0.0, -2.0], [2.0, 0.0, -2.0], [0.0, 0.0, 1.0]]).T
    to_light = np.array([[0.0, 0.0, 10.0]] * 3).T
    for shape in (Sphere((0, 0, 0), 0.5), Box((0, 0, 0.1), (0.5, 0.5, 0.5), yaw=0.3)):
        assert occluded(points, to_light, [shape]).tolist() == [True, False, False]
    assert not occluded(points, to_light, [Sphere((0, 0, 12), 0.5)]).any()  # behind the light


def test_a_room_is_closed_and_a_scene_without_sky_says_so_if_not():
    with pytest.raises(ValueError, match='no sky'):
        render(scene(Body('ball', Sphere((0, 2, 0), 0.5), GREY), sky=None), AHEAD)
    for index in range(0, 20, 2):
        view, rendering = render_sample(1, 'training', index, (16, 12))
        assert view.scene.sky is None
        assert np.isfinite(rendering.depth).all()


@pytest.mark.parametrize('kind', TEXTURES)
def test_a_texture_is_in_range_repeatable_and_smooth_from_afar(kind):
    texture = Texture(kind, (0.6, 0.5, 0.4), (0.1, 0.1, 0.3), scale=0.3, place=(3.0, 5.0))
    u, v = np.random.default_rng(0).uniform(-5, 5, (2, 2000))
    near = texture.colours(u, v, np.full(2000, 0.002))
    assert near.shape == (3, 2000)
    assert near.min() >= 0 and near.max() <= 1
    np.testing.assert_array_equal(near, texture.colours(u, v, np.full(2000, 0.002)))
    assert near.std(axis=1).max() > 0.005
    if kind != 'beach_ball':  # never far enough to shimmer
        far = texture.colours(u, v, np.full(2000, 50.0))
        assert far.std(axis=1).max() < 0.02


def test_every_class_is_in_the_first_images_of_both_splits_with_a_fair_share():
    for split in ('training', 'validation'):
        labels = [render_sample(0, split, k, (32, 24))[1].labels for k in range(40)]
        shares = np.bincount(np.ravel(labels), minlength=len(CLASSES) + 1) / np.size(labels)
        assert shares[0] == 0 and shares.max() < 0.25
        assert shares[1:].min() > 0.01, dict(zip(CLASSES, shares[1:], strict=True))


def test_one_and_two_processes_write_the_same_bytes_and_a_second_call_nothing(written, tmp_path):
    done = []
    write_scenes(tmp_path, 4, 2, SIZE, seed=3, workers=2, progress=lambda *n: done.append(n))
    assert contents(tmp_path) == contents(written)
    assert done == [(n, 6) for n in range(1, 7)]
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob('*')}
    assert not write_scenes(tmp_path, 4, 2, SIZE, seed=3, workers=1).written
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob('*')} == before


def test_an_image_does_not_depend_on_how_many_there_are_but_on_the_seed(written, tmp_path):
    name = 'images/training/scene_00000001.jpg'
    write_scenes(tmp_path / 'few', 1, 1, SIZE, seed=3, workers=1)
    write_scenes(tmp_path / 'other', 1, 1, SIZE, seed=4, workers=1)
    expected = (written / name).read_bytes()
    assert (tmp_path / 'few' / name).read_bytes() == expected
    assert (tmp_path / 'other' / name).read_bytes() != expected
    train, val = (render_sample(0, split, 0, SIZE)[1] for split in ('training', 'validation'))
    assert (train.depth != val.depth).any()


def test_files_hold_what_was_rendered(written):
    def read(name):
        return cv2.imread(str(written / name), cv2.IMREAD_UNCHANGED)

    for split, nyu, number, count in (('training', 'train', 1, 4), ('validation', 'test', 2, 2)):
        for k in range(count):
            view, rendering = render_sample(3, split, k, SIZE)
            name = f'{split}/scene_{k + 1:08d}'
            nyu_name = f'{nyu}/{view.place}_{number:04d}_{k + 1:05d}'
            image = read(f'images/{name}.jpg')[..., ::-1].astype(float)
            assert np.abs(image - rendering.image).mean() < 6
            labels = read(f'annotations/{name}.png')
            stored = read(f'nyu/annotations/{nyu_name}.png')
            assert labels.dtype == np.uint8 and stored.dtype == np.uint16
            np.testing.assert_array_equal(labels, rendering.labels)
            invalid = ~(rendering.depth < 65.5355)
            np.testing.assert_array_equal(stored == 0, invalid)
            assert np.abs(stored / 1000.0 - rendering.depth)[~invalid].max() <= 0.0005 + 1e-5
            same = (written / f'nyu/images/{nyu_name}.jpg').read_bytes()
            assert same == (written / f'images/{name}.jpg').read_bytes()
    focal = pytest.approx(32 / math.tan(math.radians(30)))
    numbers = json.loads((written / 'intrinsics.json').read_text())
    assert numbers == dict(fx=focal, fy=focal, cx=31.5, cy=23.5)
    # depth is in millimetres with zero for none
    depth = np.array([[1.2344, 0.0006, 65.5351, 65.6, np.nan]], dtype=np.float32)
    assert encode_depth(depth).tolist() == [[1234, 1, 65535, 0, 0]]


def test_mmseg_nyu_dataset_reads_the_nyu_layout(written):
    load_depth = dict(type='mmseg.LoadDepthAnnotation', depth_rescale_factor=1e-3)
    dataset = NYUDataset(
        data_root=str(written / 'nyu'),
        data_prefix=dict(img_path='images/train', depth_map_path='annotations/train'),
        pipeline=[dict(type='mmseg.LoadImageFromFile'), load_depth],
    )
    assert len(dataset) == 4
    categories = [dataset.get_data_info(k)['category_id'] for k in range(4)]
    playroom = NYUDataset.METAINFO['classes'].index('playroom')
    assert categories == [playroom, playroom, -1, -1]
    depth = render_sample(3, 'training', 0, SIZE)[1].depth
    np.testing.assert_allclose(dataset[0]['gt_depth_map'], depth, atol=6e-4)


@pytest.mark.parametrize('damage', ['another data set', 'no marker', 'half a marker', 'file gone'])
def test_another_or_half_written_data_set_is_written_again(damage, written, tmp_path):
    if damage == 'another data set':
        write_scenes(tmp_path, 5, 3, SIZE, seed=9, workers=1)
    else:
        shutil.copytree(written, tmp_path, dirs_exist_ok=True)
    if damage == 'no marker':
        (tmp_path / MARKER).unlink()
        (tmp_path / 'images/training/scene_00000002.jpg').write_bytes(b'half')
    elif damage == 'half a marker':
        (tmp_path / MARKER).write_text('{"version"')
    elif damage == 'file gone':
        (tmp_path / 'annotations/training/scene_00000002.png').unlink()
    assert write_scenes(tmp_path, 4, 2, SIZE, seed=3, workers=1).written
    assert contents(tmp_path) == contents(written)


@pytest.mark.parametrize('workers', [1, 2])
def test_an_interrupted_run_leaves_no_marker(workers, tmp_path):
    interrupt = Mock(side_effect=KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        write_scenes(tmp_path, 4, 1, SIZE, workers=workers, progress=interrupt)
    assert not (tmp_path / MARKER).exists()


def test_files_of_another_data_set_are_refused_and_kept(tmp_path):
    other = tmp_path / 'images/training/ADE_train_00000001.jpg'
    other.parent.mkdir(parents=True)
    other.write_bytes(b'precious')
    with pytest.raises(InputError, match='ADE_train_00000001'):
        write_scenes(tmp_path, 1, 1, SIZE, workers=1)
    assert other.read_bytes() == b'precious'
    assert not (tmp_path / 'annotations').exists()


def test_a_bad_argument_class_or_texture_is_named(tmp_path):
    counts = dict(num_train=0, num_val=-1, seed=-1, workers=0)
    for name, wrong in (*counts.items(), ('size', (0, 9)), ('size', (9, -1))):
        arguments = dict(num_train=1, num_val=1, size=SIZE) | {name: wrong}
        with pytest.raises(ValueError, match=name):
            write_scenes(tmp_path / 'new', **arguments)
        assert not (tmp_path / 'new').exists()
    with pytest.raises(ValueError, match='zebra'):
        Body('zebra', Sphere((0, 2, 0), 0.5), GREY)
    with pytest.raises(ValueError, match='velvet'):
        Texture('velvet', (0.5, 0.5, 0.5))

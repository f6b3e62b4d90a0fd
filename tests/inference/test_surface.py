"""Normals are those of rendered surfaces; meshes stop at depth edges and carry the picture."""

import dataclasses
import io

import cv2
import numpy as np
import pytest
import trimesh

from mmdpt.errors import InputError
from mmdpt.evaluation.surface import depth_edges, surface_normals
from mmdpt.inference.mesh import Mesh
from mmdpt.inference.point_cloud import Intrinsics
from mmdpt.inference.prediction import Prediction
from mmdpt.scenes import render_sample
from mmdpt.scenes.geometry import Sphere, trace
from mmdpt.visualization.depth import colourise_normals

SIZE = (161, 120)


@pytest.fixture(scope='module', params=[0, 1], ids=['room', 'street'])
def rendered(request):
    """Depth, intrinsics, exact normals in the camera's axes, and the body in every pixel."""
    view, rendering = render_sample(3, 'validation', request.param, SIZE)
    camera, bodies = view.camera, view.scene.bodies
    depth, index = trace(camera, [body.shape for body in bodies])
    points = np.array(camera.position)[:, None, None] + depth * camera.rays()
    world = np.full((3, *depth.shape), np.nan)
    for number, body in enumerate(bodies):
        world[:, index == number] = body.shape.surface(points[:, index == number]).normal
    exact, rays = (
        np.stack([np.tensordot(axis, vectors, 1) for axis in camera.axes], axis=-1)
        for vectors in (world, camera.rays())
    )
    exact *= -np.sign((exact * rays).sum(-1, keepdims=True))
    intrinsics = Intrinsics(camera.focal, camera.focal, *camera.principal_point)
    round_ = [number for number, body in enumerate(bodies) if isinstance(body.shape, Sphere)]
    return rendering.depth, intrinsics, exact, index, np.isin(index, round_)


def test_normals_of_rendered_planes_are_exact(rendered):
    """Where two neighbours to a side and two above or below lie on the plane, within 1 degree."""
    depth, intrinsics, exact, index, is_round = rendered
    got = surface_normals(depth, intrinsics)
    assert got.dtype == np.float32
    angles = np.degrees(np.arccos(np.clip((got * exact).sum(-1), -1, 1)))
    planes = ~is_round & np.isfinite(depth)
    face = np.concatenate([exact, index[..., None]], axis=-1)  # of which body, and side of a box
    padded = np.pad(np.where(planes[..., None], face, 9), ((2, 2), (2, 2), (0, 0)))
    height, width = depth.shape
    inside = planes.copy()
    for shift in (-2, -1, 1, 2):
        for rows, columns in ((2 + shift, 2), (2, 2 + shift)):
            shifted = padded[rows : rows + height, columns : columns + width]
            inside &= np.abs(shifted - face).max(-1) < 1e-6
    assert inside.mean() > 0.3
    assert angles[inside].max() < 0.1
    assert np.mean(angles[planes] < 1) > 0.9  # the rest: strips of a pixel, rims of planes
    assert np.isnan(got[~np.isfinite(depth)]).all()
    assert np.median(angles[is_round & np.isfinite(angles)]) < 2


@pytest.mark.parametrize('size', [(60, 80), (61, 83)])
def test_normals_of_an_enlarged_map_have_no_stripes(size):
    """A floor below, a wall ahead; a bilinear map of depth is no plane between predicted pixels."""
    rows = (np.arange(size[0]) + 0.5) / size[0] * 480 - 0.5
    slope = np.where(rows < 240, 0.0, (rows - 240) / 500)[:, None].repeat(size[1], axis=1)
    depth = cv2.resize(1 / (0.2 + slope), (640, 480))
    camera = Intrinsics(500, 500, 319.5, 239.5)
    exact = -np.array([0, 1, 0.2 - 0.5 / 500]) / np.hypot(1, 0.2 - 0.5 / 500)
    normals, striped = (surface_normals(depth, camera, how) for how in (size, None))
    angles = np.degrees(np.arccos(np.clip(normals @ exact, -1, 1)))
    assert angles[270:-6].max() < 1
    np.testing.assert_array_equal(normals[:220], np.broadcast_to([0, 0, -1], (220, 640, 3)))
    change, jumps = (
        np.abs(np.diff(each[270:-6, 100], axis=0)).sum() for each in (normals, striped)
    )
    assert change < 0.05 < 0.5 < jumps


def test_holes_of_an_enlarged_map_stay_and_their_rims_have_normals():
    depth = np.full((60, 80), 2.0)
    depth[20:30, 30:50] = np.nan
    normals = surface_normals(depth, Intrinsics(50, 50, 39.5, 29.5), (15, 20))
    np.testing.assert_array_equal(np.isnan(normals).any(-1), np.isnan(depth))
    np.testing.assert_allclose(normals[~np.isnan(depth)], [[0, 0, -1]] * 4600, atol=1e-6)


def test_colours_of_normals_are_right_up_and_towards_the_camera():
    normals = np.array([[[1, 0, 0], [0, -1, 0], [0, 0, -1], [np.nan] * 3]])
    expected = [[255, 128, 128], [128, 255, 128], [128, 128, 255], [0, 0, 0]]
    np.testing.assert_array_equal(colourise_normals(normals)[0], expected)


def test_edges_are_where_near_meets_far_and_not_on_steep_planes():
    rows = np.arange(1, 61, dtype=np.float32)[:, None]
    floor = (100 / rows).repeat(80, axis=1)  # twice as far from the second row to the first
    assert not depth_edges(floor).any()
    step = np.where(np.arange(80) < 40, 2, 2 * 1.06).astype(np.float32)[None].repeat(60, axis=0)
    assert np.flatnonzero(depth_edges(step)[30]).tolist() == [38, 39, 40, 41]
    assert not depth_edges(step, threshold=0.04).any()
    slide = np.interp(np.arange(80), [38, 42], [2.0, 4.0])[None].repeat(60, axis=0)
    assert depth_edges(slide)[30, 38:41].all()
    assert not depth_edges(slide, np.inf).any()
    slide[:, 38:43] = np.nan
    assert not depth_edges(slide)[:, :36].any()
    with pytest.raises(InputError, match='edge threshold must be positive, got nan'):
        depth_edges(step, np.nan)


def prediction(depth, **fields):
    image = np.random.default_rng(0).integers(0, 256, (*depth.shape, 3), np.uint8)
    return Prediction(image, 'room', depth, 'depth', 'm', True, **fields)


DEPTH = np.where(np.arange(30) < 15, 2.0, 4.0).astype(np.float32)[None].repeat(20, axis=0)
CAMERA = Intrinsics(40, 50, 14.5, 9.5)


def test_mesh_is_two_sheets_that_face_the_camera_with_the_picture_on_them(tmp_path):
    image = np.linspace(0, 255, 30 * 20 * 3).astype(np.uint8).reshape(20, 30, 3)
    room = dataclasses.replace(prediction(DEPTH, camera=CAMERA), image=image)
    room.save(tmp_path / 'a.glb')
    scene = trimesh.load(io.BytesIO((tmp_path / 'a.glb').read_bytes()), file_type='glb')
    (mesh,) = scene.geometry.values()
    assert len(mesh.split(only_watertight=False)) == 2
    assert len(mesh.vertices) == 26 * 20 and len(mesh.faces) == 2 * 2 * 12 * 19
    np.testing.assert_allclose(mesh.face_normals, [[0, 0, 1]] * len(mesh.faces), atol=1e-6)
    first = mesh.vertices[0]  # y up, z backward
    np.testing.assert_allclose(first, [-14.5 / 40 * 2, 9.5 / 50 * 2, -2], rtol=1e-6)
    colours = mesh.visual.to_color().vertex_colors[:, :3]
    pixels = room.to_mesh().pixels
    drawn = room.image[pixels[:, 1], pixels[:, 0]].astype(int)
    assert np.abs(colours - drawn).max() < 12  # JPEG
    assert len(room.to_mesh(edge_threshold=np.inf).vertices) == 30 * 20
    # points on edges stay in clouds until a threshold is given
    assert len(room.to_pointcloud().points) == 30 * 20
    assert len(room.to_pointcloud(edge_threshold=0.02).points) == 26 * 20


def test_a_smaller_mesh_has_the_same_shape_and_spans_no_edge(tmp_path):
    depth = np.where(np.arange(300) < 150, 2.0, 4.0).astype(np.float32)[None].repeat(200, axis=0)
    depth[77, 40] = depth[31, 260:] = np.nan  # thinner than the grid's cells
    room = prediction(depth, camera=Intrinsics(400, 400, 150, 100))
    whole, part = room.to_mesh(max_vertices=np.inf), room.to_mesh(max_vertices=2000)
    assert len(whole.vertices) > 50_000 and 1500 < len(part.vertices) <= 2000
    for mesh in (whole, part):
        corners = mesh.vertices[mesh.faces]
        assert np.ptp(corners[..., 2], axis=1).max() == 0  # no face from one sheet to the other
        low, high = (bound(mesh.pixels[mesh.faces], axis=1) for bound in (np.min, np.max))
        for column, row in [(40, 77), *((column, 31) for column in range(260, 300))]:
            strictly = ((low < (column, row)) & (high > (column, row))).all(axis=1)
            assert not strictly.any()
        assert mesh.pixels.min() == 0 and (mesh.pixels.max(axis=0) == (299, 199)).all()
    np.testing.assert_array_equal(  # vertices are the pixels' own points
        part.vertices, room.camera.place(depth, part.pixels[:, 1], part.pixels[:, 0])
    )
    room.save(tmp_path / 'a.glb', max_vertices=2000)
    assert len(trimesh.load_mesh(tmp_path / 'a.glb').vertices) == len(part.vertices)
    with pytest.raises(InputError, match='at least 4 vertices, got nan'):
        room.to_mesh(max_vertices=np.nan)
    lonely = np.full((4, 4), np.nan)
    lonely[::2, ::2] = 1
    with pytest.raises(InputError, match='no three neighbours have a positive depth'):
        Mesh.from_depth(lonely, np.zeros((4, 4, 3), np.uint8), CAMERA)


def test_sky_of_a_mask_or_a_class_is_left_out(tmp_path):
    sky = np.zeros(DEPTH.shape, bool)
    sky[:10] = True
    labelled = dict(labels=sky.astype(np.uint8), classes=('wall', 'sky'))
    for fields in (dict(sky=sky), labelled):
        room = prediction(DEPTH, camera=CAMERA, **fields)
        assert len(room.to_pointcloud().points) == 30 * 10
        assert room.to_mesh().pixels[:, 1].min() == 10
        normals = room.normals()
        assert np.isnan(normals[:10]).all() and np.isfinite(normals[10:]).all()
    prediction(DEPTH, sky=sky).save_sky(tmp_path / 'sky.npy')
    room.save_normals(tmp_path / 'normals.npy')
    np.testing.assert_array_equal(np.load(tmp_path / 'sky.npy'), sky)
    np.testing.assert_array_equal(np.load(tmp_path / 'normals.npy'), normals)

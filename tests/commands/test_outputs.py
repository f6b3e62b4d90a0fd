"""A prediction becomes the files that were asked for, under names that cannot meet."""

import dataclasses
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmdpt.commands.prediction.outputs import NUMBERS, PICTURES, Outputs
from mmdpt.commands.prediction.run import choose_model
from mmdpt.errors import InputError
from mmdpt.inference.point_cloud import Intrinsics
from mmdpt.inference.prediction import Prediction

EVERYTHING = (*PICTURES, *NUMBERS)
RAMP = np.linspace(1, 4, 12, dtype=np.float32).reshape(3, 4)
STEP = np.array([[1, 2, 2, 2]] * 3, np.float32)
LABELS = (np.arange(12, dtype=np.uint8) % 2).reshape(3, 4)
MAP = dict(map=RAMP, output='depth', unit='m', is_metric=True)
CLASSES = dict(labels=LABELS, classes=('wall', 'floor'), palette=((200, 0, 0), (0, 0, 200)))


def prediction(name='a', **parts):
    image, parts = np.full((3, 4, 3), 128, np.uint8), parts or MAP
    return Prediction(image=image, name=name, camera=Intrinsics(2, 2, 0, 0), **parts)


def outputs(folder, kinds=EVERYTHING, edge_threshold=np.inf):  # the ramp is all edge
    return Outputs(folder, kinds, edge_threshold)


DEPTH_FILES = {
    *('a_colour.jpg', 'a_side-by-side.jpg', 'a_depth.png', 'a_depth.pfm', 'a_depth.npy'),
    *('a_points.ply', 'a_mesh.glb', 'a_normals.png', 'a_normals.npy'),
}
LABEL_FILES = {'a_overlay.jpg', 'a_labels.png', 'a_labels.npy'}
NORMALS = dict(own_normals=np.full((3, 4, 3), 0.5, np.float32))


@pytest.mark.parametrize(
    ('parts', 'expected'),
    [
        (MAP, DEPTH_FILES),
        (MAP | CLASSES, DEPTH_FILES | LABEL_FILES),
        (MAP | dict(sky=RAMP > 3), DEPTH_FILES | {'a_sky.png', 'a_sky.npy'}),
        (CLASSES, LABEL_FILES | {'a_side-by-side.jpg'}),
        (NORMALS, {'a_colour.jpg', 'a_side-by-side.jpg', 'a_normals.png', 'a_normals.npy'}),
    ],
)
def test_every_kind_of_file(tmp_path, parts, expected):
    kinds = EVERYTHING if 'map' in parts else ('colour', 'side-by-side', 'png', 'npy')
    asked = outputs(tmp_path, kinds)
    written = asked.write(prediction(**parts))
    assert {f'a_{ending}' for ending, _ in asked.files(prediction(**parts))} == expected
    assert {path.name for path in written} == set(os.listdir(tmp_path)) == expected
    assert len(written) == len(expected)


def test_name_says_what_the_numbers_are_and_files_of_different_names_differ(tmp_path):
    """Even of names that end as a kind of file does: each ending has one underscore, its first."""
    for output in ('depth', 'disparity', 'relative'):
        [path] = outputs(tmp_path, ['npy']).write(prediction(map=RAMP, output=output))
        assert path == tmp_path / f'a_{output}.npy'
    paths, names = [], ('a', 'a_depth', 'a_depth_depth', 'a_colour', 'a_labels_colour')
    for name in names:
        paths += outputs(tmp_path).write(prediction(name, **MAP, **CLASSES))
    assert len(set(paths)) == len(paths) == 12 * len(names)


def test_picture_and_numbers_are_those_of_the_prediction(tmp_path):
    found = prediction(**MAP, **CLASSES)
    outputs(tmp_path).write(found, pictures=False)
    assert len(os.listdir(tmp_path)) == 9 and not list(tmp_path.glob('*.jpg'))
    outputs(tmp_path).write(found)
    np.testing.assert_array_equal(np.load(tmp_path / 'a_depth.npy'), RAMP)
    np.testing.assert_array_equal(np.load(tmp_path / 'a_labels.npy'), LABELS)
    with Image.open(tmp_path / 'a_colour.jpg') as picture:
        np.testing.assert_allclose(np.asarray(picture), found.colour_map(), atol=25)
    with Image.open(tmp_path / 'a_overlay.jpg') as picture:
        red, blue = (0.7 * np.array(c) + 0.3 * 128 for c in CLASSES['palette'])
        np.testing.assert_allclose(np.asarray(picture)[0, :2], [red, blue], atol=25)


def test_camera_and_edge_threshold_reach_the_point_cloud(tmp_path):
    outputs(tmp_path, ['ply']).write(prediction())
    header, _, body = (tmp_path / 'a_points.ply').read_bytes().partition(b'end_header\n')
    # Pixel (3, 2), depth 4 m: 3 / 2 * 4, 2 / 2 * 4
    np.testing.assert_allclose(np.frombuffer(body[-15:-3], '<f4'), [6, 4, 4], rtol=1e-6)
    outputs(tmp_path, ['ply'], edge_threshold=0.1).write(prediction(**MAP | dict(map=STEP)))
    assert b'element vertex 12' in header
    assert b'element vertex 3\n' in (tmp_path / 'a_points.ply').read_bytes()


def test_an_unknown_camera_or_a_picture_too_long_for_jpeg_leaves_no_file(tmp_path):
    unknown = dataclasses.replace(prediction(), camera=None)
    with pytest.raises(InputError, match='a: the camera is not known'):
        outputs(tmp_path).write(unknown)
    line = np.ones((1, 70_000), np.float32)
    found = Prediction(np.zeros((1, 70_000, 3), np.uint8), 'line', line, 'depth', 'm', True)
    with pytest.raises(InputError, match=r'line_colour\.jpg: 70000 x 1 px are no JPEG') as raised:
        outputs(tmp_path, ['colour']).write(found)
    assert raised.value.__cause__ is None  # the disk has nothing to do with it
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ('kinds', 'edges', 'message'),
    [
        (['colors'], {}, r"png, pfm, npy, ply, glb, normals, got \['colors'\]"),
        ([], {}, r'got \[\]'),
        (['glb'], dict(edge_threshold=0.0), 'edge threshold must be positive, got 0.0'),
        (['glb'], dict(max_vertices=3), 'at least 4 vertices, got 3'),
    ],
)
def test_wrong_request_and_a_mesh_without_trimesh_are_refused_at_once(
    monkeypatch, kinds, edges, message
):
    with pytest.raises(InputError, match=message):
        Outputs(Path('out'), kinds, **edges)
    monkeypatch.setitem(sys.modules, 'trimesh', None)
    with pytest.raises(InputError, match=r"needs trimesh: pip install 'mmdpt\[mesh\]'"):
        outputs(Path('out'), ['glb'])


@pytest.mark.parametrize(
    ('kind', 'output', 'message'),
    [
        ('pfm', None, 'predicts labels, which are not written as pfm'),
        ('ply', None, 'predicts labels, which are not written as ply'),
        ('glb', 'normals', 'predicts normals, which are not written as glb'),
        *((kind, 'relative', 'align it to known points') for kind in ('ply', 'glb', 'normals')),
    ],
)
def test_model_that_cannot_give_a_kind_is_refused(tmp_path, kind, output, message):
    with pytest.raises(InputError, match=message):
        outputs(tmp_path, [kind]).check_model(output)
    outputs(tmp_path).check_model('depth')
    outputs(tmp_path, ['pfm']).check_model('relative')
    outputs(tmp_path, ['png', 'npy']).check_model(None)
    outputs(tmp_path, ['png', 'npy', 'normals']).check_model('normals')


@pytest.mark.parametrize(
    ('named', 'expected'),
    [
        (dict(), ('dpt-hybrid-midas', None)),
        (dict(release='dpt-large-ade20k'), ('dpt-large-ade20k', None)),
        (dict(release='dpt-large-ade20k', checkpoint='k.pt'), ('dpt-large-ade20k', 'k.pt')),
        (dict(config='c.py', checkpoint='k.pth'), ('c.py', 'k.pth')),
    ],
)
def test_model_and_weights(named, expected):
    assert choose_model(**named) == expected


@pytest.mark.parametrize(
    ('named', 'message'),
    [
        (dict(release='dpt-lage-midas'), 'is named dpt-lage-midas; the nearest names: dpt-large-m'),
        (dict(release='dpt_hybrid-ti16_scenes'), 'no released model is named dpt_hybrid-ti16'),
        (dict(config='c.py'), 'the weights of config c.py are missing'),
        (dict(checkpoint='k.pth'), 'the config of checkpoint k.pth is missing'),
    ],
)
def test_model_without_weights_or_config_is_refused(named, message):
    with pytest.raises(InputError, match=message):
        choose_model(**named)

"""Every image of a source is predicted; a bad one takes no other along, a bad command no time."""

import errno
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from PIL import Image

from mmdpt.commands.prediction.outputs import Outputs
from mmdpt.commands.prediction.run import predict
from mmdpt.errors import InputError
from mmdpt.files import atomic
from mmdpt.inference.focal import Camera
from mmdpt.inference.point_cloud import Intrinsics
from mmdpt.inference.prediction import Prediction

CLASSES = ('wall', 'floor', 'sky')


class Model:
    """Predicts the red channel, and refuses what is narrower than 4 px."""

    gives_normals = False

    def __init__(self, output='relative', fail=lambda names: None):
        self.fail = fail
        self.camera = Camera()
        head = dict(output=output, canonical_focal=None, predictor=SimpleNamespace(sky=None))
        self.depth_head = SimpleNamespace(**head) if output else None
        self.segments = output is None
        self.output = output
        self.batches = []

    def predict_images(self, images, names, sources=()):
        self.fail(list(names))
        self.batches.append(list(names))
        self.sources = list(sources)
        print('chatter of a library')
        for image, name in zip(images, names, strict=True):
            if image.shape[1] < 4:
                raise InputError(f'cannot prepare image {name}')
        return [self._predict(*each) for each in zip(images, names, strict=True)]

    def _predict(self, image, name):
        red = image[..., 0]
        if self.output is None:
            return Prediction(image, name, labels=red % 3, classes=CLASSES)
        unit = {'relative': '', 'disparity': '1/m', 'depth': 'm'}[self.output]
        known = dict(camera=Intrinsics(6, 6, 3, 2), focal='6 px (EXIF)')
        values = red.astype(np.float32)
        return Prediction(image, name, values, self.output, unit, bool(unit), **known)


@pytest.fixture
def folder(tmp_path):
    """Pictures a, b and c of 6 x 5 px, whose red goes from 10 to 39, 20 to 49 and 30 to 59."""
    root = tmp_path / 'in'
    root.mkdir()
    for index, name in enumerate('abc'):
        draw(root / f'{name}.png', first=10 * (index + 1))
    return root


@pytest.fixture
def out(tmp_path):
    return tmp_path / 'out'


def draw(path, first=10, size=(6, 5)):
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    pixels[..., 0] = first + np.arange(size[0] * size[1]).reshape(size[1], size[0])
    Image.fromarray(pixels).save(path)


def points(path, *rows):
    path.write_text('\n'.join(['column,row,depth', *rows]))
    return str(path)


def raises(error, *single):
    """Fail for batches of more than one image, and for those of some names."""

    def fail(names):
        if len(names) > 1 or names[0] in single:
            raise error

    return fail


def run(source, out, model=None, kinds=('npy',), **options):
    return predict([str(source)], Outputs(out, kinds), lambda: model or Model(), **options)


@pytest.mark.parametrize(
    ('batch_size', 'batches'), [(1, ['a', 'b', 'c']), (2, ['ab', 'c']), (9, ['abc'])]
)
def test_every_image_is_predicted_in_batches_and_counted(folder, out, capsys, batch_size, batches):
    model = Model()
    assert run(folder, out, model, ('npy', 'png'), batch_size=batch_size) == 0
    assert model.batches == [list(batch) for batch in batches]
    assert len(os.listdir(out)) == 6
    np.testing.assert_array_equal(np.load(out / 'b_relative.npy').ravel(), np.arange(20, 50))
    printed = capsys.readouterr()
    summary = f'3 images: 6 files in {out}; relative disparity (larger is closer, no unit)\n'
    assert printed.out.endswith(summary) and printed.err == ''


def test_line_of_json_says_what_was_predicted(folder, out, capsys):
    """And nothing else is on standard output, whatever a library prints there."""
    before = sys.stdout
    assert run(folder, out, Model('depth'), as_json=True) == 0
    assert sys.stdout is before
    printed = capsys.readouterr()
    first, *others = map(json.loads, printed.out.splitlines())
    assert first.pop('seconds') >= 0
    kind = dict(output='depth', unit='m', is_metric=True)
    numbers = dict(size=[6, 5], min=10, median=24.5, max=39)
    files = dict(source=str(folder / 'a.png'), name='a', files=[str(out / 'a_depth.npy')])
    assert first == kind | numbers | files
    assert [line['name'] for line in others] == ['b', 'c']
    assert printed.err.endswith(f'3 images: 3 files in {out}; depth [m]\n')


def test_line_of_json_has_the_shares_of_the_classes_and_of_no_number_none(tmp_path, out, capsys):
    """Of 35 numbers from 10 on: 1 mod 3 comes first."""
    draw(tmp_path / 'a.png', size=(5, 7))
    blank, values = Model('depth'), np.full((7, 5), np.nan, np.float32)
    blank._predict = lambda image, name: Prediction(image, name, values, 'depth', 'm', True)
    for model in (Model(None), blank):
        assert run(tmp_path / 'a.png', out, model, as_json=True) == 0
    labels, nothing = map(json.loads, capsys.readouterr().out.splitlines())
    assert (labels['output'], labels['unit'], labels['is_metric']) == ('labels', '', False)
    expected = dict(floor=0.3429, sky=0.3429, wall=0.3143)  # 12, 12 and 11 of 35
    assert labels['classes'] == expected and 'min' not in labels
    assert (nothing['min'], nothing['median'], nothing['max']) == (None, None, None)


def test_outputs_of_an_earlier_run_are_left_out_but_not_beside_one_image(folder, capsys):
    out = folder / 'out'
    for _ in range(2):
        assert run(folder, out, kinds=('colour',)) == 0
        assert sorted(os.listdir(out)) == ['a_colour.jpg', 'b_colour.jpg', 'c_colour.jpg']
    assert f'3 images in {out}, where the outputs go, left out' in capsys.readouterr().err
    assert run(folder / 'a.png', folder) == 0
    assert (folder / 'a_relative.npy').exists()


@pytest.mark.parametrize(
    ('output', 'kinds', 'missing'),
    [
        ('relative', ('npy', 'colour'), 'b_colour.jpg'),
        (None, ('png', 'side-by-side'), 'b_labels.png'),
        ('depth', ('ply',), 'b_points.ply'),
    ],
)
def test_resume_leaves_out_images_whose_files_are_all_there(
    folder, out, capsys, output, kinds, missing
):
    model = Model(output)
    assert run(folder, out, model, kinds) == 0
    (out / missing).unlink()
    assert run(folder, out, model, kinds, resume=True) == 0
    assert model.batches == [['a'], ['b'], ['c'], ['b']] and (out / missing).exists()
    assert '2 images done before, left out' in capsys.readouterr().err


def test_known_points_make_relative_maps_metric(folder, tmp_path, out, capsys):
    """Red 10 at (0, 0) is 1 m and 39 at (5, 4) 0.1 m: disparity from 1 to 10."""
    csv = points(tmp_path / 'points.csv', '0,0,1', '5,4,0.1')
    model, kinds = Model('relative'), ('npy', 'ply')
    assert run(folder / 'a.png', out, model, kinds, known_points=csv, as_json=True) == 0
    assert sorted(os.listdir(out)) == ['a_depth.npy', 'a_points.ply']
    printed = capsys.readouterr()
    line = json.loads(printed.out)
    assert (line['output'], line['unit'], line['is_metric']) == ('depth', 'm', True)
    assert line['focal'] == '6 px (EXIF)'  # that of the point cloud; without one it does not matter
    assert (line['min'], line['max'], line['aligned_to']) == (0.1, 1, csv)
    np.testing.assert_allclose(np.load(out / 'a_depth.npy')[0, 1], 1 / (1 + 9 / 29), rtol=1e-5)
    said = 'depth [m] with a focal length of 6 px (EXIF), aligned to the known points of'
    assert printed.err.endswith(f'; {said} {csv}\n')


def turn(path):
    """Make dark what is bright in the other pictures."""
    with Image.open(path) as picture:
        picture.rotate(180).save(path)


@pytest.mark.parametrize('batch_size', [1, 3])
@pytest.mark.parametrize(
    ('spoil', 'reason'),
    [
        (lambda path: path.write_bytes(b''), 'b.png is empty'),
        (lambda path: path.write_text('no picture'), 'b.png is no image that can be read'),
        (lambda path: path.write_bytes(path.read_bytes()[:45]), 'b.png is damaged'),
        (lambda path: draw(path, size=(3, 5)), 'b.png: cannot prepare image b'),
        (turn, 'b.png: b: the known points contradict the prediction'),
        (None, 'b.png: 6 x 5 px do not fit into memory'),
    ],
    ids=['empty', 'text', 'truncated', 'unfit', 'contradicted', 'large'],
)
def test_others_are_done_and_the_failed_one_is_named(
    folder, tmp_path, out, capsys, spoil, reason, batch_size
):
    csv, out = points(tmp_path / 'points.csv', '0,0,2', '5,4,1'), out
    model = Model(fail=raises(torch.cuda.OutOfMemoryError('CUDA out of memory'), 'b'))
    if spoil:
        model = Model()
        spoil(folder / 'b.png')
    assert run(folder, out, model, known_points=csv, as_json=True, batch_size=batch_size) == 1
    assert sorted(os.listdir(out)) == ['a_depth.npy', 'c_depth.npy']
    printed = capsys.readouterr()
    by_name = {line['name']: line for line in map(json.loads, printed.out.splitlines())}
    assert set(by_name['b']) == {'source', 'name', 'error'}
    assert set(by_name) == set('abc') and 'error' not in by_name['a']
    assert f'2 images: 2 files in {out}' in printed.err
    listed = printed.err.partition('1 of 3 images failed:\n')[2]
    assert reason in listed and len(listed.splitlines()) == 1


def test_full_disk_ends_the_run_with_what_is_whole(folder, out, capsys, monkeypatch):
    """At the second image: the third is not tried, and the second has no file."""
    replace, written = os.replace, []

    def until_full(source, target):
        if len(written) == 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written.append(target)
        replace(source, target)

    monkeypatch.setattr(atomic.os, 'replace', until_full)
    model = Model()
    with pytest.raises(InputError, match=r'cannot write .*/b_relative\.npy: No space left'):
        run(folder, out, model)
    assert os.listdir(out) == ['a_relative.npy']
    assert model.batches == [['a'], ['b']]
    assert f'1 image: 1 file in {out}' in capsys.readouterr().out


def test_ctrl_c_says_what_was_done(folder, out, capsys):
    assert run(folder, out, Model(fail=raises(KeyboardInterrupt, 'b'))) == 130
    assert os.listdir(out) == ['a_relative.npy']
    assert f'1 image: 1 file in {out}' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('wrong', 'message'),
    [
        (dict(inputs=['none.png']), 'no image, folder or match of a glob'),
        (dict(inputs=['empty']), 'has no image'),
        (dict(inputs=['*.tif']), 'no image matches'),
        (dict(inputs=['none.mp4']), 'no video file none.mp4'),
        (dict(inputs=['in/a.png', 'a.mp4']), 'is predicted by itself'),
        (dict(out='file'), 'is a file, not a folder'),
        (dict(out='in'), 'all images lie in'),
        (dict(known_points='none.csv'), 'No such file'),
        (dict(known_points='wrong.csv'), 'wrong.csv, line 3: depth must be positive'),
        (dict(batch_size=0), 'at least 1, got 0'),
        (dict(), None),
    ],
)
def test_wrong_command_is_refused_before_the_model_is_loaded(
    folder, tmp_path, monkeypatch, wrong, message
):
    monkeypatch.chdir(tmp_path)
    Path('empty').mkdir()
    Path('file').touch()
    points(Path('wrong.csv'), '1,1,2', '2,2,0')
    before = sorted(tmp_path.rglob('*'))
    asked = dict(inputs=['in'], out='out') | wrong
    outputs = Outputs(Path(asked.pop('out')), ['npy'])
    with pytest.raises(InputError if message else AssertionError, match=message or 'was loaded'):
        predict(outputs=outputs, load=Mock(side_effect=AssertionError('was loaded')), **asked)
    assert not message or sorted(tmp_path.rglob('*')) == before  # no folder either


@pytest.mark.parametrize(
    ('output', 'options', 'message'),
    [
        (None, dict(known_points='points.csv'), 'predicts no depth: there is nothing to align'),
        (None, dict(kinds=('pfm',)), 'labels, which are not written as pfm'),
        ('relative', dict(), 'do not need the camera: leave it out'),
    ],
)
def test_model_that_does_not_fit_is_refused_before_the_first_image(
    folder, tmp_path, out, monkeypatch, output, options, message
):
    monkeypatch.chdir(tmp_path)
    points(Path('points.csv'), '0,0,2', '5,4,1')
    model = Model(output)
    if not options:
        model.camera = Camera(field_of_view=60.0)
    with pytest.raises(InputError, match=message):
        run(folder, out, model, **options)
    assert model.batches == [] and os.listdir('out') == []


@pytest.mark.parametrize('kind', ['npy', 'ply'])
def test_files_are_opened_for_their_exif_only_where_the_camera_is_needed(folder, out, kind):
    model = Model('depth')
    assert run(folder / 'a.png', out, model, kinds=(kind,)) == 0
    assert model.sources == ([str(folder / 'a.png')] if kind == 'ply' else [])

"""Logs are read as they were written, resumed runs as one, and drawn as curves."""

import json

import numpy as np
import pytest
from PIL import Image

from mmdpt.errors import InputError
from mmdpt.visualization.curves import plot_curves
from mmdpt.visualization.logs import Curve, best, choose_keys, read_run, read_runs, smooth, summary


def train(step, loss, **others):
    return dict(others, loss=loss, time=0.1, iter=step, step=step)


def validate(step, miou):
    return dict(mIoU=miou, time=9.0, step=step)


def write(work_dir, stamp, rows, resume=None):
    folder = work_dir / stamp / 'vis_data'
    folder.mkdir(parents=True)
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    (folder / 'scalars.json').write_text('\n'.join([*lines, '']))
    if resume is not None:
        (folder / 'config.py').write_text(f'seed = 0\nresume = {resume}\n')
    return folder / 'scalars.json'


def points(curve):
    return list(zip(curve.steps.tolist(), curve.values.tolist(), strict=True))


def test_training_and_validation_values_by_their_step(tmp_path):
    """A key of both kinds, ``time``, is that of training; NaN is kept."""
    nan = float('nan')
    write(tmp_path, '1', [train(10, nan), train(20, 1.0), validate(20, 30.0), train(30, 0.5)])
    run = read_run(tmp_path)
    np.testing.assert_array_equal(run['loss'].values, [nan, 1.0, 0.5])
    assert run['loss'].steps.tolist() == [10, 20, 30]
    assert points(run['mIoU']) == [(20, 30.0)]
    assert points(run['time']) == [(10, 0.1), (20, 0.1), (30, 0.1)]
    assert run['mIoU'].measured and not run['loss'].measured
    assert sorted(run) == ['loss', 'mIoU', 'time']


def test_resumed_start_replaces_what_came_after_its_first_step(tmp_path):
    first = [train(10, 5.0), train(20, 4.0), validate(20, 30.0), train(30, 9.0), validate(30, 99.0)]
    write(tmp_path, '20260101_000000', first, resume=False)
    write(tmp_path, '20260102_000000', [train(30, 3.0), validate(30, 40.0)], resume=True)
    run = read_run(tmp_path)
    assert points(run['loss']) == [(10, 5.0), (20, 4.0), (30, 3.0)]
    assert points(run['mIoU']) == [(20, 30.0), (30, 40.0)]


@pytest.mark.parametrize(
    ('later', 'expected'),
    [([train(2, 1.0)], [(2, 1.0)]), ([], [(1, 5.0), (2, 5.0), (3, 5.0)])],
    ids=['that logged', 'that logged nothing'],
)
def test_start_that_did_not_resume_replaces_all(tmp_path, later, expected):
    write(tmp_path, '20260101_000000', [train(step, 5.0) for step in (1, 2, 3)], resume=False)
    write(tmp_path, '20260102_000000', later, resume=False)
    assert points(read_run(tmp_path)['loss']) == expected


def test_validations_counted_in_epochs_stand_after_their_last_iteration(tmp_path):
    rows = [train(50, 2.0, epoch=1), validate(1, 30.0), train(100, 1.0, epoch=2), validate(2, 40.0)]
    write(tmp_path, '1', rows)
    assert points(read_run(tmp_path)['mIoU']) == [(50, 30.0), (100, 40.0)]


def test_work_dir_time_stamped_folder_and_file_are_the_same_run(tmp_path):
    """A line that is being written is left out."""
    file = write(tmp_path, '20260101_000000', [train(1, 5.0)])
    with file.open('a') as log:
        log.write('{"loss": 4.0, "it')
    runs = [read_run(path) for path in (tmp_path, tmp_path / '20260101_000000', file)]
    assert all(points(run['loss']) == [(1, 5.0)] for run in runs)


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ('{"loss": 1.0', 'line 2: no JSON'),
        ('[1, 2]', 'line 2: expected a JSON object'),
        ('{"loss": 1.0}', 'line 2: step is no whole number'),
        ('{"loss": 1.0, "step": "last"}', 'line 2: step is no whole number'),
    ],
)
def test_damaged_line_is_named(tmp_path, line, message):
    file = write(tmp_path, '1', [train(1, 5.0), line, train(3, 4.0)])
    with pytest.raises(InputError, match=f'{file}, {message}'):
        read_run(tmp_path)


def test_what_holds_no_run_is_named_and_a_run_named_twice_refused(tmp_path):
    (tmp_path / 'a.pth').write_bytes(b'\xff\xfe\x00')
    with pytest.raises(InputError, match=r'a\.pth is no text'):
        read_run(tmp_path / 'a.pth')
    with pytest.raises(InputError, match=f'no run {tmp_path}/gone'):
        read_run(tmp_path / 'gone')
    with pytest.raises(InputError, match=f'{tmp_path} is no work dir'):
        read_run(tmp_path)
    write(tmp_path, '1', [])
    with pytest.raises(InputError, match='nothing is logged yet'):
        read_run(tmp_path)
    write(tmp_path, '2', [train(1, 5.0)])
    with pytest.raises(InputError, match='named twice'):
        read_runs([tmp_path, f'{tmp_path}/.'])


def test_names_are_the_fewest_folders_that_differ(tmp_path):
    for folder in ('a/seg', 'b/seg', 'b/depth'):
        write(tmp_path / folder, '1', [train(1, 5.0)])
    assert list(read_runs([tmp_path / 'a/seg', tmp_path / 'b/depth'])) == ['seg', 'depth']
    assert list(read_runs([tmp_path / 'a/seg', tmp_path / 'b/seg'])) == ['a/seg', 'b/seg']
    file = tmp_path / 'a/seg/1/vis_data/scalars.json'
    assert list(read_runs([file, tmp_path / 'b/seg'])) == ['1', 'seg']


def test_keys_are_the_loss_and_the_main_metrics_or_those_asked_for(tmp_path):
    write(tmp_path, '1', [train(1, 5.0, lr=0.1), validate(1, 30.0)])
    runs = [read_run(tmp_path)]
    assert choose_keys(runs) == ['loss', 'mIoU']
    assert choose_keys(runs, ['lr', 'loss']) == ['lr', 'loss']
    with pytest.raises(InputError, match='no run holds los; there are: lr, loss, time, mIoU'):
        choose_keys(runs, ['loss', 'los'])
    with pytest.raises(InputError, match='no run holds a loss or metric; there are: lr'):
        choose_keys([dict(lr=runs[0]['lr'])])


def test_smoothed_values_by_hand():
    values = np.array([1.0, 3.0, np.nan, 5.0, 9.0])
    np.testing.assert_allclose(smooth(values, 2), [1, 2, np.nan, 5, 7])
    np.testing.assert_allclose(smooth(values, 3), [1, 2, np.nan, 4, 7])
    np.testing.assert_array_equal(smooth(values, 1), values)
    with pytest.raises(InputError, match='1 or more, got 0'):
        smooth(values, 0)


@pytest.mark.parametrize(
    ('key', 'expected'),
    [
        *((key, (2, 9.0)) for key in ('mIoU', 'aAcc', 'd1', 'nyu/d1', 'decode.acc_seg')),
        *((key, (1, 3.0)) for key in ('loss', 'decode.loss_ce', 'nyu/abs_rel', 'silog_kitti')),
        *((key, None) for key in ('lr', 'time', 'grad_norm', 'memory')),
    ],
)
def test_best_is_greatest_or_least_as_the_key_says(key, expected):
    curve = Curve(np.array([1, 2, 3, 4]), np.array([3.0, 9.0, np.nan, 9.0]), True)
    assert best(key, curve) == expected
    assert best(key, curve._replace(values=np.full(4, np.nan))) is None


def test_table_of_last_and_best_values(tmp_path):
    write(tmp_path / 'a', '1', [train(10, 1.0), train(20, 2.0), validate(20, 30.25)])
    write(tmp_path / 'bb', '1', [train(10, 3.0)])
    table = summary(read_runs([tmp_path / 'a', tmp_path / 'bb']), ['loss', 'mIoU'])
    assert [line.split() for line in table.splitlines()] == [
        ['key', 'run', 'last', 'at', 'best', 'at'],
        ['loss', 'a', '2', '20', '1', '10'],
        ['loss', 'bb', '3', '10', '3', '10'],
        ['mIoU', 'a', '30.25', '20', '30.25', '20'],
        ['mIoU', 'bb', '-', '-', '-', '-'],
    ]


BLUE, ORANGE = (31, 119, 180), (255, 127, 14)


def run(level, measured=False):
    steps = np.arange(1, 6) * 10
    return {'loss': Curve(steps, np.full(5, float(level)), measured)}


def count(path, colour):
    picture = np.asarray(Image.open(path).convert('RGB')).reshape(-1, 3)
    return int((picture == colour).all(axis=1).sum())


def test_every_run_has_its_colour(tmp_path):
    one, two = tmp_path / 'one.png', tmp_path / 'two.png'
    plot_curves({'a': run(1), 'without the key': {}}, ['loss'], one)
    plot_curves({'a': run(1), 'b': run(2)}, ['loss'], two)
    assert count(one, BLUE) > 50 and count(one, ORANGE) == 0
    assert count(two, BLUE) > 50 and count(two, ORANGE) > 50


def test_every_key_has_its_panel(tmp_path):
    curves = {**run(1), **{f'd{k}': run(k)['loss'] for k in (1, 2, 3)}}
    sizes = []
    for number in (1, 2, 3, 4):
        plot_curves({'a': curves}, list(curves)[:number], tmp_path / 'a.png')
        sizes.append(Image.open(tmp_path / 'a.png').size)
    assert sizes == [(600, 408), (1200, 408), (1800, 408), (1800, 816)]


def test_validations_and_lone_training_values_have_dots(tmp_path):
    """A flat line is less than 3 px high, a dot more."""
    lone = Curve(np.array([10]), np.array([1.0]), False)
    plot_curves({'a': {'loss': lone}}, ['loss'], tmp_path / 'a.png')
    assert count(tmp_path / 'a.png', BLUE) > 10
    heights = []
    for measured in (False, True):
        plot_curves({'a': run(1, measured)}, ['loss'], tmp_path / 'a.png')
        picture = np.asarray(Image.open(tmp_path / 'a.png').convert('RGB'))
        heights.append(int((picture == BLUE).all(axis=2).any(axis=1).sum()))
    assert heights[0] < 3 < heights[1]


def test_training_values_are_smoothed_and_validations_are_not(tmp_path):
    values = np.array([1.0, 3.0, 2.0, 5.0, 1.0])
    for measured in (False, True):
        curve, pictures = Curve(np.arange(1, 6), values, measured), []
        for window in (1, 3):
            plot_curves({'a': {'loss': curve}}, ['loss'], tmp_path / 'a.png', window)
            pictures.append(np.asarray(Image.open(tmp_path / 'a.png')))
        assert (pictures[0] == pictures[1]).all() == measured


def test_format_is_the_suffix_and_a_picture_that_cannot_be_written_is_named(tmp_path):
    for suffix, start in (('.pdf', b'%PDF'), ('.svg', b'<?xml')):
        path = tmp_path / 'new' / f'a{suffix}'
        plot_curves({'a': run(1)}, ['loss'], path)
        assert path.read_bytes().startswith(start)
    with pytest.raises(InputError, match=r'cannot write .*a\.txt: pictures end in'):
        plot_curves({'a': run(1)}, ['loss'], tmp_path / 'a.txt')
    (tmp_path / 'file').write_text('')
    with pytest.raises(InputError, match=r'cannot write .*file/a\.png'):
        plot_curves({'a': run(1)}, ['loss'], tmp_path / 'file' / 'a.png')
    assert sorted(path.name for path in tmp_path.iterdir()) == ['file', 'new']

"""Frames are paired by time: the nearest first, each once, the same every time."""

import numpy as np
import pytest
from tiny_files import write_image, write_map

from mmdpt.datasets.conversion.tum import LIST_FILE, associate, convert_tum
from mmdpt.datasets.depth_list import DepthListDataset
from mmdpt.datasets.transforms.loading import LoadDepth, LoadImageFromFile
from mmdpt.errors import InputError

PIPELINE = [LoadImageFromFile(), LoadDepth()]


def write_stamps(folder, kind, *stamps):
    names = [f'{stamp:.6f}' for stamp in stamps]
    lines = [f'{name} {kind}/{name}.png' for name in names]
    folder.mkdir(exist_ok=True)
    (folder / f'{kind}.txt').write_text('\n'.join(['# color images', '# timestamp file', *lines]))
    for name in names:
        path = folder / kind / f'{name}.png'
        if kind == 'depth':
            write_map(path, [5000], (4, 6), np.uint16)
        else:
            write_image(path, (6, 4))


@pytest.fixture
def sequence(tmp_path):
    """Colour at 10.00, 10.035, 10.06 and 11 s, depth at 10.01, 10.05 and 10.06 s."""
    folder = tmp_path / 'rgbd_dataset_freiburg2_desk'
    write_stamps(folder, 'rgb', 10.0, 10.035, 10.06, 11.0)
    write_stamps(folder, 'depth', 10.01, 10.05, 10.06)
    return folder


@pytest.mark.parametrize(
    ('first', 'second', 'pairs'),
    [
        # 0.06 takes 0.06, though 0.05 is near enough too and comes first
        ([0.0, 0.06, 0.04], [0.05, 0.06, 0.005], [(0, 2), (2, 0), (1, 1)]),
        ([1.0, 1.012], [1.01], [(1, 0)]),  # to the nearer of two
        ([2.0, 2.01], [2.005], [(0, 0)]),  # at equal distances to the earlier line
        ([0.0], [0.02], []),  # too far
        ([0.0], [0.0199], [(0, 0)]),
        ([0.0], [-0.0199], [(0, 0)]),
    ],
)
def test_pairs_by_hand(first, second, pairs):
    assert associate(first, second) == pairs


def test_association_equals_the_definition_on_random_times():
    """Independent: all pairs, sorted by distance, taken greedily."""
    rng = np.random.default_rng(0)
    first, second = (np.sort(rng.uniform(0, 1, 60)) for _ in range(2))
    distance = np.abs(first[:, None] - second)
    expected = []
    while distance.min() < 0.02:
        i, j = np.unravel_index(distance.argmin(), distance.shape)
        expected.append((int(i), int(j)))
        distance[i] = distance[:, j] = np.inf
    assert associate(first.tolist(), second.tolist()) == sorted(expected)


def test_list_says_scale_and_intrinsics_and_a_second_run_leaves_it_alone(sequence):
    summary = convert_tum([sequence])
    assert (summary.num_pairs, summary.num_unpaired) == (3, 1)
    more = '5000,520.90862 521.007327 325.141442 249.701764'
    assert (sequence / LIST_FILE).read_text().splitlines() == [
        'image,depth,scale,intrinsics',
        f'rgb/10.000000.png,depth/10.010000.png,{more}',
        f'rgb/10.035000.png,depth/10.050000.png,{more}',
        f'rgb/10.060000.png,depth/10.060000.png,{more}',
    ]
    dataset = DepthListDataset(ann_file=str(sequence / LIST_FILE), pipeline=PIPELINE)
    assert len(dataset) == 3
    assert np.unique(dataset[0]['gt_depth_map']).tolist() == [1.0]
    assert dataset[0]['intrinsics'] == (520.90862, 521.007327, 325.141442, 249.701764)
    before = (sequence / LIST_FILE).stat()
    convert_tum([sequence])
    after = (sequence / LIST_FILE).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_folder_of_another_name_has_no_intrinsics(sequence):
    folder = sequence.rename(sequence.with_name('desk'))
    convert_tum([folder])
    assert all(line.endswith(',5000,') for line in (folder / LIST_FILE).read_text().split()[1:])
    dataset = DepthListDataset(ann_file=str(folder / LIST_FILE), pipeline=PIPELINE)
    assert 'intrinsics' not in dataset.get_data_info(0)


def test_sequences_count_together(sequence, tmp_path):
    other = tmp_path / 'freiburg1_xyz'
    write_stamps(other, 'rgb', 1.0, 2.0)
    write_stamps(other, 'depth', 2.0)
    calls = []
    summary = convert_tum([sequence, other], progress=lambda *call: calls.append(call))
    assert (summary.num_pairs, summary.num_unpaired) == (4, 2)
    assert calls == [(1, 2), (2, 2)]
    assert (other / LIST_FILE).read_text().endswith('517.306408 516.469215 318.64304 255.313989\n')


@pytest.mark.parametrize(
    ('gone', 'message'),
    [
        ('rgb.txt', r'list of frames .*/rgb\.txt does not exist'),
        ('depth.txt', r'list of frames .*/depth\.txt does not exist'),
        ('', 'sequence .*freiburg2_desk does not exist'),
        ('depth/10.050000.png', r'1 files that .* do not exist:\s+\S+depth/10\.050000'),
    ],
)
def test_what_is_missing_is_named(sequence, gone, message):
    (sequence / gone).rename(sequence.parent / 'elsewhere')
    with pytest.raises(InputError, match=message):
        convert_tum([sequence])
    assert not (sequence / LIST_FILE).exists()


@pytest.mark.parametrize('line', ['10.5', 'noon rgb/a.png', '10.5 rgb/a.png more'])
def test_line_that_is_not_understood(sequence, line):
    with (sequence / 'rgb.txt').open('a') as file:
        file.write(f'\n{line}\n')
    with pytest.raises(InputError, match=r'rgb\.txt, line 7: expected "timestamp file", got'):
        convert_tum([sequence])


def test_frames_of_different_times(sequence):
    write_stamps(sequence, 'depth', 50.0)
    with pytest.raises(InputError, match=r'no depth frame within 0\.02 s of a colour frame'):
        convert_tum([sequence])


def test_tool_says_what_it_paired(sequence, call_tool, capsys):
    assert call_tool('dataset_converters/tum.py', sequence) == 0
    assert '1 sequences: 3 pairs; 1 colour frames' in capsys.readouterr().out

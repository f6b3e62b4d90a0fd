"""NYU's labelled file comes out split, upright and in millimetres, without the file itself."""

import sys
import types
from pathlib import Path
from unittest.mock import Mock

import cv2
import numpy as np
import pytest
import scipy.io

from mmdpt.datasets.conversion import nyu
from mmdpt.datasets.conversion.nyu import convert_nyu, encode_depth, encode_image, read_splits
from mmdpt.datasets.nyu import NYUDepthDataset
from mmdpt.datasets.transforms.loading import LoadDepth, LoadImageFromFile
from mmdpt.errors import InputError

WIDTH, HEIGHT = 12, 10


class FakeFile(dict):
    """What h5py.File offers of the labelled file: arrays, and references to the names."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def __getitem__(self, key):
        if isinstance(key, int):  # a reference: MATLAB keeps text as a column of codes
            name = self['types'][key]
            return np.array([[ord(x)] for x in name], np.uint16) if isinstance(name, str) else name
        return super().__getitem__(key)


@pytest.fixture
def content():
    rng = np.random.default_rng(0)
    return dict(
        images=rng.integers(1, 256, (5, 3, WIDTH, HEIGHT), np.uint8),
        rawDepths=rng.uniform(0.7, 9.9, (5, WIDTH, HEIGHT)).astype(np.float32),
        sceneTypes=np.arange(5, dtype=object)[None],
        types=['bathroom', 'living_room', 'bathroom', 'office', 'office'],
    )


@pytest.fixture
def files(tmp_path, monkeypatch, content):
    """Paths of a labelled file of five images and of its split: 2, 3, 5 and 1, 4 from 1."""
    (tmp_path / 'labeled.mat').write_bytes(b'')
    scipy.io.savemat(tmp_path / 'splits.mat', dict(trainNdxs=[[2], [3], [5]], testNdxs=[[1], [4]]))
    fake = types.SimpleNamespace(File=lambda path, mode: FakeFile(content))
    monkeypatch.setitem(sys.modules, 'h5py', fake)
    monkeypatch.setattr(nyu, 'SPLIT_SIZES', dict(train=3, test=2))
    monkeypatch.setattr(nyu, 'SIZE', (WIDTH, HEIGHT))
    return tmp_path / 'labeled.mat', tmp_path / 'splits.mat', tmp_path / 'nyu'


def test_official_split_counts_from_one(files):
    calls = []
    summary = convert_nyu(*files, progress=lambda *call: calls.append(call))
    assert calls == [(done, 5) for done in range(1, 6)]
    assert (summary.num_train, summary.num_test, summary.num_written) == (3, 2, 5)
    root = files[2]
    train = {'bathroom_00002.jpg', 'living_room_00001.jpg', 'office_00004.jpg'}
    assert {path.name for path in (root / 'images' / 'train').iterdir()} == train
    test = {'bathroom_00000.png', 'office_00003.png'}
    assert {path.name for path in (root / 'annotations' / 'test').iterdir()} == test


def test_depth_is_upright_in_millimetres_and_read_by_the_data_set(files, content):
    convert_nyu(*files)
    dataset = NYUDepthDataset(
        data_root=str(files[2]),
        data_prefix=dict(img_path='images/train', depth_map_path='annotations/train'),
        pipeline=[LoadImageFromFile(), LoadDepth()],
    )
    assert len(dataset) == 3
    depth = dataset[0]['gt_depth_map']  # bathroom_00002
    np.testing.assert_allclose(depth, content['rawDepths'][2].T, atol=1.1e-3)
    written = cv2.imread(str(files[2] / 'annotations' / 'test' / 'office_00003.png'), -1)
    assert written.dtype == np.uint16 and written.shape == (HEIGHT, WIDTH)
    expected = np.floor(content['rawDepths'][3].astype(np.float64).T * 1000)
    np.testing.assert_allclose(written, expected, atol=1)


def test_depth_is_cut_off_and_the_image_bgr_with_a_black_frame_as_in_the_published_files():
    depth = np.array([[1.2346, 0.0, np.nan], [65.5359, 65.536, -1.0]], np.float32)
    assert encode_depth(depth).tolist() == [[1234, 65535], [0, 0], [0, 0]]
    image = np.zeros((3, 640, 480), np.uint8)
    image[0] = 200
    image[2, 7, 9] = 90
    encoded = encode_image(image)
    assert encoded.shape == (480, 640, 3)
    assert encoded[9, 7].tolist() == [90, 0, 200]
    rows, columns = np.nonzero(encoded[..., 2])
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (7, 473, 7, 631)
    assert (encoded[7:474, 7:632, 2] == 200).all()


def test_second_run_writes_only_what_is_gone_unless_other_files_are_there(files):
    convert_nyu(*files)
    gone = files[2] / 'annotations' / 'train' / 'office_00004.png'
    before = gone.read_bytes()
    gone.unlink()
    kept = files[2] / 'images' / 'test' / 'office_00003.jpg'
    kept.write_bytes(b'kept')
    assert convert_nyu(*files).num_written == 1
    assert gone.read_bytes() == before
    assert kept.read_bytes() == b'kept'
    (files[2] / 'images' / 'train' / 'other.jpg').write_bytes(b'')
    with pytest.raises(InputError, match=r'images/train holds 4 files \*\.jpg, expected 3'):
        convert_nyu(*files)


def test_interrupted_run_leaves_no_half_file_under_a_final_name(files, monkeypatch):
    interrupt = Mock(side_effect=KeyboardInterrupt)
    with monkeypatch.context() as patch:
        patch.setattr('mmdpt.datasets.conversion.kept_files.os.replace', interrupt)
        with pytest.raises(KeyboardInterrupt):
            convert_nyu(*files)
    assert not list(files[2].rglob('*.jpg'))
    assert convert_nyu(*files).num_written == 5
    assert not list(files[2].rglob('*.tmp'))


def swapped(key):
    return lambda content: content.update({key: content[key].swapaxes(-1, -2)})


def shorten(content):
    for key in ('images', 'rawDepths'):
        content[key] = content[key][:4]
    content['sceneTypes'] = content['sceneTypes'][:, :4]


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (swapped('images'), r'expected \(5, 3, 12, 10\) and \(5, 12, 10\)'),
        (swapped('rawDepths'), r'expected \(5, 3, 12, 10\) and \(5, 12, 10\)'),
        (shorten, 'is not the split of .*: 5 numbers up to 5 for 4 images'),
        (lambda content: content.pop('rawDepths'), r'labeled\.mat has no rawDepths: is it the lab'),
    ],
)
def test_labelled_file_with_one_thing_wrong(files, content, change, message):
    change(content)
    with pytest.raises(InputError, match=message):
        convert_nyu(*files)


def test_files_that_are_none_or_not_there(files, monkeypatch):
    monkeypatch.setattr(sys.modules['h5py'], 'File', lambda path, mode: Path('/gone').stat())
    with pytest.raises(InputError, match=r'cannot read .*labeled\.mat: .*No such file'):
        convert_nyu(*files)
    for path in files[:2]:
        path.unlink()
        with pytest.raises(InputError, match=rf'{path.name} does not exist; how to prepare'):
            convert_nyu(*files)


@pytest.mark.parametrize(
    'name',
    [
        *('../../../root', '/etc/cron.d/a', 'a/b', '..', 'a\\b', 'a\0b', '', 'a' * 101),
        types.SimpleNamespace(size=10**12),  # is not read
    ],
)
def test_a_scene_type_is_one_word(files, content, name):
    content['types'][1] = name
    with pytest.raises(InputError, match=r'labeled\.mat names a scene type .*: expected one word'):
        convert_nyu(*files)


@pytest.mark.parametrize(
    ('train', 'test', 'message'),
    [
        ([1, 2], [4, 5], 'has 2 training and 2 test images, 0 in both: expected 3, 2 and 0'),
        ([1, 2, 2], [4, 5], 'has 2 training and 2 test images, 0 in both'),
        ([1, 2, 3], [3, 5], 'has 3 training and 2 test images, 1 in both'),
        ([1, 2, 3], None, r'splits\.mat has no testNdxs'),
    ],
)
def test_split_of_other_numbers(files, train, test, message):
    scipy.io.savemat(files[1], dict(trainNdxs=train) | (dict(testNdxs=test) if test else {}))
    with pytest.raises(InputError, match=message):
        read_splits(files[1])


@pytest.mark.parametrize('content', [b'', b'short', b'no MATLAB file at all' * 20])
def test_split_file_that_is_none(files, content):
    files[1].write_bytes(content)
    with pytest.raises(InputError, match=r'cannot read .*splits\.mat'):
        read_splits(files[1])


def test_missing_packages_are_named_with_their_installation(files, monkeypatch, capsys, call_tool):
    monkeypatch.setitem(sys.modules, 'h5py', None)
    assert call_tool('dataset_converters/nyu.py', *files) == 1
    message = 'error: reading nyu_depth_v2_labeled.mat needs h5py: pip install h5py'
    assert capsys.readouterr().err.strip() == message
    monkeypatch.setitem(sys.modules, 'scipy.io', None)
    with pytest.raises(InputError, match=r'needs scipy: pip install scipy$'):
        convert_nyu(*files)

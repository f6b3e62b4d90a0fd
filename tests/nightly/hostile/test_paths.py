"""Names in lists, archives and .mat files lead nowhere but to their folder, to read or to write."""

import os
import types

import cv2
import numpy as np
import pytest
import scipy.io

from mmdpt.commands.tool import report_input_errors
from mmdpt.datasets.conversion.kept_files import check_own_data
from mmdpt.datasets.conversion.nyu import read_splits
from mmdpt.datasets.conversion.tum import convert_tum
from mmdpt.datasets.depth_dataset import DepthDataset
from mmdpt.datasets.depth_list import DepthListDataset
from mmdpt.datasets.diw import DIWDataset
from mmdpt.datasets.seg_dataset import SegDataset
from mmdpt.datasets.sun_rgbd import SUNRGBDDataset
from mmdpt.errors import InputError
from mmdpt.files.atomic import write_atomically
from mmdpt.inference.sources import find_images
from mmdpt.training.test_outputs.output_names import OutputNames
from mmdpt.visualization.logs import read_run

PAIR = '1,1,2,2,>,3,3'


@pytest.fixture
def root(tmp_path):
    """A data set's folder with one image and its label; beside it, 'secret.png'."""
    root = tmp_path / 'data'
    root.mkdir()
    for path in (root / 'inside.png', tmp_path / 'secret.png'):
        cv2.imwrite(str(path), np.ones((4, 4), np.uint8))
    return root


def segmentation(root, name):
    (root / 'list.txt').write_text(f'{name}\n')
    return SegDataset(
        data_root=str(root),
        ann_file='list.txt',
        data_prefix=dict(img_path='', seg_map_path=''),
        img_suffix='.png',
        metainfo=dict(classes=('a', 'b'), palette=[[0, 0, 0], [1, 1, 1]]),
    )


def depth(line, **settings):
    def read(root, name):
        (root / 'list.txt').write_text(line.format(name))
        settings.update(ann_file='list.txt', data_prefix=dict(img_path='', depth_map_path=''))
        return DepthDataset(depth_scale=1, data_root=str(root), **settings)

    return read


def listed(column):
    def read(root, name):
        row = dict(image='inside.png', depth='inside.png', mask='inside.png')
        row[column] = f'{name}.png'
        (root / 'list.csv').write_text(f'{",".join(row)}\n{",".join(row.values())}\n')
        return DepthListDataset(ann_file=str(root / 'list.csv'), depth_scale=1)

    return read


def ordinal(root, name):
    (root / 'list.csv').write_text(f'{name}.png\n{PAIR}\n')
    return DIWDataset(data_root=str(root), ann_file='list.csv')


def rooms(root, name):
    (root / 'list.txt').write_text(f'{name}\n')
    return SUNRGBDDataset(data_root=str(root), ann_file='list.txt')


READERS = dict(
    segmentation=segmentation,
    depth=depth('{0}.png {0}.png\n'),
    depth_by_stem=depth('{}\n', img_suffix='.png'),
    image_column=listed('image'),
    depth_column=listed('depth'),
    mask_column=listed('mask'),
    ordinal=ordinal,
    rooms=rooms,
)


@pytest.mark.parametrize('reader', READERS)
def test_a_listed_name_leads_nowhere_else(root, reader, monkeypatch):
    """Refused, or, as the lists of BTS begin with a slash, looked for below the folder."""
    monkeypatch.setattr('urllib.request.urlopen', lambda *_, **__: pytest.fail('fetched'))
    for name in ('../secret', 'a/../../secret', './../secret'):
        with pytest.raises(InputError, match='leads out of'):
            READERS[reader](root, name)
    for name in (f'/{root.parent}/secret', 'http://host.test/secret', 'a\0b'):
        with pytest.raises(InputError):
            READERS[reader](root, name)
    assert reader == 'rooms' or len(READERS[reader](root, 'inside')) == 1


def test_an_address_is_not_fetched_where_the_folder_has_no_name(root, monkeypatch):
    monkeypatch.chdir(root)
    (root / 'list.txt').write_text('http://host.test/secret\n')
    with pytest.raises(InputError, match=r"path 'http://host.test/secret.jpg' leads out of \."):
        SegDataset(
            ann_file='list.txt',
            data_prefix=dict(img_path='', seg_map_path=''),
            metainfo=dict(classes=('a',), palette=[[0, 0, 0]]),
        )


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('list.jsonl', '[' * 200_000, r'list\.jsonl, line 1: no JSON'),
        ('list.jsonl', '{"scale": ' + '9' * 5000 + '}', r'list\.jsonl, line 1: no JSON'),
        ('list.csv', 'image,depth\n' + 'a' * 200_000 + ',b\n', r'list\.csv, line \d: no CSV'),
        ('list.csv', 'image,depth\n\x00\xff', r'list\.csv'),
    ],
)
def test_a_list_that_breaks_its_parser_is_named(root, name, content, message):
    (root / name).write_text(content)
    with pytest.raises(InputError, match=message):
        DepthListDataset(ann_file=str(root / name), depth_scale=1)


@pytest.mark.parametrize('name', ['../secret.png', '/etc/hostname'])
def test_a_time_stamped_list_does_not_climb_out(root, name):
    (root / 'rgb.txt').write_text(f'1.0 {name}\n')
    (root / 'depth.txt').write_text('1.0 inside.png\n')
    with pytest.raises(InputError, match='leads out of'):
        convert_tum([root])
    assert not (root / 'associated.csv').exists()


def test_what_a_test_writes_stays_below_its_folder(tmp_path):
    paths = [str(tmp_path / 'a' / 'b.png'), str(tmp_path / 'a' / '..' / '..' / 'c.png')]

    class Two:
        def __len__(self):
            return 2

        def get_data_info(self, index):
            return dict(img_path=paths[index])

    names = OutputNames(tmp_path / 'out', Two())
    for path in paths:
        written = os.path.normpath(names.path(path, '.npy'))
        assert written.startswith(str(tmp_path / 'out') + os.sep)


@pytest.mark.parametrize('name', ['..%2F..%2Fsecret', '%2Fetc%2Fpasswd', '..', '.hidden', '%00'])
def test_what_is_written_of_an_address_has_a_plain_name(name):
    (image,) = find_images(f'https://host.test/{name}')
    assert not set(image.name) & set('/\\\0') and not image.name.startswith('.')


def test_a_file_is_not_written_through_a_link(tmp_path):
    """An archive can hold one, under the name that a converter writes, or writes first."""
    victim = tmp_path / 'victim'
    victim.write_text('as it was')
    folder = tmp_path / 'data'
    folder.mkdir()
    for name in ('list.csv', '.list.csv.tmp', 'list.csv.tmp', '.mmdpt-.csv'):
        (folder / name).symlink_to(victim)
    write_atomically(folder / 'list.csv', b'new', parents=True)
    assert victim.read_text() == 'as it was'
    assert (folder / 'list.csv').read_text() == 'new' and not (folder / 'list.csv').is_symlink()


@pytest.mark.parametrize(
    'said',
    [
        dict(external=[('/etc/passwd', 0, 100)]),
        dict(is_virtual=True),
        dict(file=types.SimpleNamespace(filename='/elsewhere/other.mat')),
    ],
)
def test_numbers_of_another_file_are_not_read(tmp_path, said):
    """HDF5 can point at them."""
    path = tmp_path / 'a.mat'
    own = types.SimpleNamespace(filename=str(path))
    data = dict(external=None, is_virtual=False, file=own)
    check_own_data(types.SimpleNamespace(**data), path)
    with pytest.raises(InputError, match=r'a\.mat takes numbers from another file'):
        check_own_data(types.SimpleNamespace(**data | said), path)


def test_a_matlab_bomb_is_refused_by_its_header(tmp_path):
    path = tmp_path / 'splits.mat'
    numbers = np.zeros((1, (1 << 20) + 1), np.uint8)
    scipy.io.savemat(path, dict(trainNdxs=numbers, testNdxs=[[1]]), do_compression=True)
    assert path.stat().st_size < 3000
    with pytest.raises(InputError, match=r'splits\.mat says that trainNdxs has 1048577 numbers'):
        read_splits(path)


def test_a_name_in_an_error_does_not_drive_the_terminal(capsys):
    @report_input_errors
    def main():
        raise InputError('no file \x1b]0;title\x07\x9b2J\x7f\r é\n  b')

    with pytest.raises(SystemExit):
        main()
    said = capsys.readouterr().err
    assert said == 'error: no file \\x1b]0;title\\x07\\x9b2J\\x7f\\r é\n  b\n'


@pytest.mark.parametrize(
    'line', ['[' * 100_000, f'{{"step": {"9" * 5000}}}', f'{{"step": 1, "loss": {2**63}}}']
)
def test_a_log_that_breaks_its_parser_is_named(tmp_path, line):
    path = tmp_path / 'scalars.json'
    path.write_text(f'{line}\n')
    with pytest.raises(InputError, match=r'scalars\.json, line 1'):
        read_run(path)

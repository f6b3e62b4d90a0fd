"""Sintel's .dpt files, paired with the frames of either pass."""

import struct

import numpy as np
import pytest
from mmengine.registry import init_default_scope
from PIL import Image

from mmdpt.datasets.depth_files import read_depth_file
from mmdpt.datasets.sintel import SintelDataset
from mmdpt.datasets.transforms.as_mmseg import PackDepthInputs
from mmdpt.datasets.transforms.loading import LoadDepth
from mmdpt.errors import InputError

PIPELINE = [dict(type='LoadImageFromFile'), LoadDepth(median_range=None), PackDepthInputs()]
DEPTH = np.arange(1, 49, dtype='<f4').reshape(6, 8)


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmdpt')


@pytest.fixture
def root(tmp_path):
    """Two frames of 'alley_1', one of 'cave_2', 8 x 6 px, as unpacked."""
    for sequence, frame in (('alley_1', 1), ('alley_1', 2), ('cave_2', 1)):
        for number, folder in enumerate(('final', 'clean')):
            path = tmp_path / 'training' / folder / sequence / f'frame_{frame:04d}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((6, 8, 3), 90 + number, np.uint8)).save(path)
        path = tmp_path / 'training' / 'depth' / sequence / f'frame_{frame:04d}.dpt'
        path.parent.mkdir(parents=True, exist_ok=True)
        write_dpt(path, DEPTH * frame)
    return tmp_path


def write_dpt(path, values, tag=202021.25, size=None):
    width, height = size or values.shape[::-1]
    path.write_bytes(struct.pack('<fii', tag, width, height) + values.astype('<f4').tobytes())


def build(root, **kwargs):
    return SintelDataset(data_root=str(root), pipeline=PIPELINE, test_mode=True, **kwargs)


def test_frames_have_their_depth(root):
    dataset = build(root)
    assert len(dataset) == 3
    info = dataset.get_data_info(1)
    assert info['img_path'] == f'{root}/training/final/alley_1/frame_0002.png'
    assert info['depth_map_path'] == f'{root}/training/depth/alley_1/frame_0002.dpt'
    sample = dataset[1]
    assert (sample['inputs'] == 90).all()
    np.testing.assert_array_equal(sample['data_samples'].gt_depth_map.data[0], 2 * DEPTH)


def test_clean_pass(root):
    prefix = dict(img_path='training/clean', depth_map_path='training/depth')
    assert (build(root, data_prefix=prefix)[0]['inputs'] == 91).all()


def test_tag_spells_pieh():
    assert struct.pack('<f', 202021.25) == b'PIEH'


def test_sky_is_kept_as_it_is(tmp_path):
    values = DEPTH.copy()
    values[0, 0] = 1e10
    write_dpt(tmp_path / 'd.dpt', values)
    read = read_depth_file(str(tmp_path / 'd.dpt'))
    np.testing.assert_array_equal(read, values)
    assert read.dtype == np.float32


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(tag=202021.0), r'does not begin with the tag 202021\.25'),
        (dict(size=(8, 7)), '192 bytes for 8 x 7 numbers of 4'),
        (dict(size=(-8, -6)), 'its header says -8 x -6 px'),
        (dict(size=(0, 6)), 'its header says 0 x 6 px'),
    ],
)
def test_file_with_one_thing_wrong(tmp_path, change, message):
    write_dpt(tmp_path / 'd.dpt', DEPTH, **change)
    with pytest.raises(InputError, match=rf'cannot read depth file .*d\.dpt: .*{message}'):
        read_depth_file(str(tmp_path / 'd.dpt'))


@pytest.mark.parametrize('kept', [0, 4, 11, 12, 100])
def test_cut_off_file(tmp_path, kept):
    write_dpt(tmp_path / 'd.dpt', DEPTH)
    (tmp_path / 'd.dpt').write_bytes((tmp_path / 'd.dpt').read_bytes()[:kept])
    with pytest.raises(InputError, match=r'cannot read depth file .*d\.dpt'):
        read_depth_file(str(tmp_path / 'd.dpt'))


def test_frame_without_depth_is_named(root):
    (root / 'training' / 'depth' / 'cave_2' / 'frame_0001.dpt').unlink()
    with pytest.raises(InputError, match=r'1 images have no depth file:\s+\S*cave_2/frame_0001'):
        build(root)


def test_missing_root_is_named(root):
    with pytest.raises(InputError, match=r'data root .*gone does not exist'):
        build(root / 'gone')


def test_missing_depth_archive_is_named(root):
    (root / 'training' / 'depth').rename(root / 'elsewhere')
    with pytest.raises(InputError, match=r'depth_map_path .*training/depth does not exist'):
        build(root)

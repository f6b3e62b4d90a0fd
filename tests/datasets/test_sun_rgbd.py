"""SUN RGB-D's scene folders and its rotated bits."""

import numpy as np
import pytest
from mmengine.registry import init_default_scope
from PIL import Image

from mmdpt.datasets.depth_files import read_depth_file
from mmdpt.datasets.sun_rgbd import SUNRGBDDataset
from mmdpt.datasets.transforms.as_mmseg import PackDepthInputs
from mmdpt.datasets.transforms.loading import LoadDepth
from mmdpt.errors import InputError

PIPELINE = [dict(type='LoadImageFromFile'), LoadDepth(), PackDepthInputs()]
SCENES = ['kv1/NYUdata/NYU0001', 'realsense/lg/2014_10_21', 'xtion/sun3ddata/hotel/room/0001']
MILLIMETRES = np.array([[1000, 2500, 0], [7, 8191, 8192]], np.uint16)


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmdpt')


@pytest.fixture
def root(tmp_path):
    """Three scenes of 3 x 2 px, nested differently deep, as unpacked."""
    for scene in SCENES:
        add(tmp_path / scene / 'image' / 'photo.jpg', np.full((2, 3, 3), 90, np.uint8))
        add(tmp_path / scene / 'depth_bfx' / 'other_name_abs.png', rotated(MILLIMETRES))
        add(tmp_path / scene / 'depth' / 'raw.png', rotated(MILLIMETRES // 2))
        (tmp_path / scene / 'scene.txt').write_text('bedroom')
    return tmp_path


def add(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


def rotated(millimetres):
    """Bits as in the files, one number at a time."""
    numbers = [((v << 3) | (v >> 13)) & 0xFFFF for v in map(int, millimetres.ravel())]
    return np.array(numbers, np.uint16).reshape(millimetres.shape)


def build(root, **kwargs):
    return SUNRGBDDataset(data_root=str(root), pipeline=PIPELINE, test_mode=True, **kwargs)


def scenes_of(dataset, root):
    paths = [dataset.get_data_info(k)['img_path'] for k in range(len(dataset))]
    return [path.removeprefix(f'{root}/').removesuffix('/image/photo.jpg') for path in paths]


def test_scenes_are_found_however_deep(root):
    dataset = build(root)
    assert scenes_of(dataset, root) == SCENES
    info = dataset.get_data_info(0)
    assert info['depth_map_path'] == f'{root}/{SCENES[0]}/depth_bfx/other_name_abs.png'


def test_rotated_numbers_are_millimetres(root):
    """1000 mm stands in the file as 8000, 8192 mm as 1."""
    assert rotated(MILLIMETRES).ravel()[[0, 5]].tolist() == [8000, 1]
    depth = build(root)[0]['data_samples'].gt_depth_map.data[0].numpy()
    expected = np.array([[1, 2.5, np.nan], [0.007, 8.191, 8.192]])
    np.testing.assert_allclose(depth, expected, rtol=1e-6)


def test_depth_as_measured(root):
    depth = build(root, depth_folder='depth')[0]['data_samples'].gt_depth_map.data
    assert depth[0, 0, 0] == 0.5


def test_depth_that_is_not_rotated(root):
    path = root / 'plain.png'
    add(path, (MILLIMETRES // 257).astype(np.uint8))
    with pytest.raises(InputError, match=r'plain\.png: it holds uint8: expected uint16'):
        read_depth_file(str(path), encoding='uint16_rotated_by_3')


@pytest.mark.parametrize('prefix', ['', 'SUNRGBD/', '/n/fs/sun3d/data/SUNRGBD/'])
def test_list_of_scenes_as_in_the_toolbox(root, prefix):
    (root / 'test.txt').write_text(f'{prefix}{SCENES[2]}\n{prefix}{SCENES[0]}\n')
    assert scenes_of(build(root, ann_file='test.txt'), root) == [SCENES[2], SCENES[0]]


def test_listed_path_that_leads_out(root):
    (root / 'test.txt').write_text('SUNRGBD/../../elsewhere\n')
    with pytest.raises(InputError, match=r'test\.txt, line 1: path \S+ leads out of'):
        build(root, ann_file='test.txt')


def test_scene_without_depth_is_named(root):
    (root / SCENES[1] / 'depth_bfx' / 'other_name_abs.png').unlink()
    with pytest.raises(InputError, match=r'1 images have no depth file:\s+\S*lg/2014_10_21/image'):
        build(root)


def test_listed_scene_without_image_is_named(root):
    (root / SCENES[1] / 'image' / 'photo.jpg').unlink()
    with pytest.raises(InputError, match=r'1 listed images do not exist:\s+\S*lg/2014_10_21/image'):
        build(root)


def test_scene_with_two_images(root):
    add(root / SCENES[0] / 'image' / 'second.jpg', np.full((2, 3, 3), 90, np.uint8))
    with pytest.raises(InputError, match=r'NYU0001/image holds 2 files \*\.jpg: expected one'):
        build(root)


def test_root_without_scenes(tmp_path):
    (tmp_path / 'kv1').mkdir()
    with pytest.raises(InputError, match=r'no folder with image/ and depth_bfx/ below'):
        build(tmp_path)


def test_missing_root_is_named(root):
    with pytest.raises(InputError, match=r'data root .*gone does not exist'):
        build(root / 'gone')

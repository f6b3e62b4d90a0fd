"""ETH3D's header-less depth files, paired with their photographs."""

import numpy as np
import pytest
from mmengine.registry import init_default_scope
from PIL import Image

from mmdpt.datasets.depth_files import read_depth_file
from mmdpt.datasets.eth3d import ETH3DDataset
from mmdpt.datasets.transforms.as_mmseg import PackDepthInputs
from mmdpt.datasets.transforms.loading import LoadDepth
from mmdpt.errors import InputError

PIPELINE = [
    dict(type='LoadImageFromFile', color_type='color_ignore_orientation'),
    LoadDepth(),
    PackDepthInputs(),
]
DEPTH = np.arange(1, 49, dtype='<f4').reshape(6, 8) / 4


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmdpt')


@pytest.fixture
def root(tmp_path):
    """Scenes 'courtyard' (two images) and 'pipes' (one), 8 x 6 px, as unpacked."""
    for scene, name in (('courtyard', 'DSC_0286'), ('courtyard', 'DSC_0287'), ('pipes', 'DSC_1')):
        add(tmp_path / scene, f'{name}.JPG')
    (tmp_path / 'courtyard' / 'dslr_calibration_jpg').mkdir()
    return tmp_path


def add(scene, name, depth=DEPTH, **options):
    images = scene / 'images' / 'dslr_images'
    truth = scene / 'ground_truth_depth' / 'dslr_images'
    images.mkdir(parents=True, exist_ok=True)
    truth.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((6, 8, 3), 90, np.uint8)).save(images / name, **options)
    (truth / name).write_bytes(depth.tobytes())


def build(root, **kwargs):
    return ETH3DDataset(data_root=str(root), pipeline=PIPELINE, test_mode=True, **kwargs)


def depth_of(dataset, index=0):
    return dataset[index]['data_samples'].gt_depth_map.data[0].numpy()


def test_every_photograph_of_every_scene_has_its_depth(root):
    dataset = build(root)
    assert len(dataset) == 3
    info = dataset.get_data_info(1)
    assert info['img_path'] == f'{root}/courtyard/images/dslr_images/DSC_0287.JPG'
    assert info['depth_map_path'] == (
        f'{root}/courtyard/ground_truth_depth/dslr_images/DSC_0287.JPG'
    )
    assert dataset.get_data_info(2)['img_path'].endswith('pipes/images/dslr_images/DSC_1.JPG')


def test_rows_run_down_and_infinite_is_invalid(root):
    depth = DEPTH.copy()
    depth[5, 7] = np.inf
    add(root / 'courtyard', 'DSC_0286.JPG', depth)
    read = depth_of(build(root))
    assert read[0, 1] == 0.5 and read[1, 0] == 9 / 4
    assert np.isnan(read[5, 7]) and np.isfinite(read).sum() == 47
    np.testing.assert_array_equal(read.ravel()[:-1], DEPTH.ravel()[:-1])


def test_exif_orientation_does_not_turn_the_image(root):
    exif = Image.Exif()
    exif[0x0112] = 6
    add(root / 'courtyard', 'DSC_0286.JPG', exif=exif)
    np.testing.assert_array_equal(depth_of(build(root)), DEPTH)


def test_big_endian_numbers_are_not_taken_for_depth(root):
    add(root / 'courtyard', 'DSC_0286.JPG', DEPTH.astype('>f4'))
    with pytest.raises(InputError, match=r'DSC_0286\.JPG has a median depth of'):
        build(root)[0]


def test_file_of_another_size(root):
    add(root / 'courtyard', 'DSC_0286.JPG', DEPTH[:5])
    with pytest.raises(
        InputError, match=r'ground_truth_depth\S+DSC_0286\.JPG: 160 bytes for 8 x 6 numbers of 4'
    ):
        build(root)[0]


def test_raw_file_needs_the_size_of_its_image(root):
    path = root / 'pipes' / 'ground_truth_depth' / 'dslr_images' / 'DSC_1.JPG'
    np.testing.assert_array_equal(
        read_depth_file(str(path), encoding='raw_float32', shape=(6, 8)), DEPTH
    )
    with pytest.raises(InputError, match='no header, and the size of its image is not known'):
        read_depth_file(str(path), encoding='raw_float32')


def test_unknown_encoding():
    with pytest.raises(ValueError, match=r"encoding must be None or one of .*, got 'float16'"):
        read_depth_file('d.png', encoding='float16')


def test_photographs_without_depth_are_named(root):
    for name in ('DSC_0286.JPG', 'DSC_0287.JPG'):
        (root / 'courtyard' / 'ground_truth_depth' / 'dslr_images' / name).unlink()
    with pytest.raises(InputError, match=r'2 images have no depth file:\s+\S*DSC_0286\.JPG'):
        build(root)


def test_root_without_scenes(tmp_path):
    (tmp_path / 'images').mkdir()
    with pytest.raises(InputError, match=r'no image images/dslr_images/\*\.JPG in any scene of'):
        build(tmp_path)


def test_missing_root_is_named(root):
    with pytest.raises(InputError, match=r'data root .*gone does not exist'):
        build(root / 'gone')

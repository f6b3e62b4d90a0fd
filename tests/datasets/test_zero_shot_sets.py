"""ETH3D, Sintel and SUN RGB-D, as unpacked: their pairs, and their ways to write depth."""

import struct

import numpy as np
import pytest
from PIL import Image
from tiny_files import write_image, write_map

from mmdpt.datasets import DIWDataset, ETH3DDataset, SintelDataset, SUNRGBDDataset
from mmdpt.datasets.depth_files import read_depth_file
from mmdpt.errors import InputError

PIPELINE = [
    dict(type='LoadImageFromFile', color_type='color_ignore_orientation'),
    dict(type='LoadDepth', median_range=(0.01, 1000)),
    dict(type='PackDepthInputs'),
]
DEPTH = np.arange(1, 49, dtype='<f4').reshape(6, 8) / 4
SCENES = ['kv1/NYUdata/NYU0001', 'realsense/lg/2014_10_21', 'xtion/sun3ddata/hotel/room/0001']
MILLIMETRES = np.array([[1000, 2500, 0], [7, 8191, 8192]], np.uint16)


def build(kind, root, **kwargs):
    return kind(data_root=str(root), pipeline=PIPELINE, test_mode=True, **kwargs)


def depth_of(dataset, index=0):
    return dataset[index]['data_samples'].gt_depth_map.data[0].numpy()


@pytest.mark.parametrize(
    ('kind', 'root', 'message'),
    [
        *(
            (kind, 'gone', r'data root .*gone does not exist')
            for kind in (DIWDataset, ETH3DDataset, SintelDataset, SUNRGBDDataset)
        ),
        (ETH3DDataset, '', r'no image images/dslr_images/\*\.JPG in any scene of'),
        (SUNRGBDDataset, '', r'no folder with image/ and depth_bfx/ below'),
    ],
)
def test_missing_root_or_one_without_scenes_is_named(tmp_path, kind, root, message):
    (tmp_path / 'kv1').mkdir()
    with pytest.raises(InputError, match=message):
        build(kind, tmp_path / root)


PHOTOGRAPHS = (('courtyard', 'DSC_0286'), ('courtyard', 'DSC_0287'), ('pipes', 'DSC_1'))


@pytest.fixture
def eth3d(tmp_path):
    """Scenes 'courtyard' (two images) and 'pipes' (one), 8 x 6 px."""
    for scene, name in PHOTOGRAPHS:
        add_photograph(tmp_path / scene, f'{name}.JPG')
    (tmp_path / 'courtyard' / 'dslr_calibration_jpg').mkdir()
    return tmp_path


def add_photograph(scene, name, depth=DEPTH, **options):
    write_image(scene / 'images' / 'dslr_images' / name, **options)
    truth = scene / 'ground_truth_depth' / 'dslr_images' / name
    truth.parent.mkdir(parents=True, exist_ok=True)
    truth.write_bytes(depth.tobytes())


def test_every_photograph_of_every_scene_has_its_depth(eth3d):
    dataset = build(ETH3DDataset, eth3d)
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    assert [info['img_path'] for info in infos] == [
        f'{eth3d}/{scene}/images/dslr_images/{name}.JPG' for scene, name in PHOTOGRAPHS
    ]
    depth = f'{eth3d}/courtyard/ground_truth_depth/dslr_images/DSC_0287.JPG'
    assert infos[1]['depth_map_path'] == depth


def test_rows_run_down_infinite_is_invalid_and_exif_does_not_turn_the_image(eth3d):
    depth = DEPTH.copy()
    depth[5, 7] = np.inf
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees to look at
    add_photograph(eth3d / 'courtyard', 'DSC_0286.JPG', depth, exif=exif)
    depth[5, 7] = np.nan
    np.testing.assert_array_equal(depth_of(build(ETH3DDataset, eth3d)), depth)
    wrong = r'has a median depth', r'ground_truth\S+0286\.JPG: 160 bytes for 8 x 6 numbers of 4'
    for message, values in zip(wrong, (DEPTH.astype('>f4'), DEPTH[:5]), strict=True):
        add_photograph(eth3d / 'courtyard', 'DSC_0286.JPG', values)
        with pytest.raises(InputError, match=message):
            build(ETH3DDataset, eth3d)[0]


def test_raw_file_needs_the_size_of_its_image(eth3d):
    path = str(eth3d / 'pipes' / 'ground_truth_depth' / 'dslr_images' / 'DSC_1.JPG')
    read = read_depth_file(path, encoding='raw_float32', shape=(6, 8))
    np.testing.assert_array_equal(read, DEPTH)
    with pytest.raises(InputError, match='no header, and the size of its image is not known'):
        read_depth_file(path, encoding='raw_float32')
    with pytest.raises(ValueError, match=r"encoding must be one of .None, .*, got 'float16'"):
        read_depth_file(path, encoding='float16')


@pytest.fixture
def sintel(tmp_path):
    """Two frames of 'alley_1', one of 'cave_2', 8 x 6 px."""
    for sequence, frame in (('alley_1', 1), ('alley_1', 2), ('cave_2', 1)):
        name = f'{sequence}/frame_{frame:04d}'
        for value, folder in ((90, 'final'), (91, 'clean')):
            write_image(tmp_path / f'training/{folder}/{name}.png', value=value)
        write_dpt(tmp_path / f'training/depth/{name}.dpt', DEPTH * frame)
    return tmp_path


def write_dpt(path, values, tag=202021.25, size=None):
    width, height = size or values.shape[::-1]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack('<fii', tag, width, height) + values.astype('<f4').tobytes())


def test_frames_of_both_passes_have_their_depth(sintel):
    dataset = build(SintelDataset, sintel)
    assert len(dataset) == 3
    info = dataset.get_data_info(1)
    assert info['img_path'] == f'{sintel}/training/final/alley_1/frame_0002.png'
    assert info['depth_map_path'] == f'{sintel}/training/depth/alley_1/frame_0002.dpt'
    assert (dataset[1]['inputs'] == 90).all()
    np.testing.assert_array_equal(depth_of(dataset, 1), 2 * DEPTH)
    prefix = dict(img_path='training/clean', depth_map_path='training/depth')
    assert (build(SintelDataset, sintel, data_prefix=prefix)[0]['inputs'] == 91).all()


def test_tag_spells_pieh_and_the_sky_is_kept_as_it_is(tmp_path):
    values = DEPTH.copy()
    values[0, 0] = 1e10
    write_dpt(tmp_path / 'd.dpt', values)
    assert (tmp_path / 'd.dpt').read_bytes().startswith(b'PIEH')
    np.testing.assert_array_equal(read_depth_file(str(tmp_path / 'd.dpt')), values, strict=True)


@pytest.mark.parametrize(
    ('change', 'kept', 'message'),
    [
        (dict(tag=202021.0), None, r'does not begin with the tag 202021\.25'),
        (dict(size=(8, 7)), None, '192 bytes for 8 x 7 numbers of 4'),
        (dict(size=(-8, -6)), None, 'its header says -8 x -6 px'),
        (dict(size=(0, 6)), None, 'its header says 0 x 6 px'),
        *((dict(), kept, '') for kept in (0, 4, 11, 12, 100)),
    ],
)
def test_dpt_with_one_thing_wrong(tmp_path, change, kept, message):
    path = tmp_path / 'd.dpt'
    write_dpt(path, DEPTH, **change)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InputError, match=rf'cannot read depth file .*d\.dpt: .*{message}'):
        read_depth_file(str(path))


@pytest.fixture
def rooms(tmp_path):
    """Three scenes of 3 x 2 px, nested differently deep."""
    for scene in SCENES:
        write_image(tmp_path / scene / 'image' / 'photo.jpg', (3, 2))
        write_map(tmp_path / scene / 'depth_bfx' / 'other_name_abs.png', rotated(MILLIMETRES))
        write_map(tmp_path / scene / 'depth' / 'raw.png', rotated(MILLIMETRES // 2))
        (tmp_path / scene / 'scene.txt').write_text('bedroom')
    return tmp_path


def rotated(millimetres):
    """Bits as in the files, one number at a time."""
    numbers = [((v << 3) | (v >> 13)) & 0xFFFF for v in map(int, millimetres.ravel())]
    return np.array(numbers, np.uint16).reshape(millimetres.shape)


def scenes_of(dataset, root):
    paths = [dataset.get_data_info(k)['img_path'] for k in range(len(dataset))]
    return [path.removeprefix(f'{root}/').removesuffix('/image/photo.jpg') for path in paths]


def test_scenes_are_found_however_deep_or_listed_each_with_one_image(rooms):
    dataset = build(SUNRGBDDataset, rooms)
    assert scenes_of(dataset, rooms) == SCENES
    info = dataset.get_data_info(0)
    assert info['depth_map_path'] == f'{rooms}/{SCENES[0]}/depth_bfx/other_name_abs.png'
    for prefix in ('', 'SUNRGBD/', '/n/fs/sun3d/data/SUNRGBD/'):  # listed as in the toolbox
        (rooms / 'test.txt').write_text(f'{prefix}{SCENES[2]}\n{prefix}{SCENES[0]}\n')
        listed = build(SUNRGBDDataset, rooms, ann_file='test.txt')
        assert scenes_of(listed, rooms) == [SCENES[2], SCENES[0]]
    write_image(rooms / SCENES[0] / 'image' / 'second.jpg', (3, 2))
    with pytest.raises(InputError, match=r'NYU0001/image holds 2 files \*\.jpg: expected one'):
        build(SUNRGBDDataset, rooms)


def test_rotated_numbers_are_millimetres_and_8_bits_are_refused(rooms):
    """1000 mm stands in the file as 8000, 8192 mm as 1."""
    assert rotated(MILLIMETRES).ravel()[[0, 5]].tolist() == [8000, 1]
    expected = np.array([[1, 2.5, np.nan], [0.007, 8.191, 8.192]])
    np.testing.assert_allclose(depth_of(build(SUNRGBDDataset, rooms)), expected, rtol=1e-6)
    measured = build(SUNRGBDDataset, rooms, depth_folder='depth')
    assert depth_of(measured)[0, 0] == 0.5
    path = write_map(rooms / 'plain.png', MILLIMETRES // 257, dtype=np.uint8)
    with pytest.raises(InputError, match=r'plain\.png: it holds uint8: expected uint16'):
        read_depth_file(str(path), encoding='uint16_rotated_by_3')


@pytest.mark.parametrize(
    ('file', 'message'),
    [
        ('depth_bfx/other_name_abs.png', r'1 images have no depth file:\s+\S*lg/2014_10_21/image'),
        ('image/photo.jpg', r'1 listed images do not exist:\s+\S*lg/2014_10_21/image'),
    ],
)
def test_scene_without_a_file_is_named(rooms, file, message):
    (rooms / SCENES[1] / file).unlink()
    with pytest.raises(InputError, match=message):
        build(SUNRGBDDataset, rooms)

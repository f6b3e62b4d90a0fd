"""Each set of the mix, in its public layout, becomes a list that DepthListDataset reads."""

import sys
import types
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from tiny_files import write_image, write_map

from mmdpt.datasets.conversion import mix, mix_layouts
from mmdpt.datasets.conversion.mix import LIST_FILE, convert_mix
from mmdpt.datasets.conversion.mix_layouts import LAYOUTS, NO_RECIPE
from mmdpt.datasets.depth_list import DepthListDataset
from mmdpt.datasets.transforms.loading import LoadDepth, LoadImageFromFile
from mmdpt.errors import InputError

SIZE = (4, 6)


@pytest.fixture(autouse=True)
def small_sets(monkeypatch):
    """Sets of one image are whole."""
    for name, layout in LAYOUTS.items():
        monkeypatch.setitem(mix.LAYOUTS, name, replace(layout, at_least=1))


def write_picture(*paths):
    for path in paths:
        write_image(path, SIZE[::-1])


def ramp(dtype, start=1, step=1):
    return (start + step * np.arange(24).reshape(SIZE)).astype(dtype)


def depth_of(root, index=0):
    """Depth or scale / disparity, (H, W), NaN = invalid."""
    pipeline = [LoadImageFromFile(), LoadDepth(median_range=None)]
    dataset = DepthListDataset(ann_file=str(root / LIST_FILE), pipeline=pipeline)
    return dataset[index]['gt_depth_map']


def rows(root):
    return (root / LIST_FILE).read_text().splitlines()


@pytest.fixture
def fake_formats(monkeypatch):
    """Stand-ins for h5py and OpenEXR: files are NPY under other names."""

    @contextmanager
    def open_h5(path, mode):
        yield dict(depth=np.load(path))

    @contextmanager
    def open_exr(path):
        values = np.load(path)
        planes = values if values.ndim == 3 else [values]
        channels = [types.SimpleNamespace(pixels=plane) for plane in planes]
        yield types.SimpleNamespace(channels=lambda: dict(zip('RGB', channels, strict=False)))

    for name, file in (('h5py', open_h5), ('OpenEXR', open_exr)):
        monkeypatch.setitem(sys.modules, name, types.SimpleNamespace(File=file))


def save_as(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('wb') as file:
        np.save(file, values)


def add_redweb(root, *names, values=None):
    for name in names:
        write_picture(root / 'Imgs' / f'{name}.jpg')
        write_map(root / 'RDs' / f'{name}.png', ramp(np.uint8) if values is None else values)


def test_hrwsi_is_disparity_with_a_mask(tmp_path):
    for split in ('train', 'val'):
        write_picture(tmp_path / split / 'imgs' / 'a.jpg')
        write_map(tmp_path / split / 'gts' / 'a.png', ramp(np.uint8, start=0))
        mask = np.full(SIZE, 255, np.uint8)
        mask[3] = 0
        write_map(tmp_path / split / 'valid_masks' / 'a.png', mask)
    assert convert_mix('HRWSI', tmp_path).num_images == 1
    assert rows(tmp_path) == [
        'image,disparity,scale,mask',
        'train/imgs/a.jpg,train/gts/a.png,1,train/valid_masks/a.png',
    ]
    depth = depth_of(tmp_path)
    assert np.isnan(depth[0, 0]) and np.isnan(depth[3]).all()
    np.testing.assert_allclose(depth[0, 1:4], [1, 1 / 2, 1 / 3], rtol=1e-6)


def test_redweb_becomes_disparity_and_its_sky_invalid(tmp_path):
    values = ramp(np.uint8, start=0, step=11)
    values[3, 5] = 255
    add_redweb(tmp_path, '12_a', values=values)
    assert convert_mix('ReDWeb', tmp_path).num_converted == 1
    assert rows(tmp_path)[1] == 'Imgs/12_a.jpg,converted/RDs/12_a.png,1'
    depth = depth_of(tmp_path)
    assert np.isnan(depth[3, 5]) and np.isfinite(depth).sum() == 23
    np.testing.assert_allclose(1 / depth[0], [255, 244, 233, 222, 211, 200], rtol=1e-6)
    assert (np.diff(depth.ravel()[:-1]) > 0).all()  # 0 is near


def test_blendedmvs_leaves_the_masked_pictures_out(tmp_path):
    scene = tmp_path / '57f8d9bbe73f6760f10e916a'
    values = ramp(np.float32)
    values[0, 0] = 0
    for number in (0, 1):
        write_picture(*(scene / f'blended_images/{number:08d}{end}.jpg' for end in ('', '_masked')))
        write_map(scene / 'rendered_depth_maps' / f'{number:08d}.pfm', values)
    assert convert_mix('BlendedMVS', tmp_path).num_images == 2
    assert rows(tmp_path)[0] == 'image,depth,scale'
    np.testing.assert_array_equal(depth_of(tmp_path, 1), np.where(values, values, np.nan))


def test_tartanair_is_metres_with_intrinsics(tmp_path):
    values = ramp(np.float32)
    values[0, 0] = 10000
    for level in ('Easy', 'Hard'):
        folder = tmp_path / 'office' / level / 'P003'
        write_picture(*(folder / f'image_{side}/000007_{side}.png' for side in ('left', 'right')))
        write_map(folder / 'depth_left' / '000007_left_depth.npy', values)
    assert convert_mix('TartanAir', tmp_path).num_images == 2
    place = 'office/Easy/P003'
    assert rows(tmp_path)[1] == (
        f'{place}/image_left/000007_left.png,{place}/depth_left/000007_left_depth.npy,1,'
        '320 320 320 240'
    )
    np.testing.assert_array_equal(depth_of(tmp_path), values)


def test_apolloscape_marks_65535_invalid(tmp_path):
    values = ramp(np.uint16, start=2)
    values[0, 0] = 65535
    name = '171206_034559609_Camera_5'
    folder = tmp_path / 'stereo_train_001'
    write_picture(folder / f'camera_5/{name}.jpg', folder / f'camera_6/{name[:-1]}6.jpg')
    write_map(folder / 'disparity' / f'{name}.png', values)
    assert convert_mix('ApolloScape', tmp_path).num_images == 1
    assert rows(tmp_path)[0] == 'image,disparity,scale,invalid'
    depth = depth_of(tmp_path)
    assert np.isnan(depth[0, 0]) and np.isfinite(depth).sum() == 23
    np.testing.assert_allclose(depth[0, 1:3], [1 / 3, 1 / 4], rtol=1e-6)


def test_megadepth_is_converted_without_the_ordinal_and_the_empty_maps(tmp_path, fake_formats):
    folder = tmp_path / '0001' / 'dense0'
    values = ramp(np.float32, start=0, step=0.3)
    for name, content in (('a', values), ('b', -values), ('c', 0 * values)):
        write_picture(folder / 'imgs' / f'{name}.jpg')
        save_as(folder / 'depths' / f'{name}.h5', content)
    summary = convert_mix('MegaDepth', tmp_path)
    assert (summary.num_images, summary.num_converted, summary.num_left_out) == (1, 1, 2)
    assert rows(tmp_path)[1] == '0001/dense0/imgs/a.jpg,converted/0001/dense0/depths/a.npy,1'
    np.testing.assert_allclose(depth_of(tmp_path), np.where(values, values, np.nan), rtol=2**-11)


def test_irs_disparity_becomes_metres(tmp_path, fake_formats):
    folder = tmp_path / 'Home' / 'ArchvizKitchen'
    write_picture(folder / 'l_377.png', folder / 'r_377.png')
    save_as(folder / 'd_377.exr', ramp(np.float32, step=2))
    convert_mix('IRS', tmp_path)
    assert rows(tmp_path)[1].endswith(
        '/l_377.png,converted/Home/ArchvizKitchen/d_377.npy,48,480 480 480 270'
    )
    np.testing.assert_allclose(depth_of(tmp_path)[0, :3], [48, 16, 9.6], rtol=1e-6)
    # half floats drop what they cannot hold
    save_as(tmp_path / 'a.exr', np.array([[1e-6, 65504, 7e4, np.nan, np.inf]], np.float32))
    assert mix_layouts.read_exr(tmp_path / 'a.exr').tolist() == [[0, 65504, 0, 0, 0]]


def test_second_run_converts_only_what_is_gone(tmp_path):
    add_redweb(tmp_path, 'a', 'b')
    calls = []
    convert_mix('ReDWeb', tmp_path, lambda *call: calls.append(call))
    assert calls == [(1, 2), (2, 2)]
    before = rows(tmp_path)
    (tmp_path / 'converted' / 'RDs' / 'b.png').unlink()
    (tmp_path / 'converted' / 'RDs' / 'a.png').write_bytes(b'kept')
    assert convert_mix('ReDWeb', tmp_path).num_converted == 1
    assert (tmp_path / 'converted' / 'RDs' / 'a.png').read_bytes() == b'kept'
    assert rows(tmp_path) == before


def test_no_link_out_of_the_root_or_in_circles_is_followed(tmp_path):
    """Two links to the folder itself: 2^40 paths, as far as the system follows."""
    root, elsewhere = tmp_path / 'redweb', tmp_path / 'elsewhere'
    add_redweb(root, 'a')
    elsewhere.mkdir()
    (root / 'converted').symlink_to(elsewhere)
    with pytest.raises(InputError, match=r'would be written outside of .*redweb: a link leads'):
        convert_mix('ReDWeb', root)
    assert not list(elsewhere.rglob('*.*'))
    (root / 'converted').unlink()
    for name in ('x', 'y'):
        (root / name).symlink_to(root)
    assert convert_mix('ReDWeb', root).num_images == 1


@pytest.mark.parametrize(('folder', 'what'), [('gts', 'ground truth'), ('valid_masks', 'mask')])
def test_images_without_their_files_are_named(tmp_path, folder, what):
    for name in 'ab':
        write_picture(tmp_path / 'train' / 'imgs' / f'{name}.jpg')
        for other in ('gts', 'valid_masks'):
            write_map(tmp_path / 'train' / other / f'{name}.png', ramp(np.uint8))
    (tmp_path / 'train' / folder / 'b.png').unlink()
    message = rf'1 images of HRWSI .* have no {what}:\s+train/imgs/b\.jpg \(expected .*/b\.png'
    with pytest.raises(InputError, match=message):
        convert_mix('HRWSI', tmp_path)
    assert not (tmp_path / LIST_FILE).exists()


def test_set_of_too_few_images_or_ordinal_maps_alone(tmp_path, fake_formats, monkeypatch):
    monkeypatch.setitem(mix.LAYOUTS, 'ReDWeb', replace(LAYOUTS['ReDWeb'], at_least=3600))
    add_redweb(tmp_path, 'a')
    with pytest.raises(InputError, match=r'holds 1 images, ReDWeb has 3600: is the download whole'):
        convert_mix('ReDWeb', tmp_path)
    write_picture(tmp_path / '0001' / 'dense0' / 'imgs' / 'a.jpg')
    save_as(tmp_path / '0001' / 'dense0' / 'depths' / 'a.h5', -ramp(np.float32))
    with pytest.raises(InputError, match=r'none of the 1 images of MegaDepth .* has a depth map'):
        convert_mix('MegaDepth', tmp_path)


def test_every_set_of_midas_has_a_recipe_or_a_reason():
    midas = 'ReDWeb DIML Movies MegaDepth WSVD TartanAir HRWSI ApolloScape BlendedMVS IRS'
    assert {*LAYOUTS, *NO_RECIPE} == set(midas.split())


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('WSVD', '^WSVD: .*YouTube'),
        ('Movies', '^Movies: .*not released'),
        ('DIML', '^DIML: .*by hand'),
        ('KITTI', 'KITTI: no set of the mix: ReDWeb, HRWSI, BlendedMVS'),
        ('IRS', 'folder of IRS .*gone does not exist'),
    ],
)
def test_sets_that_cannot_be_converted_say_why(tmp_path, name, message):
    with pytest.raises(InputError, match=message):
        convert_mix(name, tmp_path / 'gone')


@pytest.mark.parametrize(
    ('module', 'read'), [('h5py', mix_layouts.read_megadepth), ('OpenEXR', mix_layouts.read_exr)]
)
def test_missing_file_and_package_are_named(fake_formats, monkeypatch, tmp_path, module, read):
    with pytest.raises(InputError, match=r'cannot read .*/gone'):
        read(tmp_path / 'gone')
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError, match=f'needs {module}: pip install {module}$'):
        read(tmp_path / 'gone')


def test_maps_of_three_channels_or_16_bits(fake_formats, tmp_path):
    save_as(tmp_path / 'n_1.exr', np.ones((3, *SIZE)))
    with pytest.raises(InputError, match='has the channels R, G, B: expected one'):
        mix_layouts.read_exr(tmp_path / 'n_1.exr')
    write_map(tmp_path / 'a.png', ramp(np.uint16))
    with pytest.raises(InputError, match=r'a\.png holds uint16: expected 8 bits'):
        mix_layouts.read_redweb(tmp_path / 'a.png')


def test_tool_exits_with_one_message(call_tool, capsys, tmp_path):
    assert call_tool('dataset_converters/mix.py', 'HRWSI', tmp_path) == 1
    said = capsys.readouterr().err
    assert said.startswith(f'error: no image of HRWSI in {tmp_path}, looked for train/imgs/')

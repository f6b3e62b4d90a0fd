"""What a person names is found, read only when asked for, and named apart."""

import os
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from PIL import Image

from mmdpt.errors import InputError
from mmdpt.inference.sources import find_images, is_single

COLOURS = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)


def put(path: Path, value=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((1, 1, 3), value, np.uint8)).save(path)
    return path


def names_of(source):
    return [image.name for image in find_images(source)]


def sources_of(source, root):
    return [os.path.relpath(image.source, root) for image in find_images(source)]


def test_a_folder_is_in_natural_order(tmp_path):
    for name in ('frame10', 'frame2', 'Frame1', 'b/2', 'b/10', 'b10/1', 'b9/1'):
        put(tmp_path / f'{name}.png')
    expected = 'b/2.png b/10.png b9/1.png b10/1.png Frame1.png frame2.png frame10.png'
    assert sources_of(tmp_path, tmp_path) == expected.split()


def test_a_folder_leaves_out_what_is_hidden_or_no_image(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr('mmdpt.inference.sources.print_log', lambda text, *_: said.append(text))
    for name in ('a.jpg', 'B.PNG', 'sub/c.webp', '.hidden.png', '.cache/d.png', '._a.jpg'):
        put(tmp_path / name)
    (tmp_path / 'notes.txt').write_text('no image')
    (tmp_path / 'folder.png').mkdir()
    (tmp_path / 'round').symlink_to(tmp_path)  # is not followed
    (tmp_path / 'sub' / 'x.HEIC').touch()
    assert sources_of(tmp_path, tmp_path) == ['a.jpg', 'B.PNG', 'sub/c.webp']
    (text,) = said
    assert 'no suffix of an image (.HEIC, .txt)' in text and f'{tmp_path}/sub/x.HEIC' in text


def test_an_image_that_cannot_be_read_fails_when_it_is_loaded(tmp_path):
    put(tmp_path / '1.png', 3)
    (tmp_path / '2.png').write_bytes(b'no image')
    (tmp_path / '3.png').symlink_to(tmp_path / 'nowhere.png')
    good, bad, gone = find_images(tmp_path)
    np.testing.assert_array_equal(good.load(), [[[3, 3, 3]]])
    with pytest.raises(InputError, match=r'2\.png is no image'):
        bad.load()
    with pytest.raises(InputError, match=r'no image file .*3\.png'):
        gone.load()


def test_a_glob_gives_matching_images_in_natural_order(tmp_path):
    for name in ('a10.png', 'a9.png', 'b1.png', 'sub/a8.png'):
        put(tmp_path / name)
    (tmp_path / 'a1.txt').write_text('no image')
    assert names_of(f'{tmp_path}/a*') == ['a9', 'a10']
    assert names_of(tmp_path / 'a[0-9].*') == ['a9']
    assert sorted(names_of(f'{tmp_path}/**/a*.png')) == ['a10', 'a8', 'a9']
    path = put(tmp_path / 'a[9].png')  # a file of that name is no glob
    assert is_single(path) and sources_of(str(path), tmp_path) == ['a[9].png']


def test_the_home_folder_is_known_and_a_named_file_needs_no_suffix(tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    path = put(tmp_path / 'photo.png', 3).rename(tmp_path / 'photo')
    for source in ('~/photo', path):
        (image,) = find_images(source)
        assert (image.name, image.source) == ('photo', str(path))
        np.testing.assert_array_equal(image.load(), [[[3, 3, 3]]])


def test_a_list_keeps_its_order_and_a_file_named_twice_has_two_names(tmp_path):
    b, a = put(tmp_path / 'b.png'), put(tmp_path / 'a.png')
    for name in ('2', '10'):
        put(tmp_path / 'folder' / f'{name}.png')
    assert names_of([b, tmp_path / 'folder', (str(a),)]) == ['b', '2', '10', 'a']
    path, other = put(tmp_path / 'x.png'), put(tmp_path / 'x-png-2.png')
    assert names_of([path, path, other]) == ['x-png', 'x-png-3', 'x-png-2']


@pytest.mark.parametrize(
    ('source', 'message'),
    [
        ('missing.png', "no image, folder or match of a glob: '.*missing.png'"),
        ('empty', r'the folder .*empty has no image \(.*\.jpg'),
        ('*.jpg', r'no image matches .*\*\.jpg'),
        ('clip.mp4', r'clip\.mp4 is a video, not an image'),
    ],
)
def test_what_is_not_there_is_said(source, message, tmp_path):
    (tmp_path / 'empty').mkdir()
    put(tmp_path / 'a.png')
    for named in (tmp_path / source, [tmp_path / 'a.png', str(tmp_path / source)]):
        with pytest.raises(InputError, match=message):
            find_images(named)


def test_a_folder_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    put(tmp_path / 'a.png')
    refuse = Mock(side_effect=PermissionError(13, 'Permission denied', str(tmp_path)))
    monkeypatch.setattr(os, 'scandir', refuse)
    with pytest.raises(InputError, match=f'the folder {tmp_path} cannot be read: Permission'):
        find_images(tmp_path)


@pytest.mark.parametrize(
    ('files', 'names'),
    [
        (['a/x.jpg', 'b/x.jpg'], ['a-x', 'b-x']),
        (['x.jpg', 'x.png'], ['x-jpg', 'x-png']),
        (['x.jpg', 'sub/x.jpg'], ['x', 'sub-x']),
        (['a/x.jpg', 'b/x.jpg', 'c/y.jpg'], ['a-x', 'b-x', 'y']),
        (['p/1/x.jpg', 'p/2/x.jpg', 'q.jpg'], ['1-x', '2-x', 'q']),
        (['a/x.jpg', 'a/x.png', 'b/x.jpg'], ['a-x-jpg', 'a-x-png', 'b-x']),
        (['a/x.jpg', 'b/X.jpg'], ['a-x', 'b-X']),  # alike where case does not count
        (['a/x.jpg', 'b/x.jpg', 'a-x.jpg'], ['a-x-jpg', 'b-x', 'a-x']),
        (['x.1.jpg', 'x.2.jpg'], ['x.1', 'x.2']),
    ],
)
def test_files_that_share_a_name_are_told_apart(files, names, tmp_path):
    paths = [put(tmp_path / file) for file in files]
    assert names_of(paths) == names
    assert names_of(paths[::-1]) == names[::-1]


@pytest.mark.parametrize(
    ('file', 'name'),
    [
        ('.hidden.png', 'hidden'),
        (':.png', 'image'),
        ('a:b*c?.png', 'a-b-c'),
        ('tab\there.png', 'tab-here'),
        ('back\\slash.png', 'back-slash'),
        ('-flag.png', 'flag'),
        ('grüße 猫.png', 'grüße 猫'),
        (f'{"é" * 120}.png', 'é' * 90),  # 180 bytes
    ],
)
def test_a_name_is_no_path_and_not_hidden(file, name, tmp_path):
    assert names_of(put(tmp_path / file)) == [name]


def test_an_object_is_named_for_what_it_is_and_numbered_in_a_list(tmp_path):
    tensor = torch.from_numpy(COLOURS).permute(2, 0, 1)
    objects = dict(array=COLOURS, tensor=tensor, image=Image.fromarray(COLOURS))
    for name, value in objects.items():
        (image,) = find_images(value)
        assert (image.name, image.source) == (name, name)
        np.testing.assert_array_equal(image.load(), COLOURS)
    path = put(tmp_path / 'a.png')
    images = find_images([COLOURS, path, Image.fromarray(COLOURS), COLOURS])
    assert [image.name for image in images] == ['array-0', 'a', 'image-2', 'array-3']
    assert [image.source for image in images] == ['array 0', str(path), 'image 2', 'array 3']


def test_a_batch_is_a_list_of_images_and_the_channel_order_reaches_arrays_and_no_files(tmp_path):
    assert names_of(COLOURS[None]) == ['array-0']
    batch = np.stack([COLOURS, 255 - COLOURS])
    for source in (batch, torch.from_numpy(batch).permute(0, 3, 1, 2)):
        first, second = find_images(source)
        np.testing.assert_array_equal(first.load(), COLOURS)
        np.testing.assert_array_equal(second.load(), 255 - COLOURS)
        assert second.name.endswith('-1')
    path = tmp_path / 'a.png'
    Image.fromarray(COLOURS).save(path)
    for image in find_images([COLOURS[..., ::-1], path, Image.fromarray(COLOURS)], 'bgr'):
        np.testing.assert_array_equal(image.load(), COLOURS)


@pytest.mark.parametrize(
    ('source', 'message'),
    [
        ([], 'the list of images is empty'),
        (np.zeros((0, 2, 2, 3), np.uint8), r'a batch without images: \(0, 2, 2, 3\)'),
        (None, 'expected an image file, a folder.*received NoneType'),
        ({'a': 1}, 'received dict'),
        (b'a.png', 'received bytes'),
        ([COLOURS, 3], 'received int'),
    ],
)
def test_what_is_no_source_is_said(source, message):
    with pytest.raises(InputError, match=message):
        find_images(source)
    images = find_images([COLOURS, np.zeros((2, 2), np.int64)])
    with pytest.raises(InputError, match=r'^array 1: expected uint8.*received int64'):
        images[1].load()  # is looked at when it is loaded
    with pytest.raises(ValueError, match=r"channel_order must be one of .*'bgr'.*, got 'gbr'"):
        find_images(COLOURS, 'gbr')


def test_one_image_is_told_from_several(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    address = 'https://host.test/images/?all=*'
    objects = (COLOURS, torch.zeros(3, 2, 2), Image.new('L', (1, 1)))
    for source in ('missing.png', Path('a.png'), address, *objects):
        assert is_single(source) is True, source
    batches = (COLOURS[None], torch.zeros(1, 3, 2, 2), ['a.png'])
    for source in ('.', 'images/*.png', 'clip.mp4', '7', 0, *batches):
        assert is_single(source) is False, source

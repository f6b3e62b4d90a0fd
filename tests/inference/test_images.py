"""An image becomes (H, W, 3) uint8 RGB whatever its file or object, or the message says why not."""

import io
from unittest.mock import Mock

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from mmdpt.errors import InputError
from mmdpt.inference.images import as_rgb, decode_image, read_image

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
COLOURS = np.array([[RED, GREEN, BLUE], [WHITE, (10, 20, 30), (200, 100, 50)]], np.uint8)
DEEP = np.array([[0, 128, 129], [257 * 10, 257 * 254, 65535]], np.uint16)
LEVELS = np.arange(256).reshape(16, 16)
NOISE = Image.effect_noise((64, 64), 50)
DEEP_AS_8_BIT = [[0, 0, 1], [10, 254, 255]]  # 65535 / 255 = 257; 128 / 257 < 0.5 < 129 / 257


def file_of(image, kind='PNG', **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def rgb_of(values):
    values = np.array(values, np.uint8)
    return np.stack([values] * 3, axis=2) if values.ndim == 2 else values


def test_photographs_are_read_as_opencv_reads_them(data_root):
    photographs = sorted((data_root / 'demo_images').glob('*.jpg'))
    assert len(photographs) == 3
    for path in photographs:
        other = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB).astype(int)
        ours = read_image(path)
        assert ours.shape == other.shape
        assert np.abs(ours - other).max() <= 4  # two builds of libjpeg


@pytest.mark.parametrize(
    ('orientation', 'upright'),
    [
        (1, lambda stored: stored),
        (2, lambda stored: stored[:, ::-1]),
        (3, lambda stored: stored[::-1, ::-1]),
        (4, lambda stored: stored[::-1]),
        (5, lambda stored: stored.transpose(1, 0, 2)),
        (6, lambda stored: np.rot90(stored, -1)),
        (7, lambda stored: np.rot90(stored, 2).transpose(1, 0, 2)),
        (8, lambda stored: np.rot90(stored, 1)),
    ],
)
def test_exif_orientation_is_applied(orientation, upright):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = file_of(Image.fromarray(COLOURS), exif=exif)
    for read in (decode_image(data, 'turned'), as_rgb(Image.open(io.BytesIO(data)))):
        np.testing.assert_array_equal(read, upright(COLOURS))
    large = COLOURS.repeat(16, 0).repeat(16, 1)
    jpeg = file_of(Image.fromarray(large), 'JPEG', exif=exif, quality=100, subsampling=0)
    np.testing.assert_allclose(decode_image(jpeg, 'turned').astype(int), upright(large), atol=3)


def palette(indices, **options):
    image = Image.new('P', (3, 1))
    image.putpalette([*RED, *GREEN, *BLUE])
    image.putdata(indices)
    return file_of(image, **options)


def array(values, dtype=np.uint8):
    return Image.fromarray(np.array(values, dtype))


def tiff_16_bits(order, mode):
    return file_of(Image.frombytes(mode, (3, 2), DEEP.astype(f'{order}u2').tobytes()), 'TIFF')


TWO = [array([[10]]), array([[200]])]
CONTENTS = {
    'grey': (file_of(array([[0, 7], [128, 255]])), [[0, 7], [128, 255]]),
    'one bit': (file_of(array([[True, False], [False, True]], bool)), [[255, 0], [0, 255]]),
    '16-bit PNG': (file_of(Image.fromarray(DEEP)), DEEP_AS_8_BIT),
    '16-bit PGM': (b'P5 3 2 65535\n' + DEEP.astype('>u2').tobytes(), DEEP_AS_8_BIT),
    '16-bit TIFF': (tiff_16_bits('<', 'I;16'), DEEP_AS_8_BIT),
    '16-bit TIFF, big-endian': (tiff_16_bits('>', 'I;16B'), DEEP_AS_8_BIT),
    '16-bit colours': (
        cv2.imencode('.png', (COLOURS.astype(np.uint16) * 257)[..., ::-1])[1].tobytes(),
        COLOURS,
    ),
    'opacity': (  # 51 / 255 = 1 / 5
        file_of(array([[(*RED, 255), (*RED, 0), (*RED, 51)]])),
        [[RED, WHITE, (255, 204, 204)]],
    ),
    'grey with opacity': (file_of(array([[(0, 255), (0, 0), (0, 51)]])), [[0, 255, 204]]),
    'palette': (palette([2, 0, 1]), [[BLUE, RED, GREEN]]),
    'palette with opacity': (palette([0, 1, 2], transparency=1), [[RED, WHITE, BLUE]]),
    'transparent colour': (file_of(array(COLOURS[:1]), transparency=GREEN), [[RED, WHITE, BLUE]]),
    'first of several': (file_of(array([[9]]), 'TIFF', save_all=True, append_images=TWO), [[9]]),
    'floats in [0, 1]': (file_of(array([[0, 0.4, 1]], np.float32), 'TIFF'), [[0, 102, 255]]),
}


@pytest.mark.parametrize('kind', CONTENTS)
def test_pixels_of_every_kind_become_rgb_of_8_bits(kind):
    """Grey has three equal channels, 16 bits span the full range, white lies under opacity."""
    data, expected = CONTENTS[kind]
    np.testing.assert_array_equal(decode_image(data, kind), rgb_of(expected))


def test_a_cmyk_jpeg_gives_its_colours():
    cmyk = Image.new('CMYK', (16, 16), (0, 255, 255, 0))  # no cyan, full magenta and yellow: red
    read = decode_image(file_of(cmyk, 'JPEG', quality=100), 'cmyk')
    assert np.abs(read.astype(int) - RED).max() <= 2


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda path: None, 'no image file'),
        (lambda path: path.mkdir(), 'is a folder'),
        (lambda path: path.write_bytes(b''), 'is empty'),
        (lambda path: path.write_bytes(b'<html>not found</html>'), 'is no image that can be read'),
        (
            lambda path: Image.fromarray(np.array([[-1, 5]], np.int32)).save(path, 'TIFF'),
            r'mode I: expected numbers in \[0, 65535\], received -1 to 5',
        ),
        (
            lambda path: Image.fromarray(np.array([[0, 80]], np.float32)).save(path, 'TIFF'),
            r'mode F: expected .* in \[0, 1\], received 0 to 80',
        ),
        (lambda path: path.write_bytes(b'P5 0 4 255\n'), 'is no image'),
        (lambda path: path.write_bytes(file_of(NOISE, 'JPEG')[:1000]), 'is damaged: .*truncated'),
    ],
    ids=['missing', 'folder', 'empty', 'text', 'negative', 'metres', 'zero-sized', 'cut short'],
)
def test_what_is_wrong_with_a_file_is_said(make, message, tmp_path):
    path = tmp_path / 'wrong.png'
    make(path)
    with pytest.raises(InputError, match=message) as raised:
        read_image(path)
    assert str(path) in str(raised.value)


def test_a_file_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    path = tmp_path / 'mine.png'
    path.write_bytes(file_of(Image.fromarray(COLOURS)))
    refuse = Mock(side_effect=PermissionError(13, 'Permission denied'))
    monkeypatch.setattr('pathlib.Path.open', refuse)
    with pytest.raises(InputError, match=r'mine\.png cannot be opened: Permission denied'):
        read_image(path)


TENSOR = torch.from_numpy(COLOURS).permute(2, 0, 1)
OBJECTS = {
    'RGB': (COLOURS, 'rgb', COLOURS),
    'grey': (COLOURS[..., 0], 'rgb', COLOURS[..., 0]),
    'grey with an axis': (COLOURS[..., :1], 'rgb', COLOURS[..., 0]),
    'grey has no order': (COLOURS[..., 0], 'bgr', COLOURS[..., 0]),
    'BGR': (COLOURS[..., ::-1], 'bgr', COLOURS),
    'BGR with opacity': (np.uint8([[(*BLUE, 51)]]), 'bgr', [[(255, 204, 204)]]),
    'Pillow knows its order': (Image.fromarray(COLOURS), 'bgr', COLOURS),
    '16 bits': (DEEP, 'rgb', DEEP_AS_8_BIT),
    'tensor': (TENSOR, 'rgb', COLOURS),
    'BGR tensor': (TENSOR.flip(0), 'bgr', COLOURS),
    'grey tensor': (TENSOR[:1], 'rgb', COLOURS[..., 0]),
    'tensor with gradient': ((TENSOR / 255).requires_grad_(), 'rgb', COLOURS),
    'bfloat16': (torch.tensor([[[0, 0.5, 1]]]).bfloat16(), 'rgb', [[0, 128, 255]]),
    **{
        dtype: ((LEVELS / 255).astype(dtype), 'rgb', LEVELS)
        for dtype in ('float16', 'float32', 'float64')
    },
}


@pytest.mark.parametrize('kind', OBJECTS)
def test_an_object_of_every_kind_is_copied_into_rgb_of_8_bits(kind):
    image, order, expected = OBJECTS[kind]
    rgb = as_rgb(image, order)
    np.testing.assert_array_equal(rgb, rgb_of(expected))
    assert not isinstance(image, np.ndarray) or not np.shares_memory(rgb, image)


@pytest.mark.parametrize(
    ('image', 'message'),
    [
        (np.zeros((2, 3, 2), np.uint8), r'expected an array .*received \(2, 3, 2\)'),
        (np.zeros((3, 8, 8), np.uint8), r'expected an array .*received \(3, 8, 8\)'),
        (np.zeros(5, np.uint8), r'received \(5,\)'),
        (np.zeros((0, 3, 3), np.uint8), r'expected pixels, received the shape \(0, 3, 3\)'),
        (np.zeros((2, 3), np.int64), 'expected uint8, uint16 or floating point .*received int64'),
        (np.zeros((2, 3), bool), 'received bool'),
        (np.full((2, 3), 1.01), r'expected .*\[0, 1\], received 1.01 to 1.01'),
        (np.full((2, 3), -0.5), r'received -0.5 to -0.5'),
        (np.array([[0.5, np.nan]]), 'received nan to nan'),
        (np.array([[0.5, np.inf]]), 'received 0.5 to inf'),
        (torch.zeros(8, 8, 3), r'expected a tensor \(3, H, W\).*received \(8, 8, 3\)'),
        (torch.zeros(8, 8), r'received \(8, 8\)'),
        (torch.zeros(3, 0, 4), r'expected pixels, received the shape \(0, 4, 3\)'),
        (torch.zeros(3, 2, 2, dtype=torch.int64), 'received int64'),
        (Image.new('RGB', (0, 4)), 'has no pixels: 0 x 4 px'),
        (Image.open(io.BytesIO(file_of(NOISE)[:1000])), 'the PIL image is damaged'),
        ([[0, 1]], 'expected an array, a PIL image or a tensor, received list'),
    ],
)
def test_what_is_wrong_with_an_object_or_the_order_is_said(image, message):
    with pytest.raises(InputError, match=message):
        as_rgb(image)
    with pytest.raises(ValueError, match=r"channel_order must be one of .*'bgr'.*, got 'gbr'"):
        as_rgb(COLOURS, 'gbr')

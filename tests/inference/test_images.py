"""An image becomes (H, W, 3) uint8 RGB whatever its file or object, or the message says why not."""

import io
import struct
import zlib

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
DEEP_AS_8_BIT = [[0, 0, 1], [10, 254, 255]]  # 65535 / 255 = 257; 128 / 257 < 0.5 < 129 / 257


def png_of(image, **options):
    buffer = io.BytesIO()
    image.save(buffer, 'PNG', **options)
    return buffer.getvalue()


def rgb_of(grey):
    return np.repeat(np.array(grey, np.uint8)[..., None], 3, axis=2)


def bomb():
    """A PNG whose header alone says 20000 x 20000 px."""

    def chunk(kind, data):
        return (
            struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
        )

    header = struct.pack('>IIBBBBB', 20000, 20000, 8, 2, 0, 0, 0)
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) + chunk(b'IDAT', b'') + chunk(b'IEND', b'')


# --- files ---------------------------------------------------------------------------------------


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
    data = png_of(Image.fromarray(COLOURS), exif=exif)
    np.testing.assert_array_equal(decode_image(data, 'turned'), upright(COLOURS))


def test_a_photograph_on_its_side_is_turned(data_root, tmp_path):
    path = next((data_root / 'demo_images').glob('david*.jpg'))
    upright = read_image(path)
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(path) as image:
        image.save(tmp_path / 'turned.jpg', exif=exif, quality=95)
    turned = read_image(tmp_path / 'turned.jpg')
    assert turned.shape == (upright.shape[1], upright.shape[0], 3)
    assert np.abs(turned.astype(int) - np.rot90(upright, -1)).mean() < 3


def test_grey_becomes_three_equal_channels():
    grey = np.array([[0, 7], [128, 255]], np.uint8)
    np.testing.assert_array_equal(decode_image(png_of(Image.fromarray(grey)), 'grey'), rgb_of(grey))


def test_one_bit_becomes_black_and_white():
    bits = np.array([[True, False], [False, True]])
    read = decode_image(png_of(Image.fromarray(bits)), 'bits')
    np.testing.assert_array_equal(read, rgb_of([[255, 0], [0, 255]]))


def test_sixteen_bit_png_spans_the_full_range():
    read = decode_image(png_of(Image.fromarray(DEEP)), 'deep')
    np.testing.assert_array_equal(read, rgb_of(DEEP_AS_8_BIT))


def test_sixteen_bit_pgm_spans_the_full_range():
    data = b'P5 3 2 65535\n' + DEEP.astype('>u2').tobytes()
    np.testing.assert_array_equal(decode_image(data, 'deep'), rgb_of(DEEP_AS_8_BIT))


@pytest.mark.parametrize('order', ['<', '>'])
def test_sixteen_bit_tiff_spans_the_full_range(order):
    buffer = io.BytesIO()
    Image.frombytes(
        'I;16' if order == '<' else 'I;16B', (3, 2), DEEP.astype(f'{order}u2').tobytes()
    ).save(buffer, 'TIFF')
    np.testing.assert_array_equal(decode_image(buffer.getvalue(), 'deep'), rgb_of(DEEP_AS_8_BIT))


def test_sixteen_bit_colours_keep_their_high_bytes():
    encoded, data = cv2.imencode('.png', (COLOURS.astype(np.uint16) * 257)[..., ::-1])
    assert encoded
    np.testing.assert_array_equal(decode_image(data.tobytes(), 'deep colours'), COLOURS)


def test_transparent_pixels_lie_over_white():
    rgba = np.array([[(*RED, 255), (*RED, 0), (*RED, 51)]], np.uint8)  # 51 / 255 = 1 / 5
    read = decode_image(png_of(Image.fromarray(rgba)), 'rgba')
    np.testing.assert_array_equal(read, [[RED, WHITE, (255, 204, 204)]])


def test_transparent_grey_lies_over_white():
    la = np.array([[(0, 255), (0, 0), (0, 51)]], np.uint8)
    read = decode_image(png_of(Image.fromarray(la)), 'la')
    np.testing.assert_array_equal(read, rgb_of([[0, 255, 204]]))


def test_a_transparent_colour_of_a_palette_lies_over_white():
    palette = Image.new('P', (3, 1))
    palette.putpalette([*RED, *GREEN, *BLUE])
    palette.putdata([0, 1, 2])
    read = decode_image(png_of(palette, transparency=1), 'palette')
    np.testing.assert_array_equal(read, [[RED, WHITE, BLUE]])


def test_a_palette_gives_its_colours():
    palette = Image.new('P', (3, 1))
    palette.putpalette([*RED, *GREEN, *BLUE])
    palette.putdata([2, 0, 1])
    np.testing.assert_array_equal(decode_image(png_of(palette), 'palette'), [[BLUE, RED, GREEN]])


def test_a_transparent_colour_key_lies_over_white():
    data = png_of(Image.fromarray(COLOURS[:1]), transparency=GREEN)
    np.testing.assert_array_equal(decode_image(data, 'key'), [[RED, WHITE, BLUE]])


def test_a_cmyk_jpeg_gives_its_colours():
    cmyk = Image.new('CMYK', (16, 16), (0, 255, 255, 0))  # no cyan, full magenta and yellow: red
    buffer = io.BytesIO()
    cmyk.save(buffer, 'JPEG', quality=100)
    read = decode_image(buffer.getvalue(), 'cmyk')
    assert np.abs(read.astype(int) - RED).max() <= 2


def test_of_several_images_the_first_is_read():
    first, second = Image.new('L', (2, 2), 10), Image.new('L', (2, 2), 200)
    buffer = io.BytesIO()
    first.save(buffer, 'TIFF', save_all=True, append_images=[second])
    np.testing.assert_array_equal(decode_image(buffer.getvalue(), 'stack'), rgb_of([[10] * 2] * 2))


def test_a_float_tiff_in_0_to_1_is_scaled():
    buffer = io.BytesIO()
    Image.fromarray(np.array([[0, 0.4, 1]], np.float32)).save(buffer, 'TIFF')
    np.testing.assert_array_equal(
        decode_image(buffer.getvalue(), 'floats'), rgb_of([[0, 102, 255]])
    )


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda path: None, 'no image file'),
        (lambda path: path.mkdir(), 'is a folder'),
        (lambda path: path.write_bytes(b''), 'is empty'),
        (lambda path: path.write_bytes(b'<html>not found</html>'), 'is no image that can be read'),
        (lambda path: path.write_bytes(bomb()), r'is too large: .*400000000 pixels'),
        (
            lambda path: Image.fromarray(np.array([[-1, 5]], np.int32)).save(path, 'TIFF'),
            r'mode I: expected numbers in \[0, 65535\], received -1 to 5',
        ),
        (
            lambda path: Image.fromarray(np.array([[0, 80]], np.float32)).save(path, 'TIFF'),
            r'mode F: expected .* in \[0, 1\], received 0 to 80',
        ),
        (lambda path: path.write_bytes(b'P5 0 4 255\n'), 'is no image'),
    ],
    ids=['missing', 'folder', 'empty', 'text', 'bomb', 'negative', 'metres', 'zero-sized'],
)
def test_what_is_wrong_with_a_file_is_said(make, message, tmp_path):
    path = tmp_path / 'wrong.png'
    make(path)
    with pytest.raises(InputError, match=message) as raised:
        read_image(path)
    assert str(path) in str(raised.value)


def test_a_photograph_cut_short_is_damaged(data_root, tmp_path):
    whole = next((data_root / 'demo_images').glob('*.jpg')).read_bytes()
    path = tmp_path / 'short.jpg'
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r'short\.jpg is damaged: .*truncated'):
        read_image(path)


@pytest.mark.parametrize('kept', [12, 30, 45, 60])
def test_a_png_cut_anywhere_is_refused(kept):
    data = png_of(Image.fromarray(COLOURS))
    assert kept < len(data)
    with pytest.raises(InputError, match=r'^short\.png is (damaged|no image)'):
        decode_image(data[:kept], 'short.png')


def test_postscript_is_not_run():
    with pytest.raises(InputError, match='page is no image'):
        decode_image(b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n', 'page')


def test_a_file_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    path = tmp_path / 'mine.png'
    path.write_bytes(png_of(Image.fromarray(COLOURS)))

    def refuse(*args):
        raise PermissionError(13, 'Permission denied')

    monkeypatch.setattr('pathlib.Path.open', refuse)
    with pytest.raises(InputError, match=r'mine\.png cannot be opened: Permission denied'):
        read_image(path)


# --- objects -------------------------------------------------------------------------------------


def test_an_array_is_copied():
    array = COLOURS.copy()
    rgb = as_rgb(array)
    array[:] = 0
    np.testing.assert_array_equal(rgb, COLOURS)


def test_bgr_is_turned_round():
    np.testing.assert_array_equal(as_rgb(COLOURS[..., ::-1], 'bgr'), COLOURS)


def test_bgr_with_opacity_is_turned_round():
    bgra = np.array([[(*BLUE, 255), (*BLUE, 51)]], np.uint8)  # read as BGR: red
    np.testing.assert_array_equal(as_rgb(bgra, 'bgr'), [[RED, (255, 204, 204)]])


def test_channel_order_leaves_grey_and_pillow_alone():
    np.testing.assert_array_equal(as_rgb(COLOURS[..., 0], 'bgr'), rgb_of(COLOURS[..., 0]))
    np.testing.assert_array_equal(as_rgb(Image.fromarray(COLOURS), 'bgr'), COLOURS)


@pytest.mark.parametrize('shape', [(2, 3), (2, 3, 1)])
def test_a_grey_array_becomes_three_equal_channels(shape):
    grey = COLOURS[..., 0].reshape(shape)
    np.testing.assert_array_equal(as_rgb(grey), rgb_of(COLOURS[..., 0]))


def test_sixteen_bits_are_scaled_to_eight():
    np.testing.assert_array_equal(as_rgb(DEEP), rgb_of(DEEP_AS_8_BIT))


@pytest.mark.parametrize('dtype', [np.float16, np.float32, np.float64])
def test_every_8_bit_level_survives_as_a_float(dtype):
    levels = np.arange(256).reshape(16, 16)
    np.testing.assert_array_equal(as_rgb((levels / 255).astype(dtype)), rgb_of(levels))


def test_a_tensor_has_its_channels_first():
    tensor = torch.from_numpy(COLOURS).permute(2, 0, 1)
    np.testing.assert_array_equal(as_rgb(tensor), COLOURS)
    np.testing.assert_array_equal(as_rgb(tensor.flip(0), 'bgr'), COLOURS)
    np.testing.assert_array_equal(as_rgb(tensor[:1]), rgb_of(COLOURS[..., 0]))


def test_a_tensor_with_gradient_is_read():
    tensor = (torch.from_numpy(COLOURS).permute(2, 0, 1) / 255).requires_grad_()
    np.testing.assert_array_equal(as_rgb(tensor), COLOURS)


def test_a_bfloat16_tensor_is_read():
    tensor = torch.tensor([[[0, 0.5, 1]]], dtype=torch.bfloat16)
    np.testing.assert_array_equal(as_rgb(tensor), rgb_of([[0, 128, 255]]))


def test_an_opened_image_is_what_its_file_is(data_root, tmp_path):
    path = tmp_path / 'turned.png'
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(COLOURS).save(path, exif=exif)
    with Image.open(path) as image:
        np.testing.assert_array_equal(as_rgb(image), read_image(path))


def test_an_opened_image_that_is_cut_short_is_refused():
    photograph = Image.effect_noise((64, 64), 50)
    with (
        Image.open(io.BytesIO(png_of(photograph)[:1000])) as image,
        pytest.raises(InputError, match='the PIL image is damaged'),
    ):
        as_rgb(image)


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
        ([[0, 1]], 'expected an array, a PIL image or a tensor, received list'),
    ],
)
def test_what_is_wrong_with_an_object_is_said(image, message):
    with pytest.raises(InputError, match=message):
        as_rgb(image)


def test_an_unknown_channel_order_is_refused():
    with pytest.raises(ValueError, match="must be 'rgb' or 'bgr', got 'gbr'"):
        as_rgb(COLOURS, 'gbr')

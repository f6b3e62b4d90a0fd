"""An image or map larger than the limit is refused before a pixel is decoded."""

import io
import os
import resource
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import EpsImagePlugin, Image

from mmdpt.datasets.depth_files import read_depth_file
from mmdpt.datasets.transforms.loading import LoadAnnotations, LoadImageFromFile
from mmdpt.errors import InputError
from mmdpt.files.image_checks import (
    GREATEST_PIXELS,
    PIXELS_VARIABLE,
    check_file_size,
    check_image,
    check_pixels,
    image_size,
)
from mmdpt.inference.images import decode_image, read_image

PIXELS = (np.arange(70 * 50) % 251).astype(np.uint8).reshape(70, 50)
EPS = b"""%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 10 10
%%EndComments
showpage
%%EOF
"""


def encoded(suffix, values=PIXELS):
    return cv2.imencode(suffix, values)[1].tobytes()


def as_image(path):
    return LoadImageFromFile()(dict(img_path=str(path)))


def as_label(path, backend='cv2'):
    results = dict(seg_map_path=str(path), seg_fields=[], reduce_zero_label=False)
    return LoadAnnotations(imdecode_backend=backend)(results)


def as_depth(path):
    return read_depth_file(str(path))


READERS = {'picture': read_image, 'image': as_image, 'label': as_label, 'depth': as_depth}


def with_size(data, height, width):
    """Change a header to another size."""
    if data.startswith(b'\x89PNG'):
        header = b'IHDR' + struct.pack('>II', width, height) + data[24:29]
        return data[:12] + header + struct.pack('>I', zlib.crc32(header)) + data[33:]
    if data.startswith(b'\xff\xd8'):
        place = data.index(b'\xff\xc0') + 5
        return data[:place] + struct.pack('>HH', height, width) + data[place + 4 :]
    if data.startswith(b'BM'):
        return data[:18] + struct.pack('<ii', width, height) + data[26:]
    assert data.startswith(b'II*\0')
    directory = struct.unpack_from('<I', data, 4)[0]
    data = bytearray(data)
    for index in range(struct.unpack_from('<H', data, directory)[0]):
        place = directory + 2 + 12 * index
        tag = struct.unpack_from('<H', data, place)[0]
        if tag in (256, 257):
            struct.pack_into('<HII', data, place + 2, 4, 1, width if tag == 256 else height)
    return bytes(data)


@pytest.mark.parametrize('suffix', ['.png', '.tiff', '.jpg', '.bmp'])
def test_no_reader_decodes_a_bomb(tmp_path, suffix):
    """Headers from one pixel beyond the limit to the greatest that each format can say."""
    sizes = [(20000, 30000), (1, GREATEST_PIXELS + 1), (13378, 13378), (65535, 65535)]
    large = [(2**20, 2**20), (2**31 - 1, 1), (2**31 - 1, 2**31 - 1)]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for height, width in sizes + large:
        if suffix == '.jpg' and max(height, width) > 65535:
            continue
        path = tmp_path / f'large{suffix}'
        path.write_bytes(with_size(encoded(suffix), height, width))
        assert path.stat().st_size < 6000
        for reader, read in READERS.items():
            if reader == 'depth' and suffix in ('.jpg', '.bmp'):
                continue
            with pytest.raises(InputError, match=rf'large\{suffix}') as caught:
                read(path)
            if height == 20000:
                for said in ('600000000', str(GREATEST_PIXELS), PIXELS_VARIABLE):
                    assert said in str(caught.value)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


@pytest.mark.parametrize('reader', READERS)
def test_the_limit_is_the_last_that_is_read(tmp_path, reader, monkeypatch):
    path = tmp_path / 'a.png'
    path.write_bytes(encoded('.png'))
    monkeypatch.setenv(PIXELS_VARIABLE, '3500')
    READERS[reader](path)
    monkeypatch.setenv(PIXELS_VARIABLE, '3499')
    message = rf'50 x 70 = 3500 px, more than the 3499 that are read; .*{PIXELS_VARIABLE}=3500'
    with pytest.raises(InputError, match=message):
        READERS[reader](path)


def test_the_limit_that_a_user_raises_is_pillows_too(monkeypatch):
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 1000)
    data = encoded('.png')
    with pytest.raises(InputError, match=rf'photo is too large: .*3500 pixels.*{PIXELS_VARIABLE}='):
        decode_image(data, 'photo')
    monkeypatch.setenv(PIXELS_VARIABLE, '3500')
    assert decode_image(data, 'photo').shape == (70, 50, 3)


@pytest.mark.parametrize('said', ['0', '-1', 'many', '1e9', '9' * 30])
def test_a_limit_that_is_no_number_is_refused(monkeypatch, said):
    monkeypatch.setenv(PIXELS_VARIABLE, said)
    with pytest.raises(InputError, match=f'{PIXELS_VARIABLE} must be a number of pixels'):
        check_pixels(1, 1, 'a')


def pillows(kind, **options):
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, kind, **options)
    return buffer.getvalue()


SUFFIXES = ('.png', '.jpg', '.bmp', '.tiff', '.webp', '.jp2', '.ppm', '.ras', '.gif', '.avif')
VARIANTS = [
    *(encoded(suffix, np.repeat(PIXELS[..., None], 3, axis=2)) for suffix in SUFFIXES),
    *(encoded('.tiff', PIXELS.astype(dtype)) for dtype in ('u1', 'u2', 'f4', 'f8')),
    encoded('.hdr', np.zeros((70, 50, 3), np.float32)),
    pillows('JPEG', progressive=True),
    pillows('JPEG', exif=b'Exif\0\0' + b'\xff\xc0' * 9),
    pillows('TIFF', big_tiff=True),
]


@pytest.mark.parametrize('data', VARIANTS, ids=range(len(VARIANTS)))
def test_the_size_is_known_of_every_format_and_variant(data):
    assert image_size(data) == (70, 50)


def test_of_two_widths_of_a_tiff_the_larger_counts():
    data = bytearray(encoded('.tiff'))
    directory = struct.unpack_from('<I', data, 4)[0]
    third = directory + 2 + 2 * 12
    struct.pack_into('<HHII', data, third, 256, 4, 1, 10**6)
    assert image_size(bytes(data)) == (70, 10**6)


def test_the_code_stream_of_a_jpeg_2000_counts_not_its_container():
    data = encoded('.jp2')
    place = data.index(b'\xff\x4f\xff\x51') + 8
    data = data[:place] + struct.pack('>II', 50000, 40000) + data[place + 8 :]
    with pytest.raises(InputError, match=rf'it has 50000 x 40000 = {2 * 10**9} px'):
        check_image(data)


@pytest.mark.parametrize('length', range(0, 60, 3))
def test_a_cut_header_is_no_image(length):
    for suffix in ('.png', '.jpg', '.tiff', '.jp2', '.hdr'):
        values = np.zeros((70, 50, 3), np.float32) if suffix == '.hdr' else PIXELS
        size = image_size(encoded(suffix, values)[:length])
        assert size in (None, (70, 50))


@pytest.mark.parametrize('reader', ['picture', 'image', 'label', 'label by Pillow'])
def test_no_reader_starts_a_program(tmp_path, reader, monkeypatch):
    """Pillow hands PostScript to Ghostscript, whatever the file is called."""
    monkeypatch.setattr(EpsImagePlugin, 'Ghostscript', lambda *_, **__: pytest.fail('started'))
    path = tmp_path / 'label.png'
    path.write_bytes(EPS)
    readers = {**READERS, 'label by Pillow': lambda path: as_label(path, 'pillow')}
    with pytest.raises(InputError, match=r'label\.png.* no .*image'):
        readers[reader](path)


@pytest.mark.parametrize('reader', READERS)
def test_neither_a_huge_file_nor_a_device_is_read_and_a_pipe_not_waited_for(tmp_path, reader):
    """A sparse file: nothing on the disk, 3 GiB to read. An archive can hold a link to a device."""
    huge, device, pipe = (tmp_path / f'{name}.png' for name in ('huge', 'device', 'pipe'))
    huge.touch()
    os.truncate(huge, 3 << 30)
    device.symlink_to('/dev/zero')
    os.mkfifo(pipe)
    message = r'huge\.png has 3221225472 bytes, more than the 2147483648'
    for path, said in ((huge, message), (device, r'device\.png'), (pipe, r'pipe\.png')):
        with pytest.raises(InputError, match=said):
            READERS[reader](path)
    with pytest.raises(InputError, match=r'pipe\.png is no regular file'):
        check_file_size(pipe)


@pytest.mark.parametrize(
    ('shape', 'dtype', 'message'),
    [
        ((10**6, 10**6), '<f4', '35 bytes for float32 of shape .* which has 4000000000000'),
        ((7, 6), '|u1', '35 bytes for uint8 of shape'),
        ((7, 4), '|u1', '35 bytes for uint8 of shape'),
        ((-7, -5), '|u1', '35 bytes for uint8 of shape'),
        ((7, 5), '|O', 'object'),
    ],
)
def test_an_npy_header_is_held_to_the_file(tmp_path, shape, dtype, message):
    path = tmp_path / 'a.npy'
    with path.open('wb') as file:
        header = dict(descr=dtype, fortran_order=False, shape=shape)
        np.lib.format.write_array_header_1_0(file, header)
        file.write(bytes(35))
    with pytest.raises(InputError, match=rf'cannot read depth file .*a\.npy: .*{message}'):
        read_depth_file(str(path))


def test_an_npy_of_pickles_is_not_executed(tmp_path, marker):
    class Trick:
        def __reduce__(self):
            return os.system, (f'touch {marker}',)

    path = tmp_path / 'a.npy'
    np.save(path, np.array([[Trick()]], object), allow_pickle=True)
    with pytest.raises(InputError, match=r'a\.npy'):
        read_depth_file(str(path))
    assert not marker.exists()

"""An image or map larger than the limit is refused before a pixel is decoded."""

import io
import os
import resource
import struct
import zlib

import cv2
import numpy as np
import pytest
from mmcv.transforms import Compose
from PIL import Image

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


@pytest.mark.parametrize('reader', READERS)
@pytest.mark.parametrize('suffix', ['.png', '.tiff'])
def test_a_header_beyond_the_limit_is_refused_by_every_reader(tmp_path, reader, suffix):
    path = tmp_path / f'large{suffix}'
    path.write_bytes(with_size(encoded(suffix), 20000, 30000))
    assert path.stat().st_size < 1000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match=rf'large\{suffix}.*600000000') as caught:
        READERS[reader](path)
    assert str(GREATEST_PIXELS) in str(caught.value) and PIXELS_VARIABLE in str(caught.value)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


@pytest.mark.nightly
def test_no_reader_decodes_a_bomb(tmp_path, record):
    """Headers from one pixel beyond the limit to the greatest that each format can say."""
    sizes = [(1, GREATEST_PIXELS + 1), (13378, 13378), (20000, 30000), (65535, 65535)]
    large = [(2**20, 2**20), (2**31 - 1, 1), (2**31 - 1, 2**31 - 1)]
    before, tried = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 0
    for suffix in ('.png', '.tiff', '.jpg', '.bmp'):
        for height, width in sizes + large:
            if suffix == '.jpg' and max(height, width) > 65535:
                continue
            path = tmp_path / f'large{suffix}'
            path.write_bytes(with_size(encoded(suffix), height, width))
            for reader, read in READERS.items():
                if reader == 'depth' and suffix in ('.jpg', '.bmp'):
                    continue
                with pytest.raises(InputError, match=rf'large\{suffix}'):
                    read(path)
                tried += 1
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 64 << 10
    record('decompression bombs', f'{tried} images and maps', 'all refused, no memory taken')


@pytest.mark.parametrize('suffix', ['.jpg', '.bmp'])
@pytest.mark.parametrize('reader', ['picture', 'image', 'label'])
def test_other_kinds_of_images_are_refused_too(tmp_path, reader, suffix):
    path = tmp_path / f'large{suffix}'
    path.write_bytes(with_size(encoded(suffix), 20000, 30000))
    with pytest.raises(InputError, match=rf'large\{suffix}.*600000000'):
        READERS[reader](path)


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


@pytest.mark.parametrize(
    'suffix', ['.png', '.jpg', '.bmp', '.tiff', '.webp', '.jp2', '.ppm', '.ras', '.gif', '.avif']
)
def test_the_size_is_the_decoders(suffix):
    data = encoded(suffix, np.repeat(PIXELS[..., None], 3, axis=2))
    assert image_size(data) == cv2.imdecode(np.frombuffer(data, np.uint8), -1).shape[:2] == (70, 50)


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16, np.float32, np.float64])
def test_tiffs_of_every_number_type_are_known(dtype):
    assert image_size(encoded('.tiff', PIXELS.astype(dtype))) == (70, 50)


def test_radiance_is_known():
    assert image_size(encoded('.hdr', np.zeros((70, 50, 3), np.float32))) == (70, 50)


@pytest.mark.parametrize(
    'options', [dict(progressive=True), dict(exif=b'Exif\0\0' + b'\xff\xc0' * 9)]
)
def test_a_jpegs_size_is_its_frames(options):
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, 'JPEG', **options)
    assert image_size(buffer.getvalue()) == (70, 50)


def test_a_big_tiffs_size_is_known():
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, 'TIFF', big_tiff=True)
    assert buffer.getvalue()[:4] == b'II+\0'
    assert image_size(buffer.getvalue()) == (70, 50)


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


@pytest.mark.parametrize('backend', ['cv2', 'pillow'])
def test_a_label_starts_no_program(tmp_path, backend, monkeypatch):
    """Pillow hands PostScript to Ghostscript, whatever the file is called."""
    from PIL import EpsImagePlugin

    monkeypatch.setattr(EpsImagePlugin, 'Ghostscript', lambda *_, **__: pytest.fail('started'))
    path = tmp_path / 'label.png'
    path.write_bytes(EPS)
    with pytest.raises(InputError, match=r'label .*label\.png: it is no whole image of a kind'):
        as_label(path, backend)


@pytest.mark.parametrize('reader', ['picture', 'image'])
def test_an_image_starts_no_program(tmp_path, reader):
    path = tmp_path / 'a.jpg'
    path.write_bytes(EPS)
    with pytest.raises(InputError, match=r'a\.jpg.* no .*image'):
        READERS[reader](path)


@pytest.mark.parametrize('reader', READERS)
def test_a_file_beyond_the_limit_is_not_read(tmp_path, reader):
    """A sparse file: nothing on the disk, 3 GiB to read."""
    path = tmp_path / 'a.png'
    with path.open('wb') as file:
        file.truncate(3 << 30)
    with pytest.raises(InputError, match=r'a\.png has 3221225472 bytes, more than the 2147483648'):
        READERS[reader](path)


@pytest.mark.parametrize('reader', READERS)
def test_a_device_is_not_read(tmp_path, reader):
    """An archive can hold a link to one without an end."""
    path = tmp_path / 'a.png'
    path.symlink_to('/dev/zero')
    with pytest.raises(InputError, match=r'a\.png'):
        READERS[reader](path)


def test_a_pipe_is_not_waited_for(tmp_path):
    path = tmp_path / 'a.png'
    os.mkfifo(path)
    with pytest.raises(InputError, match=r'a\.png is no regular file'):
        check_file_size(path)


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


def test_an_npy_of_pickles_is_not_executed(tmp_path, all_tricks, marker):
    class Trick:
        def __reduce__(self):
            import os

            return os.system, (f'touch {marker}',)

    path = tmp_path / 'a.npy'
    np.save(path, np.array([[Trick()]], object), allow_pickle=True)
    with pytest.raises(InputError, match=r'a\.npy'):
        read_depth_file(str(path))
    assert not marker.exists()


def test_a_pipeline_names_the_file(tmp_path, large_png):
    path = tmp_path / 'large.png'
    path.write_bytes(large_png(40000, 40000))
    with pytest.raises(InputError, match=r'cannot read image .*large\.png: it has 40000 x 40000'):
        Compose([LoadImageFromFile()])(dict(img_path=str(path)))

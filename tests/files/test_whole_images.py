"""A picture that is cut short is refused, whatever the decoder makes of it."""

import io

import numpy as np
import pytest
from PIL import Image

from mmdpt.datasets.transforms.loading import LoadImageFromFile
from mmdpt.errors import InputError
from mmdpt.files.image_checks import check_whole

CUT_SHORT = 'it is a JPEG cut short'


def encoded(**settings):
    """A JPEG of 64 x 48 px, smooth with noise."""
    rows, columns = np.mgrid[:48, :64]
    noise = np.random.default_rng(0).integers(0, 30, (48, 64, 3))
    picture = (np.stack([rows * 4, columns * 3, rows + columns], axis=2) + noise).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, 'JPEG', **settings)
    return buffer.getvalue()


def with_thumbnail(data):
    """Put an Exif segment that holds a whole JPEG behind the first marker."""
    thumbnail = encoded()
    payload = b'Exif\0\0' + thumbnail
    return data[:2] + b'\xff\xe1' + (len(payload) + 2).to_bytes(2, 'big') + payload + data[2:]


KINDS = {
    'baseline': encoded(),
    'progressive': encoded(progressive=True),
    'restarts': encoded(restart_marker_blocks=2),
    'grey': encoded(quality=5),
    'thumbnail': with_thumbnail(encoded()),
}


@pytest.mark.parametrize('kind', KINDS)
def test_whole_files_pass_also_with_bytes_after_their_end(kind):
    for rest in (b'', bytes(100), b'\xff\x00 more' + KINDS[kind]):
        data = KINDS[kind] + rest
        check_whole(data)
        assert Image.open(io.BytesIO(data)).convert('RGB').size == (64, 48)


@pytest.mark.parametrize('kind', KINDS)
def test_a_file_cut_anywhere_or_whose_rest_is_zeros_is_refused(kind):
    """A crash leaves files of the right size with blocks of zeros."""
    data = KINDS[kind]
    size = len(data)
    cuts = {3, 5, 20, 21, 100, *range(200, size - 2, 37), size - 2, size - 1}
    parts = [data[:kept] for kept in cuts]
    parts += [data[:n] + bytes(size - n) for n in (size // 3, size * 2 // 3, size - 2)]
    for part in parts:
        if part.endswith(b'\xff\xd9'):  # behind the thumbnail: no decoder finds a picture there
            continue
        with pytest.raises(ValueError, match=CUT_SHORT):
            check_whole(part)


def test_empty_file_is_refused_and_other_formats_are_left_to_their_decoders():
    with pytest.raises(ValueError, match='it is empty'):
        check_whole(b'')
    check_whole(b'\x89PNG')
    check_whole(b'\xff\xd8 no JPEG')


def test_real_photographs_pass(data_root):
    paths = [*data_root.glob('**/*.jpg')][:60]
    assert len(paths) > 20
    for path in paths:
        check_whole(path.read_bytes())


def test_half_a_jpeg_is_refused_where_the_decoder_fills_it_with_grey(tmp_path, monkeypatch):
    """As OpenCV 4 does."""
    path = tmp_path / 'half.jpg'
    path.write_bytes(KINDS['baseline'][:700])
    monkeypatch.setattr('mmcv.imfrombytes', lambda *_, **__: np.full((48, 64, 3), 128, np.uint8))
    with pytest.raises(InputError, match=r'cannot read image \S*half\.jpg: it is a JPEG cut short'):
        LoadImageFromFile()(dict(img_path=str(path)))


@pytest.mark.parametrize('content', [b'', b'no picture', KINDS['baseline'][:700]])
def test_ignoring_empty_images_stays_possible(tmp_path, content):
    """mmcv's option: the pipeline gives None, and the data set draws another image."""
    path = tmp_path / 'bad.jpg'
    path.write_bytes(content)
    assert LoadImageFromFile(ignore_empty=True).transform(dict(img_path=str(path))) is None


def test_image_and_sizes_are_as_mmcv_loads_them(tmp_path):
    from mmcv.transforms import LoadImageFromFile as MMCVLoadImageFromFile

    path = tmp_path / 'a.jpg'
    path.write_bytes(KINDS['progressive'])
    for settings in (dict(), dict(to_float32=True), dict(color_type='grayscale')):
        ours = LoadImageFromFile(**settings)(dict(img_path=str(path)))
        theirs = MMCVLoadImageFromFile(**settings)(dict(img_path=str(path)))
        np.testing.assert_array_equal(ours.pop('img'), theirs.pop('img'), strict=True)
        assert ours == theirs

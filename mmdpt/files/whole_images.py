"""Find out whether the bytes of a picture are all of it."""

import re
import zlib

JPEG_START, JPEG_END = b'\xff\xd8\xff', b'\xff\xd9'
PNG_START, PNG_END = b'\x89PNG\r\n\x1a\n', b'IEND'
_MARKER = re.compile(rb'\xff+([^\x00\xff\xd0-\xd7])')  # neither stuffing nor a restart
_END, _WITHOUT_LENGTH = 0xD9, (0x01, 0xD8)


def check_whole(data: bytes) -> None:
    """Refuse what decoders take for whole: a JPEG cut short, a PNG with wrong checksums.

    OpenCV 4 and Pillow with ``LOAD_TRUNCATED_IMAGES`` fill up a JPEG with grey, OpenCV 5 does not.
    Pillow, which reads labels, does not look at the checksums of a PNG's pixels; OpenCV 5 does,
    but makes room for what a chunk says that it holds, up to 2 GiB, before it looks for it. TIFF,
    BMP and WebP decoders refuse files that are cut short by themselves.

    Raises:
        ValueError: If there are no bytes, a JPEG has no end, or a PNG has none or is damaged.
    """
    if not data:
        raise ValueError('it is empty')
    if data.startswith(JPEG_START) and not _has_end(data):
        raise ValueError('it is a JPEG cut short: its end marker is missing')
    if data.startswith(PNG_START):
        _check_chunks(data)


def _has_end(data: bytes) -> bool:
    """Tell whether the end marker follows the scans; that of a thumbnail in the header does not.

    Segments have two bytes of length after their marker, entropy-coded data none; bytes may
    follow the end (ITU-T T.81, sections B.1.1.2 to B.1.1.5).
    """
    if data.endswith(JPEG_END):
        return True
    position = 2
    while marker := _MARKER.search(data, position):
        code, position = marker[1][0], marker.end()
        if code == _END:
            return True
        if code not in _WITHOUT_LENGTH:
            position += int.from_bytes(data[position : position + 2], 'big')
    return False


def _check_chunks(data: bytes) -> None:
    """Walk a PNG's chunks: length, kind, content, checksum of both (PNG, 3rd edition, 5.3)."""
    view, position, kind = memoryview(data), len(PNG_START), b''
    while kind != PNG_END:
        kind = data[position + 4 : position + 8]
        end = position + 8 + int.from_bytes(data[position : position + 4], 'big')
        if end + 4 > len(data):
            raise ValueError('it is a PNG cut short: its last chunk is missing')
        if zlib.crc32(view[position + 4 : end]) != int.from_bytes(data[end : end + 4], 'big'):
            raise ValueError(f'it is a damaged PNG: its chunk {kind!r} has a wrong checksum')
        position = end + 4

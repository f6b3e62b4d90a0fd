"""What happens to files, as functions of a random generator that change a bytearray."""

import re
import struct
import zlib

import numpy as np
from originals import FILES


def flip_bits(data, random):
    for _ in range(random.integers(1, 9)):
        data[random.integers(len(data))] ^= 1 << random.integers(8)


def set_bytes(data, random):
    for _ in range(random.integers(1, 5)):
        data[random.integers(len(data))] = random.choice([0, 1, 127, 128, 254, 255, 10, 32, 45])


def set_number(data, random):
    kind = random.choice(['<H', '>H', '<I', '>I', '<Q'])
    bits = 8 * struct.calcsize(kind)
    most = 2**bits - 1
    value = [0, 1, most >> 1, (most >> 1) + 1, most, 1 << int(random.integers(bits))]
    place = random.integers(len(data))
    data[place : place + bits // 8] = struct.pack(kind, value[random.integers(len(value))])


def set_decimal(data, random):
    """A number written in digits, as in headers of PPM and PFM and in lists."""
    found = list(re.finditer(rb'-?\d+', bytes(data[:200])))
    if found:
        match = found[random.integers(len(found))]
        values = b'0 -1 1e400 nan 99999999999 4294967296 00 -0 1.5'.split()
        data[match.start() : match.end()] = values[random.integers(len(values))]


def cut_short(data, random):
    del data[random.integers(len(data)) :]


def cut_out(data, random):
    start = random.integers(len(data))
    del data[start : start + random.integers(1, 65)]


def double(data, random):
    start = random.integers(len(data))
    data[start:start] = data[start : start + random.integers(1, 65)]


def insert(data, random):
    start = random.integers(len(data) + 1)
    data[start:start] = random.bytes(random.integers(1, 33))


def blank(data, random):
    start, length = random.integers(len(data)), random.integers(1, 129)
    length = min(length, len(data) - start)
    data[start : start + length] = bytes([random.choice([0, 255])]) * length


def splice(data, random):
    other = FILES[random.integers(len(FILES))].data
    data[random.integers(len(data)) :] = other[random.integers(len(other)) :]


def append(data, random):
    data += random.bytes(random.integers(1, 200))


DAMAGES = (
    *(flip_bits, flip_bits, flip_bits, set_bytes, set_number, set_number, set_decimal),
    *(cut_short, cut_out, double, insert, blank, splice, append),
)


def with_checksums(data):
    """A PNG with right checksums, so that damage gets as far as the decoder."""
    if data[:8] != b'\x89PNG\r\n\x1a\n':
        return data
    repaired, place = bytearray(data), 8
    while place + 12 <= len(data):
        end = place + 8 + struct.unpack('>I', data[place : place + 4])[0]
        if end + 4 > len(data):
            break
        repaired[end : end + 4] = struct.pack('>I', zlib.crc32(data[place + 4 : end]))
        place = end + 4
    return bytes(repaired)


def mutant(number):
    """Original and damaged bytes of file number ``number``, on which they depend alone."""
    original = FILES[number % len(FILES)]
    random = np.random.default_rng(number)
    data = bytearray(original.data)
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        if data:
            DAMAGES[random.integers(len(DAMAGES))](data, random)
    data = bytes(data)
    return original, with_checksums(data) if random.integers(2) else data

"""Read damaged files with every reader; a child process of ``test_reader_fuzz.py``.

    python read_mutants.py FOLDER FIRST LAST

Mutant number k is a function of k: a file of ``originals`` and some of ``DAMAGES``. One line a
mutant, before it is read: its number. A line more for what is neither an error that names the file
nor a right answer. A reader that takes more than 20 seconds of CPU time dies of a signal; time that
other processes take does not count.
"""

import io
import json
import os
import re
import resource
import signal
import struct
import sys
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from PIL import Image

LONGEST = 20  # [s]
os.environ['MMDPT_MAX_PIXELS'] = '1000000'
HEIGHT, WIDTH, CLASSES = 19, 23, 7
RANDOM = np.random.default_rng(0)
DEPTH = (RANDOM.random((HEIGHT, WIDTH)) * 9000 + 500).astype(np.uint16)
DEPTH[3:6, 4:9] = 0
LABELS = RANDOM.integers(CLASSES, size=(HEIGHT, WIDTH)).astype(np.uint8)
MODEL = {f'layers.{k}.weight': torch.arange(24.0).reshape(4, 6) + k for k in range(3)}
PICTURE = cv2.resize(RANDOM.integers(256, size=(5, 6, 3)).astype(np.uint8), (WIDTH, HEIGHT))


class Original(NamedTuple):
    name: str
    data: bytes
    read: Callable[[Path, bytes, 'Original'], None]


class Wrong(Exception):
    """Neither an InputError nor a right answer."""


def expect(holds, what):
    if not holds:
        raise Wrong(what)


# --- readers, and what is a right answer ---------------------------------------------------------


def picture(path, data, original):
    from mmdpt.inference.images import read_image

    found = read_image(path)
    expect(found.dtype == np.uint8 and found.ndim == 3 and found.shape[2] == 3, found.shape)
    expect(found.size > 0, 'no pixel')
    as_the_original(path, data, original, found, read_image)


def training_image(path, data, original):
    from mmdpt.datasets.transforms import LoadImageFromFile

    def read(path):
        return LoadImageFromFile().transform(dict(img_path=str(path)))

    results = read(path)
    found = results['img']
    expect(found.dtype == np.uint8 and found.ndim == 3 and found.shape[2] == 3, found.shape)
    expect(results['ori_shape'] == found.shape[:2], 'another ori_shape')
    as_the_original(path, data, original, found, lambda path: read(path)['img'])


def as_the_original(path, data, original, found, read):
    """A PNG has checksums: what is read of a damaged one without error is what it was."""
    if path.suffix == '.png' and data != with_checksums(data):
        whole = path.with_name('whole.png')
        whole.write_bytes(original.data)
        expect(np.array_equal(found, read(whole)), 'other pixels in spite of checksums')


def label(path, data, original):
    from mmdpt.datasets.transforms import LoadAnnotations

    results = dict(
        img_path='a.jpg',
        seg_map_path=str(path),
        ori_shape=(HEIGHT, WIDTH),
        num_classes=CLASSES,
        seg_fields=[],
        reduce_zero_label=False,
    )
    LoadAnnotations().transform(results)
    found = results['gt_seg_map']
    expect(found.dtype == np.uint8 and found.shape == (HEIGHT, WIDTH), found.shape)
    expect(((found < CLASSES) | (found == 255)).all(), 'a value that is no class')
    if data != with_checksums(data):
        expect((found == LABELS).all(), 'other labels in spite of checksums')


def depth(path, data, original, encoding=None):
    from mmdpt.datasets.transforms import LoadDepth

    results = dict(
        img_path='a.jpg',
        depth_map_path=str(path),
        depth_encoding=encoding,
        depth_scale=1000,
        invalid_values=(65535,),
        ori_shape=(HEIGHT, WIDTH),
    )
    found = LoadDepth().transform(results)['gt_depth_map']
    expect(found.dtype == np.float32 and found.shape == (HEIGHT, WIDTH), found.shape)
    valid = ~np.isnan(found)
    expect(valid.any() and (found[valid] > 0).all() and (found[valid] < np.inf).all(), 'no depth')
    expect(0.01 <= np.median(found[valid]) <= 1000, 'an implausible median')
    by_hand = BY_HAND.get(encoding or path.suffix)
    if by_hand:
        values = by_hand(data)
    elif data != with_checksums(data):
        values = DEPTH
    else:
        return
    with np.errstate(all='ignore'):
        known = (values > 0) & (values < np.inf) & (values != 65535)
        expected = np.where(known, values.astype(np.float32), np.nan) / np.float32(1000)
    expected[~((expected > 0) & (expected < np.inf))] = np.nan
    expect(np.array_equal(found, expected, equal_nan=True), 'other depth than by hand')


def rotated_depth(path, data, original):
    depth(path, data, original, 'uint16_rotated_by_3')


def raw_depth(path, data, original):
    depth(path, data, original, 'raw_float32')


def pfm_by_hand(data):
    tag, width, height, rest = data.split(None, 3)
    end = re.search(rb'\s', rest).start()
    width, height, body = int(width), int(height), rest[end + 1 :]
    expect(tag == b'Pf', 'colours')
    order = '<' if float(rest[:end]) < 0 else '>'
    rows = [
        struct.unpack(f'{order}{width}f', body[4 * width * y : 4 * width * (y + 1)])
        for y in range(height)
    ]
    return np.array(rows[::-1], np.float32)


def dpt_by_hand(data):
    tag, width, height = struct.unpack('<4sii', data[:12])
    expect(tag == b'PIEH', tag)
    return raw_by_hand(data[12:], height, width)


def raw_by_hand(data, height=HEIGHT, width=WIDTH):
    numbers = struct.unpack(f'<{height * width}f', data)
    return np.array(numbers, np.float32).reshape(height, width)


def npy_by_hand(data):
    return np.load(io.BytesIO(data), allow_pickle=False).reshape(HEIGHT, WIDTH)


def rotated_by_hand(data):
    values = np.asarray(
        cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED), np.uint32
    )
    return (values // 8 + values % 8 * 8192).astype(np.uint16)


BY_HAND = {
    '.pfm': pfm_by_hand,
    '.dpt': dpt_by_hand,
    '.npy': npy_by_hand,
    'raw_float32': raw_by_hand,
    'uint16_rotated_by_3': rotated_by_hand,
}


def depth_list(path, data, original):
    from mmdpt.datasets import DepthListDataset

    for info in DepthListDataset(ann_file=str(path), lazy_init=True).load_data_list():
        expect(Path(info['img_path']).resolve().is_relative_to(path.parent.resolve()), 'outside')
        expect(0 < info['depth_scale'] < np.inf, info['depth_scale'])


def split_list(path, data, original):
    from mmdpt.datasets import NYUDepthDataset, SegDataset

    root = str(path.parent)
    settings = dict(data_root=root, ann_file=path.name, lazy_init=True)
    folders = dict(img_path='', seg_map_path='')
    labelled = SegDataset(data_prefix=folders, metainfo=dict(classes=('a', 'b')), **settings)
    folders = dict(img_path='', depth_map_path='')
    for dataset in (NYUDepthDataset(data_prefix=folders, **settings), labelled):
        for info in dataset.load_data_list():
            inside = Path(info['img_path']).resolve().is_relative_to(path.parent.resolve())
            expect(inside, 'outside')


def diw_list(path, data, original):
    from mmdpt.datasets import DIWDataset

    dataset = DIWDataset(data_root=str(path.parent), ann_file=path.name, lazy_init=True)
    for info in dataset.load_data_list():
        expect(Path(info['img_path']).resolve().is_relative_to(path.parent.resolve()), 'outside')
        expect(min(min(point) for point in info['ordinal_pairs'][0][:2]) >= 0, 'a point outside')


def checkpoint(path, data, original):
    from mmdpt.checkpoints.files import read_checkpoint

    state_dict = read_checkpoint(path).state_dict
    for name, value in state_dict.items():
        expect(isinstance(name, str) and isinstance(value, torch.Tensor), name)
        value.sum()  # touches every number
    if path.suffix == '.pth':  # which has checksums
        expect(list(state_dict) == list(MODEL), 'other names in spite of checksums')
        equal = all(value.equal(MODEL[name]) for name, value in state_dict.items())
        expect(equal, 'other numbers in spite of checksums')


# --- the files -----------------------------------------------------------------------------------


def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def encoded(suffix, values, *options):
    return cv2.imencode(suffix, values, options)[1].tobytes()


def npy(values):
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def tensors():
    file = io.BytesIO()
    torch.save(dict(state_dict=MODEL, meta=dict(iter=7, classes=['a', 'b'])), file)
    header = {
        name: dict(dtype='F32', shape=[4, 6], data_offsets=[96 * k, 96 * k + 96])
        for k, name in enumerate(MODEL)
    }
    head = json.dumps(header).encode()
    body = b''.join(value.numpy().tobytes() for value in MODEL.values())
    return file.getvalue(), struct.pack('<Q', len(head)) + head + body


def originals():
    """Small files of every kind that is read."""
    rgb = Image.fromarray(PICTURE)
    deep = Image.fromarray(DEPTH)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned
    pictures = {
        'baseline.jpg': saved(rgb, 'JPEG'),
        'progressive.jpg': saved(rgb, 'JPEG', progressive=True, exif=exif),
        'grey.jpg': saved(rgb.convert('L'), 'JPEG'),
        'cmyk.jpg': saved(rgb.convert('CMYK'), 'JPEG'),
        'two.mpo': saved(rgb, 'MPO', save_all=True, append_images=[rgb.rotate(90)]),
        'rgb.png': saved(rgb, 'PNG'),
        'opacity.png': saved(rgb.convert('RGBA'), 'PNG'),
        'palette.png': saved(rgb.quantize(16), 'PNG', transparency=3),
        'deep.png': saved(deep, 'PNG'),
        'moving.gif': saved(rgb, 'GIF', save_all=True, append_images=[rgb.rotate(90)]),
        'a.bmp': saved(rgb, 'BMP'),
        'palette.bmp': saved(rgb.quantize(16), 'BMP'),
        'a.ppm': saved(rgb, 'PPM'),
        'a.pgm': saved(deep.convert('I;16'), 'PPM'),
        'plain.tiff': saved(rgb, 'TIFF'),
        'packed.tiff': saved(rgb, 'TIFF', compression='tiff_lzw'),
        'deflated.tiff': saved(rgb, 'TIFF', compression='tiff_adobe_deflate'),
        'lossy.webp': saved(rgb, 'WEBP'),
        'lossless.webp': saved(rgb, 'WEBP', lossless=True),
        'a.jp2': saved(rgb, 'JPEG2000'),
        'a.avif': saved(rgb, 'AVIF'),
    }
    for name, data in pictures.items():
        yield Original(name, data, picture)
        if name.endswith(('.jpg', '.png', '.bmp', '.tiff', '.webp')):
            yield Original(name, data, training_image)
    yield Original('label.png', saved(Image.fromarray(LABELS), 'PNG'), label)
    palette = Image.fromarray(LABELS)
    palette.putpalette(RANDOM.integers(256, size=768).tolist())
    yield Original('palette.png', saved(palette, 'PNG'), label)

    real = DEPTH.astype(np.float32)
    header = f'Pf\n{WIDTH} {HEIGHT}\n'
    depths = {
        'depth.png': saved(deep, 'PNG'),
        'fast.png': encoded('.png', DEPTH, cv2.IMWRITE_PNG_COMPRESSION, 1),
        'depth.tiff': encoded('.tiff', DEPTH),
        'real.tiff': encoded('.tiff', real),
        'double.tif': encoded('.tif', DEPTH.astype(np.float64)),
        'little.pfm': f'{header}-1.0\n'.encode() + real[::-1].astype('<f4').tobytes(),
        'big.pfm': f'{header}1.0\n'.encode() + real[::-1].astype('>f4').tobytes(),
        'depth.npy': npy(DEPTH),
        'real.npy': npy(real),
        'fortran.npy': npy(np.asfortranarray(DEPTH.astype(np.float64))),
        'depth.dpt': b'PIEH' + struct.pack('<ii', WIDTH, HEIGHT) + real.tobytes(),
    }
    for name, data in depths.items():
        yield Original(name, data, depth)
    rotated = (DEPTH << 3) | (DEPTH >> 13)
    yield Original('rotated.png', encoded('.png', rotated), rotated_depth)
    yield Original('raw', real.tobytes(), raw_depth)

    rows = b'image,depth,scale,invalid,intrinsics\na.jpg,a.png,1000,0 65535,500 500 11 9\n'
    yield Original('list.csv', rows + b'b/c.jpg,b/c.png,5000,,\n', depth_list)
    row = b'{"image": "a.jpg", "disparity": "a.png", "scale": 1.5e3, "invalid": [0, 255]}\n'
    yield Original('list.jsonl', row + row, depth_list)
    pair = b'./a.jpg\n11,7,2,3,>,23,19\nb/c.jpg\n1,1,19,23,<,23,19\n'
    yield Original('diw.csv', pair, diw_list)
    yield Original('split.txt', b'a\nb/c\n', split_list)
    pickled, safe = tensors()
    yield Original('model.pth', pickled, checkpoint)
    yield Original('model.safetensors', safe, checkpoint)


# --- damage --------------------------------------------------------------------------------------


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
        values = (
            b'0',
            b'-1',
            b'1e400',
            b'nan',
            b'99999999999',
            b'4294967296',
            b'00',
            b'-0',
            b'1.5',
        )
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
    """File number ``number``: the original and the damaged bytes."""
    original = FILES[number % len(FILES)]
    random = np.random.default_rng(number)
    data = bytearray(original.data)
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        if data:
            DAMAGES[random.integers(len(DAMAGES))](data, random)
    data = bytes(data)
    return original, with_checksums(data) if random.integers(2) else data


def try_to_read(number, folder):
    """What came of a mutant: 'error', 'answer', or what is wrong with it."""
    from mmdpt.errors import InputError

    original, data = mutant(number)
    path = folder / original.name
    path.write_bytes(data)
    try:
        original.read(path, data, original)
    except InputError as error:
        named = path.name in str(error) or f'{folder}/' in str(error)  # what a list names
        return 'error' if named else f'an error that does not name the file: {error}'
    except Wrong as wrong:
        return f'wrong: {wrong}'
    except Exception as error:
        return f'{type(error).__name__}: {error}'
    return 'answer'


FILES = list(originals())


def main():
    folder, first, last = Path(sys.argv[1]), *map(int, sys.argv[2:])
    for name in ('a.jpg', 'a.png', 'b/c.jpg', 'b/c.png'):  # what the lists name
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    before, counts = 0, Counter()
    for number in range(first, last):
        print(number, flush=True)
        signal.setitimer(signal.ITIMER_PROF, LONGEST)
        outcome = try_to_read(number, folder)
        signal.setitimer(signal.ITIMER_PROF, 0)
        kind = FILES[number % len(FILES)]
        if outcome not in ('error', 'answer'):
            print(f'{number}: {kind.name}, {kind.read.__name__}: {outcome}', flush=True)
        counts[f'{kind.read.__name__} {outcome.partition(":")[0]}'] += 1
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        if number >= first + len(FILES):  # every reader has been imported
            if peak > before + 200:
                print(f'{number}: {kind.name}: took {peak - before} MiB', flush=True)
            before = max(before, peak)
        else:
            before = peak
    print(json.dumps(counts), flush=True)


if __name__ == '__main__':
    main()

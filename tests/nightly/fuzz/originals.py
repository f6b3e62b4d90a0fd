"""Small files of every kind that is read, and what is in them."""

import io
import json
import struct
from typing import NamedTuple

import cv2
import numpy as np
import torch
from PIL import Image

HEIGHT, WIDTH, CLASSES = 19, 23, 7
RANDOM = np.random.default_rng(0)
DEPTH = (RANDOM.random((HEIGHT, WIDTH)) * 9000 + 500).astype(np.uint16)
DEPTH[3:6, 4:9] = 0
LABELS = RANDOM.integers(CLASSES, size=(HEIGHT, WIDTH)).astype(np.uint8)
MODEL = {f'layers.{k}.weight': torch.arange(24.0).reshape(4, 6) + k for k in range(3)}
PICTURE = cv2.resize(RANDOM.integers(256, size=(5, 6, 3)).astype(np.uint8), (WIDTH, HEIGHT))


class Original(NamedTuple):
    """A whole file, and the function of ``readers`` for it."""

    name: str
    data: bytes
    reader: str


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
        yield Original(name, data, 'picture')
        if name.endswith(('.jpg', '.png', '.bmp', '.tiff', '.webp')):
            yield Original(name, data, 'training_image')
    yield Original('label.png', saved(Image.fromarray(LABELS), 'PNG'), 'label')
    palette = Image.fromarray(LABELS)
    palette.putpalette(RANDOM.integers(256, size=768).tolist())
    yield Original('palette.png', saved(palette, 'PNG'), 'label')

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
        yield Original(name, data, 'depth')
    rotated = (DEPTH << 3) | (DEPTH >> 13)
    yield Original('rotated.png', encoded('.png', rotated), 'rotated_depth')
    yield Original('raw', real.tobytes(), 'raw_depth')

    rows = b'image,depth,scale,invalid,intrinsics\na.jpg,a.png,1000,0 65535,500 500 11 9\n'
    yield Original('list.csv', rows + b'b/c.jpg,b/c.png,5000,,\n', 'depth_list')
    row = b'{"image": "a.jpg", "disparity": "a.png", "scale": 1.5e3, "invalid": [0, 255]}\n'
    yield Original('list.jsonl', row + row, 'depth_list')
    pair = b'./a.jpg\n11,7,2,3,>,23,19\nb/c.jpg\n1,1,19,23,<,23,19\n'
    yield Original('diw.csv', pair, 'diw_list')
    yield Original('split.txt', b'a\nb/c\n', 'split_list')
    pickled, safe = tensors()
    yield Original('model.pth', pickled, 'checkpoint')
    yield Original('model.safetensors', safe, 'checkpoint')


FILES = list(originals())

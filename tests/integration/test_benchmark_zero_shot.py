"""An untrained depth model on tiny sets in their native layouts."""

import json
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from tiny_files import write_map

from mmdpt.apis import init_model
from mmdpt.commands.zero_shot_run import benchmark_zero_shot
from mmdpt.errors import InputError
from mmdpt.evaluation.zero_shot import SETS

FAST = ('--cfg-options', 'test_dataloader.num_workers=0')
CAPS = dict(eth3d=72, sintel=72, kitti=80, nyu=10, tum=10)
# 'minimal': 64 x 48 by 6, not by 8; 1216 x 352 by 384 / 352, to the nearest multiples of 32
INPUT_SIZES = {(64, 48): (384, 288), (1216, 352): (1312, 384)}
rng = np.random.default_rng(0)


@pytest.fixture(scope='session')
def make_model(written):
    """Give config and checkpoint of a tiny model for one output."""
    anything = 'max_depth=None, median_depth=None, clamp=(None, None)'

    def make(output):
        lines = f'model["decode_head"].update(output={output!r}, {anything})\n'
        return written('depth', lines, f'tiny_{output}')

    return make


@pytest.fixture(scope='session')
def relative(make_model):
    return make_model('relative')


def photo(path, size=(64, 48)):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = rng.integers(0, 255, (6, 8, 3)).astype(np.uint8)
    image = Image.fromarray(noise).resize(size)
    image.save(path, format='PNG' if path.suffix == '.png' else 'JPEG')


def truth(size=(64, 48), low=1.0, high=8.0):
    """Depth [m] (H, W) float32, with a hole."""
    depth = rng.uniform(low, high, size[::-1]).astype(np.float32)
    depth[:3, :5] = 0
    return depth


def write_diw(root):
    lines = []
    for number in range(3):
        photo(root / 'DIW_test' / f'{number}.thumb')
        lines += [f'./DIW_test/{number}.thumb', f'10,{20 + number},40,60,{"<><"[number]},64,48']
    (root / 'DIW_Annotations').mkdir()
    (root / 'DIW_Annotations' / 'DIW_test.csv').write_text('\n'.join(lines) + '\n')


def write_eth3d(root):
    for scene in ('pipes', 'relief'):
        name = f'{scene}_1.JPG'
        photo(root / scene / 'images' / 'dslr_images' / name)
        depth = truth(high=90)
        depth[depth == 0] = np.inf
        folder = root / scene / 'ground_truth_depth' / 'dslr_images'
        folder.mkdir(parents=True)
        (folder / name).write_bytes(depth.astype('<f4').tobytes())


def write_sintel(root):
    for frame in (1, 2):
        name = f'alley_1/frame_{frame:04d}'
        photo(root / 'training' / 'final' / f'{name}.png')
        path = root / 'training' / 'depth' / f'{name}.dpt'
        path.parent.mkdir(parents=True, exist_ok=True)
        depth = truth(high=90)
        depth[:20] = 1e10  # sky
        path.write_bytes(struct.pack('<fii', 202021.25, 64, 48) + depth.tobytes())


def write_kitti(root):
    size = (1242, 375)
    photo(root / 'raw' / 'a.png', size)
    depth = truth(size, high=85)
    depth[:23] = 2  # what KBCrop leaves out
    write_map(root / 'data_depth_annotated' / 'a.png', depth * 256, dtype=np.uint16)
    (root / 'eigen_zero_shot.txt').write_text('a.png a.png 721.5\n')


def write_nyu(root):
    for name in 'ab':
        photo(root / 'images' / 'test' / f'{name}.jpg')
        write_map(
            root / 'annotations' / 'test' / f'{name}.png', truth(high=12) * 1000, dtype=np.uint16
        )


def write_tum(root):
    lines = ['image,depth,scale']
    for name in ('1.png', '2.png'):
        photo(root / 'rgb' / name)
        write_map(root / 'depth' / name, truth(high=12) * 5000, dtype=np.uint16)
        lines.append(f'rgb/{name},depth/{name},5000')
    (root / 'associated.csv').write_text('\n'.join(lines) + '\n')


ALL = (write_diw, write_eth3d, write_sintel, write_kitti, write_nyu, write_tum)
WRITERS = {write.__name__.removeprefix('write_'): write for write in ALL}


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """All six sets."""
    root = tmp_path_factory.mktemp('data')
    for name, write in WRITERS.items():
        (root / name).mkdir()
        write(root / name)
    return root


def predict(model, path, crop=None):
    """What the model predicts at the image's size, (H, W), without the data set code."""
    image = np.asarray(Image.open(path).convert('RGB'))
    if crop:
        image = image[crop]
    height, width = image.shape[:2]
    size = INPUT_SIZES[width, height]
    image = cv2.resize(np.ascontiguousarray(image), size, interpolation=cv2.INTER_CUBIC)
    inputs = torch.from_numpy(image).permute(2, 0, 1)[None].float().sub(127.5).div(127.5)
    with torch.no_grad():
        pred = model.encode_decode(inputs, [dict(img_shape=size[::-1])])
    pred = torch.nn.functional.interpolate(
        pred, (height, width), mode='bilinear', align_corners=False
    )
    return pred[0, 0].double().numpy()


def aligned(pred, depth, cap):
    """Predicted and true depth [m] of the valid pixels, by NumPy's least squares."""
    valid = np.isfinite(depth) & (depth > 1e-3) & (depth < cap)
    design = np.stack([pred[valid], np.ones(valid.sum())], axis=1)
    (scale, shift), *_ = np.linalg.lstsq(design, 1 / depth[valid], rcond=None)
    disparity = np.maximum(scale * pred[valid] + shift, 1 / cap)
    return np.maximum(1 / disparity, 1e-3), depth[valid]


def bad(pred, depth):
    return 100 * np.mean(np.maximum(pred / depth, depth / pred) > 1.25)


def abs_rel(pred, depth):
    return np.mean(np.abs(pred - depth) / depth)


def whdr(model, data, sign=1):
    """Percentage of wrong orders; the pairs are written down in ``write_diw``."""
    wrong = 0
    for number in range(3):
        nearness = sign * predict(model, data / f'diw/DIW_test/{number}.thumb')
        first, second = nearness[9, 19 + number], nearness[39, 59]
        wrong += not (first > second if '<><'[number] == '<' else first < second)
    return 100 * wrong / 3


def expected_figures(model, data):
    """Figures of all sets from the files, the protocol written out once more."""
    truths = dict(eth3d=[], sintel=[], kitti=[], nyu=[], tum=[])
    for path in sorted((data / 'eth3d').glob('*/images/dslr_images/*')):
        raw = str(path).replace('/images/', '/ground_truth_depth/')
        truths['eth3d'].append((path, np.fromfile(raw, '<f4').reshape(48, 64), None))
    for path in sorted((data / 'sintel/training/final').rglob('*.png')):
        raw = str(path.with_suffix('.dpt')).replace('/final/', '/depth/')
        truths['sintel'].append((path, np.fromfile(raw, '<f4', offset=12).reshape(48, 64), None))
    crop = (slice(23, 375), slice(13, 1229))
    depth = np.asarray(Image.open(data / 'kitti/data_depth_annotated/a.png')) / 256
    truths['kitti'].append((data / 'kitti/raw/a.png', depth[crop], crop))
    for name in 'ab':
        depth = np.asarray(Image.open(data / f'nyu/annotations/test/{name}.png')) / 1000
        truths['nyu'].append((data / f'nyu/images/test/{name}.jpg', depth, None))
    for name in '12':
        depth = np.asarray(Image.open(data / f'tum/depth/{name}.png')) / 5000
        truths['tum'].append((data / f'tum/rgb/{name}.png', depth, None))
    figures = {}
    for name, images in truths.items():
        figure = abs_rel if name in ('eth3d', 'sintel') else bad
        figures[name] = np.mean(
            [
                figure(*aligned(predict(model, path, crop), depth.astype(float), CAPS[name]))
                for path, depth, crop in images
            ]
        )
    figures['diw'] = whdr(model, data)
    return figures


def test_every_set_equals_numpy_on_the_models_own_predictions(relative, data, succeed, tmp_path):
    config, checkpoint = relative
    done = succeed(
        *('benchmark_zero_shot.py', config, checkpoint, '--data-root', data),
        *('--out', tmp_path / 'out', *FAST),
    )
    assert 'WARNING' not in done.stdout and 'Warning' not in done.stderr
    expected = expected_figures(init_model(config, checkpoint), data)
    report = json.loads((tmp_path / 'out' / 'zero_shot.json').read_text())
    assert (report['config'], report['limit']) == (config, None)
    images = dict(diw=3, eth3d=2, sintel=2, kitti=1, nyu=2, tum=2)
    for zero_shot_set in SETS:
        result = report['sets'][zero_shot_set.name]
        assert result['value'] == pytest.approx(expected[zero_shot_set.name], rel=1e-3)
        assert result['metric'] == zero_shot_set.metric
        assert result['images'] == images[zero_shot_set.name]
        low, high = result['interval']
        assert low <= result['value'] <= high
        lines = (tmp_path / 'out' / f'{zero_shot_set.name}.jsonl').read_text().splitlines()
        assert len(lines) == result['images']
        assert Path(json.loads(lines[0])['img_path']).is_file()
    table = (tmp_path / 'out' / 'zero_shot.md').read_text()
    assert table in done.stdout
    own = next(line for line in table.splitlines() if '**tiny_relative**' in line)
    assert f'{expected["sintel"]:.3f}' in own and ' - ' not in own
    assert 'DIW 3 (paper: 74441)' in table
    per_image = [json.loads(x) for x in (tmp_path / 'out/nyu.jsonl').read_text().splitlines()]
    assert np.mean([x['bad_pixels'] for x in per_image]) == pytest.approx(expected['nyu'], rel=1e-3)


@pytest.mark.parametrize('output', ['disparity', 'depth'])
def test_models_of_other_outputs(make_model, data, output):
    """Depth is inverted before the fit, and larger is farther."""
    config, checkpoint = make_model(output)
    results = benchmark_zero_shot(
        str(config),
        str(checkpoint),
        str(data),
        [s for s in SETS if s.name in ('diw', 'nyu')],
        options=['test_dataloader.num_workers=0'],
    )
    model = init_model(config, checkpoint)
    expected = whdr(model, data, sign=-1 if output == 'depth' else 1)
    assert results['diw'].metrics['whdr'] == pytest.approx(expected)
    figures = []
    for name in 'ab':
        depth = np.asarray(Image.open(data / f'nyu/annotations/test/{name}.png')) / 1000
        pred = predict(model, data / f'nyu/images/test/{name}.jpg')
        disparity = 1 / np.maximum(pred, 1e-3) if output == 'depth' else pred
        figures.append(bad(*aligned(disparity, depth, 10)))
    assert results['nyu'].metrics['bad_pixels'] == pytest.approx(np.mean(figures), rel=1e-3)


def test_sets_that_are_not_there_are_named_and_skipped(relative, data, succeed, tmp_path):
    (tmp_path / 'data').mkdir()
    (tmp_path / 'data' / 'tum').symlink_to(data / 'tum')
    done = succeed(
        *('benchmark_zero_shot.py', *relative, '--data-root', tmp_path / 'data'),
        *('--out', tmp_path / 'out', '--sets', 'tum', 'eth3d', '--limit', '1', *FAST),
    )
    assert f'eth3d: not evaluated, no folder {tmp_path}/data/eth3d' in done.stdout
    assert 'nyu' not in done.stdout
    report = json.loads((tmp_path / 'out' / 'zero_shot.json').read_text())
    assert report['limit'] == report['sets']['tum']['images'] == 1
    assert report['sets']['eth3d']['missing'] == f'{tmp_path}/data/eth3d'
    assert report['sets']['eth3d']['value'] is None
    table = (tmp_path / 'out' / 'zero_shot.md').read_text()
    own = next(line for line in table.splitlines() if '**tiny_relative**' in line)
    assert own.count(' - ') == 5
    assert 'At most the first 1 images' in table
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == [
        'tum.jsonl',
        'zero_shot.json',
        'zero_shot.md',
    ]


def test_set_that_does_not_read_is_reported_after_the_others(relative, run_tool, tmp_path):
    """Once at listing (NYU), once in the middle, in a worker of the loader (Sintel)."""
    root = tmp_path / 'data'
    for name in ('sintel', 'nyu', 'tum'):
        (root / name).mkdir(parents=True)
        WRITERS[name](root / name)
    (root / 'nyu' / 'annotations' / 'test' / 'b.png').unlink()
    broken = root / 'sintel' / 'training' / 'depth' / 'alley_1' / 'frame_0002.dpt'
    broken.write_bytes(b'no depth')
    done = run_tool(
        *('benchmark_zero_shot.py', *relative, '--data-root', root, '--out', tmp_path / 'out'),
        *('--cfg-options', 'test_dataloader.num_workers=1'),
    )
    assert done.returncode == 1
    assert 'Traceback' not in done.stderr
    assert done.stderr.rstrip().startswith('error: not evaluated:\n')
    assert 'sintel: cannot read depth file' in done.stderr and str(broken) in done.stderr
    assert 'nyu: 1 images have no depth file' in done.stderr
    report = json.loads((tmp_path / 'out' / 'zero_shot.json').read_text())['sets']
    assert report['tum']['images'] == 2 and report['tum']['value'] > 0
    assert report['sintel']['value'] is None
    assert report['sintel']['error'].startswith('cannot read depth file')


def test_what_cannot_be_evaluated_is_named(relative, config, trained, data, tmp_path):
    sets = [s for s in SETS if s.name in ('diw', 'nyu')]
    message = rf'none of the data sets is there; looked for {tmp_path}/diw, {tmp_path}/nyu'
    with pytest.raises(InputError, match=message):
        benchmark_zero_shot(*relative, str(tmp_path), sets)
    with pytest.raises(InputError, match='limit must be at least 1 image, got 0'):
        benchmark_zero_shot(*relative, str(data), limit=0)
    with pytest.raises(InputError, match='is no depth model: its head predicts None'):
        benchmark_zero_shot(str(config), str(trained / 'iter_4.pth'), str(data))
    options = ['test_dataloader.dataset.x=1']
    results = benchmark_zero_shot(*relative, str(data), sets[1:], options=options)
    assert 'takes no argument' in results['nyu'].error

"""An untrained depth model on tiny sets in their native layouts."""

import json
import struct

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
KB_CROP = np.s_[23:375, 13:1229]
"""Of frames of 1242 x 375 px."""
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
    return path


def truth(size=(64, 48), high=8.0):
    """Depth [m] (H, W) float32, with a hole."""
    depth = rng.uniform(1, high, size[::-1]).astype(np.float32)
    depth[:3, :5] = 0
    return depth


# each writes a set and gives its images with their depth [m], (H, W), or what is known of DIW's


def write_diw(root):
    lines = []
    for number, order in enumerate('<><'):
        image = photo(root / 'DIW_test' / f'{number}.thumb')
        lines += [f'./DIW_test/{number}.thumb', f'10,{20 + number},40,60,{order},64,48']
        yield image, ((9, 19 + number), (39, 59), order)
    (root / 'DIW_Annotations').mkdir()
    (root / 'DIW_Annotations' / 'DIW_test.csv').write_text('\n'.join(lines) + '\n')


def write_bytes(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def write_eth3d(root):
    for scene in ('pipes', 'relief'):
        depth = truth(high=90)
        depth[depth == 0] = np.inf
        name = f'dslr_images/{scene}_1.JPG'
        write_bytes(root / scene / 'ground_truth_depth' / name, depth.astype('<f4').tobytes())
        yield photo(root / scene / 'images' / name), depth


def write_sintel(root):
    for frame in (1, 2):
        depth = truth(high=90)
        depth[:20] = 1e10  # sky
        name = f'alley_1/frame_{frame:04d}'
        head = struct.pack('<fii', 202021.25, 64, 48)
        write_bytes(root / 'training' / 'depth' / f'{name}.dpt', head + depth.tobytes())
        yield photo(root / 'training' / 'final' / f'{name}.png'), depth


def write_png(path, depth, scale):
    """Write 16-bit numbers; give the depth that they are [m]."""
    numbers = (depth * scale).astype(np.uint16)
    write_map(path, numbers)
    return numbers / scale


def write_kitti(root):
    size = (1242, 375)
    depth = truth(size, high=85)
    depth[:23] = 2  # what KBCrop leaves out
    depth = write_png(root / 'data_depth_annotated' / 'a.png', depth, 256)
    (root / 'eigen_zero_shot.txt').write_text('a.png a.png 721.5\n')
    yield photo(root / 'raw' / 'a.png', size), depth[KB_CROP]


def write_nyu(root):
    for name in 'ab':
        depth = write_png(root / 'annotations' / 'test' / f'{name}.png', truth(high=12), 1000)
        yield photo(root / 'images' / 'test' / f'{name}.jpg'), depth


def write_tum(root):
    lines = ['image,depth,scale']
    for name in ('1.png', '2.png'):
        lines.append(f'rgb/{name},depth/{name},5000')
        yield photo(root / 'rgb' / name), write_png(root / 'depth' / name, truth(high=12), 5000)
    (root / 'associated.csv').write_text('\n'.join(lines) + '\n')


WRITERS = dict(
    diw=write_diw,
    eth3d=write_eth3d,
    sintel=write_sintel,
    kitti=write_kitti,
    nyu=write_nyu,
    tum=write_tum,
)


def write(root, names=tuple(WRITERS)):
    """Write sets below a folder; give what is in each."""
    for name in names:
        (root / name).mkdir(parents=True)
    return {name: list(WRITERS[name](root / name)) for name in names}


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """The folder of all six sets, and what is in them."""
    root = tmp_path_factory.mktemp('data')
    return root, write(root)


def predict(model, path):
    """What the model predicts at the image's size, (H, W), without the data set code."""
    image = np.asarray(Image.open(path).convert('RGB'))
    image = image[KB_CROP] if image.shape[1] == 1242 else image
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


def expected_figure(model, name, images, to_nearness=lambda pred: pred):
    """The figure of a set, the protocol written out once more: larger predictions are nearer."""
    figures = []
    for path, known in images:
        pred = to_nearness(predict(model, path))
        if name == 'diw':
            first, second, order = known
            right = pred[first] > pred[second] if order == '<' else pred[first] < pred[second]
            figures.append(100 * (not right))
            continue
        pred, depth = aligned(pred, known.astype(float), CAPS[name])
        if name in ('eth3d', 'sintel'):
            figures.append(np.mean(np.abs(pred - depth) / depth))
        else:
            figures.append(100 * np.mean(np.maximum(pred / depth, depth / pred) > 1.25))
    return np.mean(figures)


def test_every_set_equals_numpy_on_the_models_own_predictions(relative, data, succeed, tmp_path):
    config, checkpoint = relative
    (root, sets), out = data, tmp_path / 'out'
    done = succeed(
        *('benchmark_zero_shot.py', config, checkpoint, '--data-root', root, '--out', out, *FAST)
    )
    assert 'WARNING' not in done.stdout and 'Warning' not in done.stderr
    model = init_model(config, checkpoint)
    report = json.loads((out / 'zero_shot.json').read_text())
    assert (report['config'], report['limit']) == (config, None)
    for zero_shot_set in SETS:
        name, metric = zero_shot_set.name, zero_shot_set.metric
        result = report['sets'][name]
        expected = pytest.approx(expected_figure(model, name, sets[name]), rel=1e-3)
        assert result['value'] == expected
        assert (result['metric'], result['images']) == (metric, len(sets[name]))
        low, high = result['interval']
        assert low <= result['value'] <= high
        lines = [json.loads(line) for line in (out / f'{name}.jsonl').read_text().splitlines()]
        assert {line['img_path'] for line in lines} == {str(path) for path, _ in sets[name]}
        if name != 'diw':  # whose lines hold pairs
            assert np.mean([line[metric] for line in lines]) == expected
    table = (out / 'zero_shot.md').read_text()
    assert table in done.stdout
    own = next(line for line in table.splitlines() if '**tiny_relative**' in line)
    assert f'{report["sets"]["sintel"]["value"]:.3f}' in own and ' - ' not in own
    assert 'DIW 3 (paper: 74441)' in table


@pytest.mark.parametrize('output', ['disparity', 'depth'])
def test_models_of_other_outputs(make_model, data, output):
    """Depth is inverted before the fit, and larger is farther."""
    config, checkpoint = make_model(output)
    root, sets = data
    asked = [s for s in SETS if s.name in ('diw', 'nyu')]
    results = benchmark_zero_shot(config, checkpoint, str(root), asked, options=[FAST[1]])
    model = init_model(config, checkpoint)
    for zero_shot_set in asked:
        name, metric = zero_shot_set.name, zero_shot_set.metric
        to_nearness = (lambda x: 1 / np.maximum(x, 1e-3)) if output == 'depth' else (lambda x: x)
        expected = expected_figure(model, name, sets[name], to_nearness)
        assert results[name].metrics[metric] == pytest.approx(expected, rel=1e-3)


def test_sets_that_are_not_there_are_named_and_skipped(relative, data, succeed, tmp_path):
    root, out = tmp_path / 'data', tmp_path / 'out'
    root.mkdir()
    (root / 'tum').symlink_to(data[0] / 'tum')
    done = succeed(
        *('benchmark_zero_shot.py', *relative, '--data-root', root, '--out', out, *FAST),
        *('--sets', 'tum', 'eth3d', '--limit', '1'),
    )
    assert f'eth3d: not evaluated, no folder {root}/eth3d' in done.stdout
    assert 'nyu' not in done.stdout
    report = json.loads((out / 'zero_shot.json').read_text())
    assert report['limit'] == report['sets']['tum']['images'] == 1
    eth3d = report['sets']['eth3d']
    assert (eth3d['missing'], eth3d['value']) == (f'{root}/eth3d', None)
    table = (out / 'zero_shot.md').read_text()
    own = next(line for line in table.splitlines() if '**tiny_relative**' in line)
    assert own.count(' - ') == 5
    assert 'At most the first 1 images' in table
    names = ['tum.jsonl', 'zero_shot.json', 'zero_shot.md']
    assert sorted(path.name for path in out.iterdir()) == names


def test_set_that_does_not_read_is_reported_after_the_others(relative, run_tool, tmp_path):
    """Once at listing (NYU), once in the middle, in a worker of the loader (Sintel)."""
    root, out = tmp_path / 'data', tmp_path / 'out'
    write(root, ('sintel', 'nyu', 'tum'))
    (root / 'nyu' / 'annotations' / 'test' / 'b.png').unlink()
    broken = root / 'sintel' / 'training' / 'depth' / 'alley_1' / 'frame_0002.dpt'
    broken.write_bytes(b'no depth')
    done = run_tool(
        *('benchmark_zero_shot.py', *relative, '--data-root', root, '--out', out),
        *('--cfg-options', 'test_dataloader.num_workers=1'),
    )
    assert done.returncode == 1
    assert 'Traceback' not in done.stderr
    assert done.stderr.rstrip().startswith('error: not evaluated:\n')
    assert 'sintel: cannot read depth file' in done.stderr and str(broken) in done.stderr
    assert 'nyu: 1 images have no depth file' in done.stderr
    report = json.loads((out / 'zero_shot.json').read_text())['sets']
    assert report['tum']['images'] == 2 and report['tum']['value'] > 0
    sintel = report['sintel']
    assert sintel['value'] is None and sintel['error'].startswith('cannot read depth file')


def test_what_cannot_be_evaluated_is_named(relative, config, trained, data, tmp_path):
    sets = [s for s in SETS if s.name in ('diw', 'nyu')]
    message = rf'none of the data sets is there; looked for {tmp_path}/diw, {tmp_path}/nyu'
    with pytest.raises(InputError, match=message):
        benchmark_zero_shot(*relative, str(tmp_path), sets)
    root = str(data[0])
    with pytest.raises(InputError, match='limit must be at least 1 image, got 0'):
        benchmark_zero_shot(*relative, root, limit=0)
    with pytest.raises(InputError, match='is no depth model: its head predicts None'):
        benchmark_zero_shot(str(config), str(trained / 'iter_4.pth'), root)
    options = ['test_dataloader.dataset.x=1']
    results = benchmark_zero_shot(*relative, root, sets[1:], options=options)
    assert 'takes no argument' in results['nyu'].error

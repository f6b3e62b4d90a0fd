"""Depth metrics: by hand, on real data against plain NumPy, and on two processes."""

import json

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmengine.dataset import DefaultSampler
from mmengine.logging import MMLogger
from PIL import Image

from mmdpt.errors import InputError
from mmdpt.evaluation.depth_errors import ERRORS, depth_errors
from mmdpt.evaluation.depth_metric import DepthMetric, bootstrap_interval
from mmdpt.training.process_group import end_process_group


def sample(pred, target, name='a.png'):
    return dict(img_path=name, pred_depth_map=dict(data=pred), gt_depth_map=dict(data=target))


def constant(depth, true=2.0, name='a.png', shape=(1, 2, 3)):
    return sample(torch.full(shape, depth), torch.full(shape, true), name)


def evaluate(samples, **arguments):
    metric = DepthMetric(**arguments)
    metric.process({}, samples)
    return metric.evaluate(len(samples))


@pytest.fixture
def log(tmp_path):
    """Return what has been logged so far."""
    logger = MMLogger.get_instance('depth-metric', log_file=tmp_path / 'log.txt')
    yield lambda: (tmp_path / 'log.txt').read_text()
    for handler in logger.handlers:
        handler.close()
    MMLogger._instance_dict.pop('depth-metric')


def test_least_squares_takes_relative_disparity_unless_told_otherwise():
    target = torch.linspace(1, 9, 12).reshape(1, 3, 4)
    relative = sample((30 / target - 2).to(torch.bfloat16), target)
    assert evaluate([relative], alignment='lstsq')['abs_rel'] < 0.02
    depth = sample(7 * target, target)
    assert evaluate([depth], alignment='lstsq')['abs_rel'] > 0.02
    assert evaluate([depth], alignment='lstsq', output='depth')['abs_rel'] < 1e-6
    assert evaluate([depth], alignment='median')['abs_rel'] < 1e-6


def test_the_model_says_what_it_predicts():
    """Disparity 0.5 1/m is 2 m."""
    disparity, relative = (
        {**constant(0.5), 'depth_output': output} for output in ('disparity', 'relative')
    )
    assert evaluate([disparity])['abs_rel'] == pytest.approx(0)
    with pytest.raises(InputError, match=r'a\.png: the model predicts disparity, .* for depth'):
        evaluate([disparity], output='depth')
    with pytest.raises(InputError, match=r'a\.png: relative disparity has an unknown shift'):
        evaluate([relative])


def test_only_images_of_a_name_are_counted(tmp_path):
    """AbsRel 0.5 in the kitchen, 0.1 in the office."""
    samples = [constant(1.0, name='a/kitchen_1.png'), constant(2.2, name='kitchen_2/office.png')]
    file = tmp_path / 'images.jsonl'
    for pattern, abs_rel in (('kitchen_*', 0.5), ('office*', 0.1), (None, 0.3)):
        metrics = evaluate(samples, images=pattern, per_image_file=str(file))
        assert metrics['abs_rel'] == pytest.approx(abs_rel)
        assert len(file.read_text().splitlines()) == (1 if pattern else 2)
    with pytest.raises(InputError, match='no image is named bath_'):
        evaluate(samples, images='bath_*')


def test_image_without_a_valid_pixel_is_named_and_left_out(log):
    samples = [constant(1.0), constant(1.0, np.nan, 'dark.png'), constant(1.0, 80.0, 'far.png')]
    metrics = evaluate(samples)
    assert metrics['abs_rel'] == pytest.approx(0.5)
    assert '2 of 3 images have no valid pixels' in log()
    assert 'dark.png\n' in log() and 'far.png\n' in log()
    with pytest.raises(InputError, match='none of 2 images has valid pixels'):
        evaluate(samples[1:])
    one = dict(constant(3.0), depth_map_path=None)
    del one['gt_depth_map']
    assert evaluate([one, one]) == {}  # without any ground truth


@pytest.mark.parametrize('alignment', ['median', 'lstsq'])
def test_image_with_too_few_pixels_to_align_to_is_left_out_and_named(log, alignment):
    """Two pixels are fitted exactly, one scale fits one: their errors would be 0."""
    samples = [sample(torch.rand(4, 5) + 1, torch.rand(4, 5) + 1, name) for name in 'abc']
    samples[1]['gt_depth_map']['data'][:2] = torch.nan
    samples[2]['gt_depth_map']['data'][1, :] = samples[2]['gt_depth_map']['data'][2:] = torch.nan
    samples[2]['gt_depth_map']['data'][1, :4] = 2
    settings = dict(alignment=alignment, output='disparity', max_depth=100)
    metrics = evaluate(samples, **settings)
    assert '1 of 3 images have fewer than 10 valid pixels' in log() and log().count('c\n')
    assert metrics == evaluate(samples[:2], **settings)
    with pytest.raises(InputError, match='none of 1 images has 10 valid pixels'):
        evaluate(samples[2:], **settings)
    assert evaluate([constant(3.0, shape=(1, 1))])['abs_rel'] == 0.5


@pytest.mark.parametrize(
    ('pred', 'target', 'crop', 'message'),
    [
        (torch.ones(1, 2, 3), torch.ones(1, 3, 2), None, r'\(2, 3\) and ground truth \(3, 2\)'),
        (torch.ones(1, 2, 3), torch.ones(1, 2, 3), 'nyu', 'nyu is defined for 480 x 640'),
        (torch.ones(3, 2, 3), torch.ones(1, 2, 3), None, r'pred_depth_map must be .* \(3, 2, 3\)'),
        (torch.ones(2, 3), None, None, 'the sample has no gt_depth_map'),
    ],
)
def test_wrong_input_names_the_image(pred, target, crop, message):
    one = sample(pred, target, 'room/17.png')
    if target is None:
        del one['gt_depth_map']
    with pytest.raises(InputError, match=f'room/17.png: .*{message}'):
        evaluate([one], crop=crop)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(min_depth=0), 'min_depth < max_depth, finite, got 0'),
        (dict(max_depth=1e-3), 'min_depth < max_depth'),
        (dict(max_depth=np.inf), 'finite, got 0.001 and inf'),
        (dict(crop='bts'), "got 'bts'"),
        (dict(alignment='mean'), "got 'mean'"),
        (dict(output='relative'), 'unknown shift'),
        (dict(bootstrap=-1), 'got -1'),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        DepthMetric(**arguments)


def test_bootstrap_interval():
    """Of a fair coin's 400 throws the mean has a standard error of 0.025."""
    values = np.stack([np.arange(400) % 2, np.full(400, 3.0)], axis=1)
    low, high = bootstrap_interval(values, 2000, seed=1)
    np.testing.assert_allclose(low, [0.5 - 1.96 * 0.025, 3], atol=0.004)
    np.testing.assert_allclose(high, [0.5 + 1.96 * 0.025, 3], atol=0.004)
    np.testing.assert_array_equal(bootstrap_interval(values, 2000, seed=1)[0], low)


def test_intervals_are_logged_not_returned(log):
    metric = DepthMetric()
    metric.process({}, [constant(depth) for depth in (1.0, 1.5, 1.8)])
    metrics = metric.evaluate(3)
    assert tuple(metrics) == ERRORS
    low, high = metric.intervals['abs_rel']
    assert 0.1 <= low < metrics['abs_rel'] < high <= 0.5
    assert f'abs_rel_low {low:.4f}  abs_rel_high {high:.4f}' in log()
    assert evaluate([constant(1.0)], bootstrap=0)['abs_rel'] == 0.5


def test_results_of_each_image(tmp_path):
    path = tmp_path / 'new' / 'images.jsonl'
    samples = [constant(1.0, name='a.png'), constant(1.0, np.nan, 'b.png'), constant(2.0)]
    for _ in range(2):  # replaced, not appended to
        evaluate(samples, per_image_file=str(path))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line['img_path'] for line in lines] == ['a.png', 'b.png', 'a.png']
    assert lines[0]['abs_rel'] == 0.5 and lines[0]['valid_pixels'] == 6
    assert lines[1] == {'img_path': 'b.png', 'valid_pixels': 0}


def read_depth(path, per_metre):
    depth = np.asarray(Image.open(path)).astype(np.float32) / per_metre
    return np.where(depth == 0, np.float32(np.nan), depth)


def wave(shape, low, high):
    """A smooth prediction that leaves the range at both ends."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    phase = np.sin(y / 61) * np.cos(x / 97) / 2 + 0.5
    return (low + (high - low) * phase).astype(np.float32)


def plain_evaluation(preds, targets, cap, rows=slice(None), columns=slice(None), align=None):
    images = []
    for pred, target in zip(preds, targets, strict=True):
        pred, target = (each[rows, columns].astype(np.float64) for each in (pred, target))
        keep = (target > 0.001) & (target < cap)
        pred, target = pred[keep], target[keep]
        if align == 'lstsq':
            matrix = np.column_stack([pred, np.ones(len(pred))])
            pred = matrix @ np.linalg.lstsq(matrix, 1 / target, rcond=None)[0]
            pred = 1 / np.where(pred < 1 / cap, 1 / cap, pred)
        elif align == 'median':
            pred = pred * np.median(target) / np.median(pred)
        pred = np.where(pred < 0.001, 0.001, np.where(pred > cap, cap, pred))
        images.append(depth_errors(pred, target))
    return {name: sum(image[name] for image in images) / len(images) for name in ERRORS}


NYU, FRAME = 'nyu_sample/mmseg/annotations/train/*.png', (slice(45, 471), slice(41, 601))
KITTI, COLUMNS = 'kitti_sample/depth/0000000100.png', slice(44, 1197)


@pytest.mark.parametrize(
    ('files', 'per_metre', 'low', 'high', 'options', 'part'),
    [
        (NYU, 1000, -0.5, 7, dict(crop='nyu'), FRAME),
        (NYU, 1000, -0.5, 7, dict(crop='nyu', alignment='median'), FRAME),
        (KITTI, 256, -5, 95, dict(crop='eigen', max_depth=80), (slice(124, 342), COLUMNS)),
        ('zeroshot_sample/tum/depth/*.png', 5000, -300, 4000, dict(alignment='lstsq'), ()),
    ],
    ids=['nyu', 'nyu median', 'kitti eigen', 'tum lstsq'],
)
def test_real_data(data_root, files, per_metre, low, high, options, part):
    targets = [read_depth(path, per_metre) for path in sorted(data_root.glob(files))]
    preds = [wave(target.shape, low, high + k) for k, target in enumerate(targets)]
    cap = options.get('max_depth', 10)
    assert targets and (max(np.nanmax(target) for target in targets) > cap or 'nyu' in files)
    expected = plain_evaluation(preds, targets, cap, *part, align=options.get('alignment'))
    samples = [sample(*map(torch.from_numpy, both)) for both in zip(preds, targets, strict=True)]
    assert evaluate(samples, bootstrap=0, **options) == pytest.approx(expected, rel=1e-9)


def evaluate_share(rank, world, folder):
    """Evaluate five images, one without a valid pixel; keep what is counted and found."""
    if world > 1:
        meeting = f'file://{folder}/meeting'
        dist.init_process_group('gloo', init_method=meeting, rank=rank, world_size=world)
    true = torch.rand(5, 1, 4, 6, generator=torch.Generator().manual_seed(0)) + 1
    true[3] = torch.nan
    found = []
    for round_up in (True, False):
        metric = DepthMetric(per_image_file=f'{folder}/{world}-{round_up}.jsonl')
        for index in DefaultSampler(true, shuffle=False, round_up=round_up):
            pred = true[index].nan_to_num(1) * (1 + index / 10)
            metric.process({}, [sample(pred, true[index], f'{index}.png')])
        found += [len(metric.results), metric.evaluate(5), metric.intervals]
    (folder / f'{world}-{rank}.json').write_text(json.dumps(found))
    end_process_group()


@pytest.mark.distributed
def test_two_processes_equal_one(tmp_path):
    """Where the sampler rounds up, a share repeats the first image."""
    evaluate_share(0, 1, tmp_path)
    mp.start_processes(evaluate_share, (2, tmp_path), nprocs=2, start_method='fork')
    one, first, second = (
        json.loads((tmp_path / f'{name}.json').read_text()) for name in ('1-0', '2-0', '2-1')
    )
    shares = [one[::3], first[::3], second[::3]]
    assert shares == [[5, 5], [3, 3], [3, 2]]
    assert first[1:3] == one[1:3] and first[4:6] == one[4:6]
    assert [second[1], second[4]] == [one[1], one[4]]
    for round_up in (True, False):
        lines = (tmp_path / f'1-{round_up}.jsonl').read_text()
        assert lines.count('\n') == 5
        assert (tmp_path / f'2-{round_up}.jsonl').read_text() == lines


def test_predictions_are_written_as_by_mmseg(tmp_path):
    samples = [constant(2.5, name=f'b/{letter}.jpg') for letter in 'xy']
    samples[1]['pred_depth_map']['data'][0, 0, :2] = torch.tensor([float('nan'), 1e9])
    metric = DepthMetric(output_dir=str(tmp_path / 'out'), depth_scale_factor=256, format_only=True)
    metric.process({}, samples)
    assert metric.results == [] and metric.compute_metrics([]) == {}
    first, second = (np.array(Image.open(tmp_path / 'out' / f'{name}.png')) for name in 'xy')
    assert (first == 640).all() and first.dtype == np.uint16
    assert second[0, :2].tolist() == [0, 65535]

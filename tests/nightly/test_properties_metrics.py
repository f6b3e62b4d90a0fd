"""Metrics of generated maps are their definitions, pixel by pixel in Python."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmdpt.errors import InputError
from mmdpt.evaluation import DepthMetric, WHDRMetric
from mmdpt.evaluation.crops import CROPS, crop_slices
from mmdpt.evaluation.depth_errors import ERRORS, depth_errors

SEEDS = st.integers(0, 2**32 - 1).map(np.random.default_rng)
SIDES = st.integers(1, 97)
TYPES = st.sampled_from([torch.float16, torch.bfloat16, torch.float32, torch.float64])


def errors_by_hand(pred, target):
    pairs = [(float(p), float(g)) for p, g in zip(pred, target, strict=True)]

    def mean(values):
        values = list(values)
        return math.fsum(values) / len(values)

    ratios = [max(p / g, g / p) for p, g in pairs]
    d = [math.log(p) - math.log(g) for p, g in pairs]
    centre = mean(d)
    variance = mean((x - centre) ** 2 for x in d)
    return dict(
        d1=mean(r < 1.25 for r in ratios),
        d2=mean(r < 1.25**2 for r in ratios),
        d3=mean(r < 1.25**3 for r in ratios),
        abs_rel=mean(abs(p - g) / g for p, g in pairs),
        sq_rel=mean((p - g) ** 2 / g for p, g in pairs),
        rmse=math.sqrt(mean((p - g) ** 2 for p, g in pairs)),
        rmse_log=math.sqrt(mean(x**2 for x in d)),
        log10=mean(abs(math.log10(p / g)) for p, g in pairs),
        silog_kitti=100 * math.sqrt(variance),
        silog_mmseg=math.sqrt(variance + centre**2 / 2),
        bad_pixels=100 * mean(r > 1.25 for r in ratios),
    )


@st.composite
def depths(draw):
    """Predicted and true depths, (M,)."""
    random, count = draw(SEEDS), draw(st.integers(1, 400))
    low, high = sorted(draw(st.tuples(st.floats(-30, 30), st.floats(-30, 30))))
    return 10 ** random.uniform(low, high, (2, count))


@given(both=depths())
def test_errors_are_their_definitions(both):
    ours, by_hand = depth_errors(*both), errors_by_hand(*both)
    assert ours == pytest.approx(by_hand, rel=1e-9, abs=1e-9)
    assert all(math.isfinite(value) and value >= 0 for value in ours.values())
    assert ours['d1'] <= ours['d2'] <= ours['d3'] <= 1
    for name, value in depth_errors(both[0], both[0]).items():  # the right answer
        assert value == (1 if name in ('d1', 'd2', 'd3') else 0)


@given(
    both=depths(),
    wrong=st.sampled_from([0.0, -1.0, math.nan, math.inf]),
    of=st.integers(0, 1),
    random=SEEDS,
)
def test_one_number_that_is_no_depth_is_an_error(both, wrong, of, random):
    both[of][random.integers(both.shape[1])] = wrong
    with pytest.raises(
        ValueError, match=('predicted', 'true')[of] + ' depths must be positive and finite'
    ):
        depth_errors(*both)


@st.composite
def samples(draw):
    """A batch as the runner gives it, with its predictions and ground truths in float64."""
    random, batch = draw(SEEDS), []
    for number in range(draw(st.integers(1, 4))):
        size = (draw(SIDES), draw(SIDES))
        target = random.uniform(0.01, 12, size).astype(np.float32)
        share = draw(st.sampled_from([0.0, 0.3, 1.0]))
        junk = random.choice([np.nan, np.inf, 0, -1, 1e30], size).astype(np.float32)
        target = np.where(random.random(size) < share, target, junk)
        pred = torch.tensor(random.uniform(0.01, 12, size)).to(draw(TYPES))
        lead = (1,) if draw(st.booleans()) else ()
        batch.append(
            dict(
                img_path=f'{number}.jpg',
                pred_depth_map=dict(data=pred.reshape(*lead, *size)),
                gt_depth_map=dict(data=torch.tensor(target).reshape(*lead, *size)),
            )
        )
    return batch


def evaluate(batch, **options):
    metric = DepthMetric(**options)
    metric.process({}, batch)
    return metric.compute_metrics(metric.results)


def flat(sample, key):
    return sample[key]['data'].double().numpy().ravel()


@given(batch=samples(), max_depth=st.sampled_from([3.0, 10.0]), random=SEEDS)
def test_metric_is_the_mean_over_images_of_the_valid_pixels_errors(batch, max_depth, random):
    scores = []
    for sample in batch:
        pred, target = flat(sample, 'pred_depth_map'), flat(sample, 'gt_depth_map')
        valid = (target > np.float32(1e-3)) & (target < max_depth)
        if valid.any():
            inside = np.clip(pred[valid], 1e-3, max_depth)
            scores.append(errors_by_hand(inside, target[valid]))
    if not scores:
        with pytest.raises(InputError, match='nothing to evaluate'):
            evaluate(batch, max_depth=max_depth)
        return
    expected = {name: np.mean([score[name] for score in scores]) for name in ERRORS}
    found = evaluate(batch, max_depth=max_depth, bootstrap=0)
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)
    metric = DepthMetric(max_depth=max_depth, bootstrap=0)  # in any order, one by one
    for position in random.permutation(len(batch)):
        metric.process({}, [batch[position]])
    assert metric.compute_metrics(metric.results) == pytest.approx(found, rel=1e-12)


@given(batch=samples(), wrong=st.sampled_from([math.nan, math.inf, -math.inf]), random=SEEDS)
def test_one_prediction_that_is_no_number_is_named_where_it_counts(batch, wrong, random):
    sample = batch[random.integers(len(batch))]
    target = flat(sample, 'gt_depth_map')
    valid = (target > np.float32(1e-3)) & (target < 10)
    place = random.integers(target.size)
    sample['pred_depth_map']['data'].view(-1)[place] = wrong
    metric = DepthMetric()
    if valid[place]:
        with pytest.raises(
            InputError, match=rf'{sample["img_path"]}: .*NaN or infinite at 1 of {valid.sum()} '
        ):
            metric.process({}, batch)
    else:
        metric.process({}, batch)


@given(random=SEEDS, size=st.tuples(SIDES, SIDES), top=st.floats(-30, 30), dtype=TYPES)
def test_whdr_counts_the_pairs_that_the_order_contradicts(random, size, top, dtype):
    pred = torch.tensor(min(10**top, 1e4) * random.normal(size=size)).to(dtype)
    pairs = []
    for _ in range(random.integers(1, 9)):
        (y1, y2), (x1, x2) = random.integers(size[0], size=2), random.integers(size[1], size=2)
        pairs.append(((y1, x1), (y2, x2), str(random.choice(['<', '>']))))
    rates = {}
    for output in ('relative', 'depth'):
        metric = WHDRMetric(output=output)
        sample = dict(img_path='a.jpg', pred_depth_map=dict(data=pred), ordinal_pairs=pairs)
        metric.process({}, [sample])
        rates[output] = metric.compute_metrics(metric.results)['whdr']
    first, second = ([pred[pair[k]].item() for pair in pairs] for k in (0, 1))
    farther = [
        (a < b) if r == '>' else (a > b)
        for a, b, r in zip(first, second, (pair[2] for pair in pairs), strict=True)
    ]
    ties = sum(a == b for a, b in zip(first, second, strict=True))
    agree = sum(farther)
    assert rates['relative'] == pytest.approx(100 * (1 - agree / len(pairs)))
    assert rates['depth'] == pytest.approx(100 * (agree + ties) / len(pairs))


@given(name=st.sampled_from(sorted(CROPS)), height=st.integers(1, 500), width=st.integers(1, 1400))
def test_crop_is_a_part_of_the_image_or_an_error(name, height, width):
    try:
        rows, columns = crop_slices(name, height, width)
    except ValueError as error:
        assert name in str(error) and str(height) in str(error)
        return
    assert 0 <= rows.start < rows.stop <= height
    assert 0 <= columns.start < columns.stop <= width

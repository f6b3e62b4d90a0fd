"""Areas are mmseg's, exact beyond what float32 counts."""

import pytest
import torch
from mmengine.logging import MMLogger
from mmseg.evaluation import IoUMetric as MMSegIoUMetric

from mmdpt.errors import InputError
from mmdpt.evaluation.iou_metric import IoUMetric


@pytest.mark.parametrize('num_classes, ignore_index', [(2, 255), (7, 255), (150, 255), (7, 0)])
@pytest.mark.parametrize('strange', [{}, dict(label=[7, 200, -1, 8]), dict(pred=[7, 9, 300, -4])])
def test_areas_are_those_of_mmseg(num_classes, ignore_index, strange):
    """Also of values that are no class, in labels and predictions: read from files, say."""
    torch.manual_seed(0)
    maps = {name: torch.randint(0, num_classes, (40, 50)) for name in ('pred', 'label')}
    maps['label'][:5] = ignore_index
    for name, values in strange.items():
        maps[name][10:14, 3] = torch.tensor(values) + (num_classes - 7) * (torch.tensor(values) > 6)
    arguments = maps['pred'], maps['label'], num_classes, ignore_index
    ours = IoUMetric.intersect_and_union(*arguments)
    theirs = MMSegIoUMetric.intersect_and_union(*arguments)
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.dtype == torch.float64
        assert torch.equal(mine, other.double())


def test_inputs_stay_as_they_are_and_no_pixels_count_nothing():
    pred, label = torch.tensor([[0, 5]]), torch.tensor([[255, 5]])
    IoUMetric.intersect_and_union(pred, label, 3, 255)
    assert (pred.tolist(), label.tolist()) == ([[0, 5]], [[255, 5]])
    empty = torch.empty(0, 4, dtype=torch.int64)
    assert all(not area.any() for area in IoUMetric.intersect_and_union(empty, empty, 3, 255))


@pytest.mark.parametrize('metrics', [['mIoU'], ['mDice', 'mFscore']])
def test_metrics_are_those_of_mmseg(metrics):
    MMLogger.get_instance('test_iou_metric', log_level='ERROR')
    results = []
    for kind in (IoUMetric, MMSegIoUMetric):
        torch.manual_seed(0)
        metric = kind(iou_metrics=metrics)
        metric.dataset_meta = dict(classes=('a', 'b', 'c'))
        for _ in range(3):
            names = ('pred_sem_seg', 'gt_sem_seg')
            maps = {name: dict(data=torch.randint(0, 3, (1, 8, 9))) for name in names}
            metric.process({}, [maps])
        results.append(metric.evaluate(3))
    ours, theirs = results
    classes = {name: ours.pop(name) for name in list(ours) if isinstance(ours[name], dict)}
    assert ours == pytest.approx(theirs, abs=0.01)
    assert 0 < ours['aAcc'] < 100
    assert set(classes) == {name.removeprefix('m') for name in ours} - {'aAcc'}
    for name, values in classes.items():
        assert list(values) == ['a', 'b', 'c']
        assert sum(values.values()) / 3 == pytest.approx(ours[f'm{name}'], abs=0.01)


def image(name, **maps):
    fields = {key: dict(data=torch.full((1, 2, 3), value)) for key, value in maps.items()}
    return dict(img_path=name, seg_map_path=None, **fields)


def test_images_without_labels_count_nothing():
    samples = [image('a.jpg', pred_sem_seg=1, gt_sem_seg=1), image('b.jpg', pred_sem_seg=0)]
    metric = IoUMetric()
    metric.dataset_meta = dict(classes=('a', 'b'))
    metric.process({}, samples)
    assert metric.evaluate(2)['aAcc'] == 100
    metric.process({}, samples[1:])
    assert metric.evaluate(1) == {}
    with pytest.raises(InputError, match=r'b\.jpg: .* has not loaded the label b\.png'):
        metric.process({}, [dict(samples[1], seg_map_path='b.png')])


def test_unknown_metrics_and_files_of_one_name_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"iou_metrics may have \['mIoU', .*, got 'mIOU'"):
        IoUMetric(iou_metrics=['mIoU', 'mIOU'])
    metric = IoUMetric(output_dir=str(tmp_path / 'out'))
    metric.dataset_meta = dict(classes=('a', 'b'))
    metric.process({}, [image('x/1.jpg', pred_sem_seg=1)] * 2)
    with pytest.raises(InputError, match=r'x/1\.jpg and y/1\.jpg would be one file'):
        metric.process({}, [image('y/1.jpg', pred_sem_seg=1)])


def test_sums_are_exact_beyond_what_float32_counts():
    """2^24 + 1 is no float32: there, one pixel more makes no difference."""
    many = 2.0**24
    assert float(torch.tensor(many) + torch.tensor(1.0)) == many
    one = IoUMetric.intersect_and_union(torch.zeros(1, 1), torch.zeros(1, 1), 2, 255)[0]
    assert (torch.tensor([many, 0], dtype=torch.float64) + one)[0] == many + 1

"""Every trouble that a data set can have is found in its files and named, and only those."""

import re

import numpy as np
import pytest
from checked_sets import (
    LOAD_DEPTH,
    LOAD_IMAGE,
    LOAD_LABELS,
    NAMES,
    PACK,
    check,
    depth,
    lines,
    only_trouble,
    segmentation,
    write_depth,
    write_label,
)  # fmt: skip
from mmengine.config import ConfigDict
from tiny_files import LabelsAndDepth, write_image, write_map

from mmdpt.datasets.checking import check_splits, format_report
from mmdpt.datasets.checking.splits import entries, spread
from mmdpt.datasets.depth_dataset import DepthDataset
from mmdpt.errors import InputError
from mmdpt.registry import DATASETS


class RawDepth(DepthDataset):
    """Depth files without a header."""

    def load_data_list(self):
        return [dict(info, depth_encoding='raw_float32') for info in super().load_data_list()]


def test_clean_labels_and_clean_depth(root):
    """A quarter each of no depth, 1, 2 and 4 m."""
    reports = check(segmentation(root), segmentation(root, 'val'))
    assert not any(report.troubles for report in reports)
    rows = lines(reports)
    assert rows['paired with'] == ['labels 3', 'labels 2']
    assert rows['image size [px]'] == ['80 x 60'] * 2
    assert rows['labels seen'] == ['0..2'] * 2
    assert rows['labels not ignored'] == ['75.0%'] * 2
    assert 'median depth' not in rows
    assert 'note' not in format_report(reports)
    rows = lines(check(depth(root)))
    assert rows['paired with'] == ['depth 3']
    assert rows['median depth'] == ['2 m']
    assert rows['range of depth'] == ['1 .. 4 m']
    assert rows['pixels with depth'] == ['75.0%']
    assert rows['troubles'] == ['0']
    assert 'labels seen' not in rows


def test_labels_and_depth_in_one_sample(root):
    steps = [LOAD_IMAGE, LOAD_LABELS, LOAD_DEPTH, PACK]
    dataset = segmentation(root, type=LabelsAndDepth, pipeline=steps)
    rows = lines(check(dataset))
    assert rows['paired with'] == ['labels 3, depth 3']
    assert rows['labels seen'] == ['0..2'] and rows['median depth'] == ['2 m']
    assert rows['troubles'] == ['0']
    write_label(root, 'q', [7])
    write_depth(root, 'q', [0])
    (report,) = check(dataset)
    assert [kind for kind, _ in report.troubles] == ['label values', 'no valid pixel']


def test_sizes_are_a_range_of_the_files_and_the_pipeline_runs_whole(root):
    write_image(root / 'images' / 'train' / 'q.jpg', (48, 64))
    write_label(root, 'q', [0, 1, 2], (64, 48))
    resize = dict(type='Resize', scale=(40, 30))
    rows = lines(check(segmentation(root, pipeline=[LOAD_IMAGE, LOAD_LABELS, resize, PACK])))
    assert rows['image size [px]'] == ['48..80 x 60..64']
    assert rows['size after pipeline [px]'] == ['40 x 30']


def test_files_beside_the_images_and_a_depth_file_of_two_are_notes(root):
    (root / 'images' / 'train' / 'z.heic').touch()
    for dataset in (segmentation(root), depth(root)):
        text = format_report(check(dataset))
        assert '1 files have another suffix than the images and are left out:' in text
        assert 'z.heic' in text
    (root / 'list.txt').write_text('p.jpg p.png\nq.jpg p.png\n')
    reports = check(depth(root, ann_file='list.txt'))
    assert 'note: train: 1 label or depth files belong to several' in format_report(reports)
    assert not reports[0].troubles


def array(values, shape=(60, 80), dtype=np.uint8):
    return np.resize(np.array(values, dtype), shape)


def depths(values, shape=(60, 80)):
    return array(values, shape, np.uint16)


@pytest.mark.parametrize(
    ('file', 'content', 'trouble'),
    [
        ('images/train/q.jpg', 400, r'reading: .*images/train/q\.jpg'),
        ('labels/train/q.png', 60, r'reading: .*labels/train/q\.png'),
        ('labels/train/q.png', array([0, 3, 9]), r'label values: .* holds \[3, 9\]: expected 0'),
        ('labels/train/q.png', array([0, 1], (80, 60)), 'size: .* is 60 x 80 px, its image'),
        ('labels/train/q.png', array([255]), 'no valid pixel: .* is ignored everywhere'),
        ('depth/train/q.png', array([0, 100]), r'reading: .*train/q\.png has 8 bits'),
        ('depth/train/q.png', depths([1000], (30, 40)), 'size: .* is 40 x 30 px, its image'),
        ('depth/train/q.png', depths([0]), r'no valid pixel: .*q\.png has no valid pixel'),
    ],
    ids=range(8),
)
def test_one_bad_file_is_the_only_trouble(root, file, content, trouble):
    """The first bytes of the file are kept, or other values are written."""
    if isinstance(content, int):
        (root / file).write_bytes((root / file).read_bytes()[:content])
    else:
        write_map(root / file, content)
    build = depth if file.startswith('depth') else segmentation
    assert re.match(trouble, ': '.join(only_trouble(build(root))))


def test_training_without_labels_is_a_trouble_and_a_test_is_none(root):
    dataset = segmentation(root, data_prefix=dict(img_path='images/val', seg_map_path=None))
    train, val = check(dataset, dict(dataset, test_mode=True))
    assert [kind for kind, _ in train.troubles] == ['no target'] * 2
    assert {kind for kind, _ in val.troubles} == {'leak'}
    assert lines([val])['paired with'] == ['no target 2']


def test_wrong_depth_scale_unless_there_is_no_unit(root):
    (report,) = check(depth(root, depth_scale=1))
    assert [kind for kind, _ in report.troubles] == ['unit'] * 3
    assert 'p.png has a median depth of 2000 m: is depth_scale 1' in report.troubles[0].text
    assert lines([report])['median depth'] == ['2e+03 m']
    steps = [LOAD_IMAGE, dict(LOAD_DEPTH, median_range=None), PACK]
    reports = check(depth(root, depth_scale=1, pipeline=steps))
    assert lines(reports)['median depth'] == ['2e+03 (no unit)'] and not reports[0].troubles


def test_raw_depth_of_another_size_is_told_once(root):
    for name in NAMES:
        path = root / 'depth' / 'train' / f'{name}.png'
        path.write_bytes(np.full((60, 80), 2000, '<f4').tobytes())
    assert not check(depth(root, type=RawDepth))[0].troubles
    path.write_bytes(np.full((30, 40), 2000, '<f4').tobytes())
    kind, text = only_trouble(depth(root, type=RawDepth))
    assert kind == 'reading' and 'r.png: 4800 bytes for 80 x 60 numbers' in text


def test_depth_without_valid_pixel_where_the_pipeline_allows_it(root):
    write_depth(root, 'q', [0])
    reports = check(depth(root, pipeline=[LOAD_IMAGE, dict(LOAD_DEPTH, allow_empty=True), PACK]))
    assert not reports[0].troubles
    rows = lines(reports)
    assert rows['maps without valid pixel'] == ['1'] and rows['pixels with depth'] == ['50.0%']


def test_test_images_of_several_sizes_are_no_batch(root):
    write_image(root / 'images/val/x.jpg', (70, 60))
    write_label(root, 'x', [0, 1, 2], (60, 70), 'val')
    loader = dict(dataset=segmentation(root, 'val'))
    for batch_size, kinds in ((2, ['batch']), (1, [])):
        cfg = ConfigDict(val_dataloader=dict(loader, batch_size=batch_size))
        (report,) = check_splits(cfg)
        assert [trouble.kind for trouble in report.troubles] == kinds


def test_data_set_that_cannot_be_listed(root):
    (root / 'labels' / 'train' / 'q.png').unlink()
    train, val = check(segmentation(root), segmentation(root, 'val'))
    ((kind, text),) = train.troubles
    assert kind == 'listing' and '1 images have no label' in text and 'q.jpg' in text
    assert not val.troubles and len(val.readings) == 2


@pytest.mark.parametrize(
    ('build', 'steps', 'kind', 'words'),
    [
        # 352 x 1216 px of images of 60 x 80
        (depth, [dict(type='KBCrop'), PACK], 'pipeline', 'images/train/p.jpg: '),
        (depth, [], 'pipeline', 'is PackSegInputs or PackDepthInputs the last?'),
        (segmentation, [PACK], 'reading', "p.jpg: LoadDepth raises KeyError: 'depth_map_path'"),
    ],
)
def test_pipeline_that_fails_in_or_after_loading(root, build, steps, kind, words):
    (report,) = check(build(root, pipeline=[LOAD_IMAGE, LOAD_DEPTH, *steps]))
    texts = [trouble.text for trouble in report.troubles if trouble.kind == kind]
    assert len(texts) == 3 and words in texts[0]
    assert build is segmentation or len(report.troubles) == 3


def test_troubles_of_two_files_and_of_one_file_are_all_named(root):
    write_label(root, 'p', [0, 5], (30, 40))
    (root / 'labels' / 'train' / 'r.png').write_bytes(b'no picture')
    (report,) = check(segmentation(root))
    assert [kind for kind, _ in report.troubles] == ['size', 'label values', 'reading']
    text = format_report([report])
    assert 'p.png is 40 x 30 px' in text and 'p.png holds [5]' in text and 'r.png' in text
    assert 'trouble: train: reading (1)' in text


def nested(root):
    """Twice (train four times, then val): 2 x (12 + 2) samples of 5 files."""
    repeated = dict(type='RepeatDataset', times=4, dataset=depth(root))
    both = dict(type='ConcatDataset', datasets=[repeated, depth(root, 'val')])
    return dict(type='RepeatDataset', times=2, dataset=both)


def test_nested_data_sets_are_read_and_their_troubles_told_once_each(root):
    built = DATASETS.build(nested(root))
    assert len(built) == 28
    found = entries(built)
    assert [entry.position for entry in found] == [0, 1, 2, 12, 13]
    for entry, name in zip(found, ('p', 'q', 'r', 'x', 'y'), strict=True):
        assert built[entry.position]['data_samples'].img_path.endswith(f'{name}.jpg')
    rows = lines(check(nested(root)))
    assert rows['samples'] == ['28 (5 files)'] and rows['samples read'] == ['5']
    assert rows['paired with'] == ['depth 5']
    write_depth(root, 'y', [0], split='val')
    kind, text = only_trouble(nested(root))
    assert kind == 'no valid pixel' and 'depth/val/y.png' in text


def test_an_image_in_train_and_val_is_a_leak_however_nested_or_linked(root):
    train, val = check(nested(root), depth(root, 'val'))
    assert (train.name, val.name) == ('train', 'val')
    leaks = [('leak', f'{root}/images/val/{name}.jpg is in train too') for name in 'xyp']
    assert val.troubles == leaks[:2]
    _, val = check(segmentation(root), segmentation(root))
    assert [kind for kind, _ in val.troubles] == ['leak'] * 3
    (root / 'images' / 'val' / 'p.jpg').symlink_to(root / 'images' / 'train' / 'p.jpg')
    write_label(root, 'p', [0, 1, 2], split='val')
    train, val = check(segmentation(root), segmentation(root, 'val'))
    assert not train.troubles and val.troubles == leaks[2:]


def test_only_the_sample_is_read_spread_from_first_to_last(root):
    assert spread(101, 5) == [0, 25, 50, 75, 100]
    assert (spread(3, 50), spread(10, 2), spread(10, 1)) == ([0, 1, 2], [0, 9], [0])
    (report,) = check(segmentation(root, pipeline=[LOAD_IMAGE, PACK]), num_samples=2)
    assert [reading.path[-5:] for reading in report.readings] == ['p.jpg', 'r.jpg']


def test_identical_splits_are_checked_once_and_the_named_ones_alone(root):
    val = segmentation(root, 'val')
    reports = check(segmentation(root), val, val)
    assert [report.name for report in reports] == ['train', 'val = test']
    other = segmentation(root, 'val', test_mode=True)
    assert [report.name for report in check(None, val, other)] == ['val', 'test']
    (report,) = check(segmentation(root), val, names=('val',))
    assert report.name == 'val'


def test_nothing_to_check(root):
    with pytest.raises(InputError, match='the config has no data set for test'):
        check(segmentation(root), names=('test',))
    with pytest.raises(InputError, match='samples must be at least 1, got 0'):
        check(segmentation(root), num_samples=0)
    with pytest.raises(InputError, match='list is no BaseDataset of MMEngine'):
        entries([1, 2])

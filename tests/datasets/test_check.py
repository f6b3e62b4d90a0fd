"""Every trouble that a data set can have is found in its files and named, and only those."""

import mmcv
import numpy as np
import pytest
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from PIL import Image

from mmdpt.datasets.checking import check_splits, format_report
from mmdpt.datasets.checking.splits import entries, spread
from mmdpt.datasets.depth_dataset import DepthDataset
from mmdpt.datasets.seg_dataset import SegDataset
from mmdpt.errors import InputError
from mmdpt.registry import DATASETS

CLASSES = dict(classes=('a', 'b', 'c'), palette=[[255, 0, 0], [0, 255, 0], [0, 0, 255]])
LOAD_IMAGE, LOAD_LABELS = dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')
LOAD_DEPTH, PACK = dict(type='LoadDepth'), dict(type='PackDepthInputs')
NAMES = ('p', 'q', 'r')


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmdpt')


@DATASETS.register_module(force=True)
class LabelsAndDepth(SegDataset):
    """Labels, and depth [mm] beside them."""

    def load_data_list(self):
        data_list = super().load_data_list()
        for info in data_list:
            depth = info['seg_map_path'].replace('/labels/', '/depth/')
            info.update(depth_map_path=depth, depth_scale=1000.0)
        return data_list


@DATASETS.register_module(force=True)
class RawDepth(DepthDataset):
    """Depth files without a header."""

    def load_data_list(self):
        return [dict(info, depth_encoding='raw_float32') for info in super().load_data_list()]


@pytest.fixture
def root(tmp_path):
    """Images p, q, r of 80 x 60 px in train and x, y in val, labels 0..2 and 255, 1 to 4 m."""
    for split, names in (('train', NAMES), ('val', ('x', 'y'))):
        for kind in ('images', 'labels', 'depth'):
            (tmp_path / kind / split).mkdir(parents=True)
        for name in names:
            rng = np.random.default_rng(ord(name))
            image = rng.integers(0, 255, (60, 80, 3), dtype=np.uint8)
            Image.fromarray(image).save(tmp_path / 'images' / split / f'{name}.jpg')
            write_label(tmp_path / 'labels' / split / f'{name}.png', [0, 1, 2, 255])
            write_depth(tmp_path / 'depth' / split / f'{name}.png', [0, 1000, 2000, 4000])
    return tmp_path


def write_label(path, values, shape=(60, 80), dtype=np.uint8):
    Image.fromarray(np.resize(np.array(values, dtype), shape)).save(path)


def write_depth(path, values, shape=(60, 80), dtype=np.uint16):
    write_label(path, values, shape, dtype)


def segmentation(root, split='train', **kwargs):
    settings = dict(
        type='SegDataset',
        data_root=str(root),
        data_prefix=dict(img_path=f'images/{split}', seg_map_path=f'labels/{split}'),
        metainfo=CLASSES,
        pipeline=[LOAD_IMAGE, LOAD_LABELS, PACK],
    )
    return {**settings, **kwargs}


def depth(root, split='train', **kwargs):
    settings = dict(
        type='DepthDataset',
        depth_scale=1000,
        data_root=str(root),
        data_prefix=dict(img_path=f'images/{split}', depth_map_path=f'depth/{split}'),
        pipeline=[LOAD_IMAGE, LOAD_DEPTH, PACK],
    )
    return {**settings, **kwargs}


def check(train=None, val=None, test=None, **kwargs):
    datasets = dict(train=train, val=val, test=test)
    cfg = {f'{k}_dataloader': dict(dataset=v) for k, v in datasets.items() if v is not None}
    return check_splits(ConfigDict(cfg), **kwargs)


def only_trouble(dataset):
    """The kind and text of the one trouble of a training set."""
    (report,) = check(dataset)
    ((kind, text),) = report.troubles
    return kind, text


def lines(reports):
    """The rows of the table, by title: their cells."""
    rows = [row.split('   ') for row in format_report(reports).splitlines()]
    return {row[0].strip(): [cell.strip() for cell in row[1:] if cell.strip()] for row in rows}


# clean data


def test_clean_labels(root):
    reports = check(segmentation(root), segmentation(root, 'val'))
    assert not any(report.troubles for report in reports)
    rows = lines(reports)
    assert rows['paired with'] == ['labels 3', 'labels 2']
    assert rows['image size [px]'] == ['80 x 60'] * 2
    assert rows['labels seen'] == ['0..2'] * 2
    assert rows['labels not ignored'] == ['75.0%'] * 2
    assert 'median depth' not in rows
    assert 'note' not in format_report(reports)


def test_clean_depth(root):
    """A quarter each of no depth, 1, 2 and 4 m."""
    rows = lines(check(depth(root)))
    assert rows['paired with'] == ['depth 3']
    assert rows['median depth'] == ['2 m']
    assert rows['range of depth'] == ['1 .. 4 m']
    assert rows['pixels with depth'] == ['75.0%']
    assert rows['troubles'] == ['0']
    assert 'labels seen' not in rows


def test_labels_and_depth_in_one_sample(root):
    dataset = segmentation(
        root, type='LabelsAndDepth', pipeline=[LOAD_IMAGE, LOAD_LABELS, LOAD_DEPTH, PACK]
    )
    rows = lines(check(dataset))
    assert rows['paired with'] == ['labels 3, depth 3']
    assert rows['labels seen'] == ['0..2'] and rows['median depth'] == ['2 m']
    assert rows['troubles'] == ['0']
    write_label(root / 'labels' / 'train' / 'q.png', [7])
    write_depth(root / 'depth' / 'train' / 'q.png', [0])
    (report,) = check(dataset)
    assert [kind for kind, _ in report.troubles] == ['label values', 'no valid pixel']


def test_sizes_are_a_range(root):
    Image.fromarray(np.zeros((64, 48, 3), np.uint8)).save(root / 'images' / 'train' / 'q.jpg')
    write_label(root / 'labels' / 'train' / 'q.png', [0, 1, 2], (64, 48))
    assert lines(check(segmentation(root)))['image size [px]'] == ['48..80 x 60..64']


def test_files_are_read_at_their_size_and_the_pipeline_runs_whole(root):
    resize = dict(type='Resize', scale=(40, 30))
    rows = lines(check(segmentation(root, pipeline=[LOAD_IMAGE, LOAD_LABELS, resize, PACK])))
    assert rows['image size [px]'] == ['80 x 60']
    assert rows['size after pipeline [px]'] == ['40 x 30']


def test_class_that_is_nowhere_is_a_note(root):
    for name in NAMES:
        write_label(root / 'labels' / 'train' / f'{name}.png', [0, 2])
    reports = check(segmentation(root))
    assert 'note: train: 1 of 3 classes are not in the samples read:\n  1 b' in format_report(
        reports
    )
    assert lines(reports)['labels seen'] == ['0, 2']
    assert not reports[0].troubles


def test_depth_file_of_two_images_is_a_note(root):
    (root / 'list.txt').write_text('p.jpg p.png\nq.jpg p.png\n')
    reports = check(depth(root, ann_file='list.txt'))
    assert 'note: train: 1 label or depth files belong to several' in format_report(reports)
    assert not reports[0].troubles


def test_depth_in_no_unit_says_so(root):
    step = dict(LOAD_DEPTH, median_range=None)
    dataset = depth(root, depth_scale=1, pipeline=[LOAD_IMAGE, step, PACK])
    assert lines(check(dataset))['median depth'] == ['2e+03 (no unit)']


# one thing wrong


def test_truncated_image(root):
    path = root / 'images' / 'train' / 'q.jpg'
    path.write_bytes(path.read_bytes()[:1500])
    kind, text = only_trouble(segmentation(root))
    assert kind == 'reading' and 'images/train/q.jpg' in text


def test_truncated_image_that_opencv_fills_with_grey(root, monkeypatch):
    decode = mmcv.imfrombytes

    def grey(data, flag, backend):
        is_image = flag == 'color'
        return np.full((60, 80, 3), 128, np.uint8) if is_image else decode(data, flag, backend)

    monkeypatch.setattr(mmcv, 'imfrombytes', grey)
    path = root / 'images' / 'train' / 'q.jpg'
    path.write_bytes(path.read_bytes()[:1500])
    kind, text = only_trouble(segmentation(root))
    assert kind == 'reading'
    assert 'cannot read image' in text and 'images/train/q.jpg: it is a JPEG cut short' in text


def test_truncated_label(root):
    path = root / 'labels' / 'train' / 'q.png'
    path.write_bytes(path.read_bytes()[:60])
    kind, text = only_trouble(segmentation(root))
    assert kind == 'reading' and 'labels/train/q.png' in text


def test_eight_bit_depth(root):
    write_depth(root / 'depth' / 'train' / 'r.png', [0, 100], dtype=np.uint8)
    kind, text = only_trouble(depth(root))
    assert kind == 'reading' and 'depth/train/r.png has 8 bits' in text


def test_wrong_depth_scale(root):
    (report,) = check(depth(root, depth_scale=1))
    assert [kind for kind, _ in report.troubles] == ['unit'] * 3
    assert 'p.png has a median depth of 2000 m: is depth_scale 1' in report.troubles[0].text
    assert lines([report])['median depth'] == ['2e+03 m']


def test_depth_of_another_size(root):
    write_depth(root / 'depth' / 'train' / 'p.png', [1000, 2000], shape=(30, 40))
    kind, text = only_trouble(depth(root))
    assert kind == 'size' and 'p.png is 40 x 30 px, its image' in text and '80 x 60 px' in text


def test_raw_depth_of_another_size_is_told_once(root):
    for name in NAMES:
        path = root / 'depth' / 'train' / f'{name}.png'
        path.write_bytes(np.full((60, 80), 2000, '<f4').tobytes())
    assert not check(depth(root, type='RawDepth'))[0].troubles
    path.write_bytes(np.full((30, 40), 2000, '<f4').tobytes())
    kind, text = only_trouble(depth(root, type='RawDepth'))
    assert kind == 'reading' and 'r.png: 4800 bytes for 80 x 60 numbers' in text


def test_depth_without_valid_pixel(root):
    write_depth(root / 'depth' / 'train' / 'q.png', [0])
    kind, text = only_trouble(depth(root))
    assert kind == 'no valid pixel' and 'q.png has no valid pixel' in text


def test_depth_without_valid_pixel_where_the_pipeline_allows_it(root):
    write_depth(root / 'depth' / 'train' / 'q.png', [0])
    step = dict(LOAD_DEPTH, allow_empty=True)
    reports = check(depth(root, pipeline=[LOAD_IMAGE, step, PACK]))
    assert not reports[0].troubles
    rows = lines(reports)
    assert rows['maps without valid pixel'] == ['1'] and rows['pixels with depth'] == ['50.0%']


def test_label_value_outside_the_classes(root):
    write_label(root / 'labels' / 'train' / 'q.png', [0, 3, 9])
    kind, text = only_trouble(segmentation(root))
    assert kind == 'label values' and 'q.png holds [3, 9]: expected 0..2' in text


def test_classes_of_a_data_set_that_does_not_tell_the_loader(root):
    write_label(root / 'labels' / 'train' / 'q.png', [0, 3])
    dataset = segmentation(
        root, type='mmseg.BaseSegDataset', img_suffix='.jpg', seg_map_suffix='.png'
    )
    kind, text = only_trouble(dataset)
    assert kind == 'label values' and 'q.png holds [3]' in text


def test_label_of_another_size(root):
    write_label(root / 'labels' / 'train' / 'q.png', [0, 1], shape=(80, 60))
    kind, text = only_trouble(segmentation(root))
    assert kind == 'size' and 'q.png is 60 x 80 px, its image' in text


def test_label_ignored_everywhere(root):
    write_label(root / 'labels' / 'train' / 'q.png', [255])
    kind, text = only_trouble(segmentation(root))
    assert kind == 'no valid pixel' and 'labels/train/q.png is ignored everywhere' in text


def test_image_in_train_and_val(root):
    (root / 'images' / 'val' / 'p.jpg').symlink_to(root / 'images' / 'train' / 'p.jpg')
    write_label(root / 'labels' / 'val' / 'p.png', [0, 1, 2])
    train, val = check(segmentation(root), segmentation(root, 'val'))
    assert not train.troubles
    assert val.troubles == [('leak', f'{root}/images/val/p.jpg is in train too')]


def test_same_data_set_for_train_and_val_is_a_leak(root):
    train, val = check(segmentation(root), segmentation(root))
    assert (train.name, val.name) == ('train', 'val')
    assert [kind for kind, _ in val.troubles] == ['leak'] * 3


def test_data_set_that_cannot_be_listed(root):
    (root / 'labels' / 'train' / 'q.png').unlink()
    train, val = check(segmentation(root), segmentation(root, 'val'))
    ((kind, text),) = train.troubles
    assert kind == 'listing' and '1 images have no label' in text and 'q.jpg' in text
    assert not val.troubles and len(val.readings) == 2


def test_pipeline_that_fails_after_loading(root):
    crop = dict(type='KBCrop')  # 352 x 1216 px of images of 60 x 80
    (report,) = check(depth(root, pipeline=[LOAD_IMAGE, LOAD_DEPTH, crop, PACK]))
    assert [kind for kind, _ in report.troubles] == ['pipeline'] * 3
    assert f'{root}/images/train/p.jpg: ' in report.troubles[0].text


def test_pipeline_that_does_not_pack(root):
    (report,) = check(depth(root, pipeline=[LOAD_IMAGE, LOAD_DEPTH]))
    assert [kind for kind, _ in report.troubles] == ['pipeline'] * 3
    assert 'is PackSegInputs or PackDepthInputs the last?' in report.troubles[0].text


def test_entry_without_what_the_pipeline_loads(root):
    dataset = segmentation(root, pipeline=[LOAD_IMAGE, LOAD_DEPTH, PACK])
    (report,) = check(dataset)
    readings = [text for kind, text in report.troubles if kind == 'reading']
    assert len(readings) == 3
    assert readings[0].endswith("p.jpg: LoadDepth raises KeyError: 'depth_map_path'")


# several things wrong


def test_troubles_of_two_files_and_of_one_file_are_all_named(root):
    write_label(root / 'labels' / 'train' / 'p.png', [0, 5], shape=(30, 40))
    (root / 'labels' / 'train' / 'r.png').write_bytes(b'no picture')
    (report,) = check(segmentation(root))
    assert [kind for kind, _ in report.troubles] == ['size', 'label values', 'reading']
    text = format_report([report])
    assert 'p.png is 40 x 30 px' in text and 'p.png holds [5]' in text and 'r.png' in text
    assert 'trouble: train: reading (1)' in text


def test_twenty_of_a_kind_are_named(root):
    for k in range(23):
        Image.fromarray(np.zeros((60, 80, 3), np.uint8)).save(
            root / 'images' / 'train' / f'many{k:02d}.jpg'
        )
        write_label(root / 'labels' / 'train' / f'many{k:02d}.png', [9])
    text = format_report(check(segmentation(root)))
    assert 'trouble: train: label values (23)' in text
    assert text.count('holds [9]') == 20 and 'and 3 more' in text


# which samples


@pytest.mark.parametrize(
    ('length', 'number', 'expected'),
    [(101, 5, [0, 25, 50, 75, 100]), (3, 50, [0, 1, 2]), (10, 2, [0, 9]), (10, 1, [0])],
)
def test_sample_is_spread_from_first_to_last(length, number, expected):
    assert spread(length, number) == expected


def nested(root):
    """Twice (train four times, then val): 2 x (12 + 2) samples of 5 files."""
    repeated = dict(type='RepeatDataset', times=4, dataset=depth(root))
    both = dict(type='ConcatDataset', datasets=[repeated, depth(root, 'val')])
    return dict(type='RepeatDataset', times=2, dataset=both)


def test_nested_data_sets_are_read_once_each(root):
    built = DATASETS.build(nested(root))
    assert len(built) == 28
    found = entries(built)
    assert [entry.position for entry in found] == [0, 1, 2, 12, 13]
    for entry, name in zip(found, ('p', 'q', 'r', 'x', 'y'), strict=True):
        assert built[entry.position]['data_samples'].img_path.endswith(f'{name}.jpg')
    rows = lines(check(nested(root)))
    assert rows['samples'] == ['28 (5 files)'] and rows['samples read'] == ['5']
    assert rows['paired with'] == ['depth 5']


def test_trouble_deep_in_nested_data_sets_is_told_once(root):
    write_depth(root / 'depth' / 'val' / 'y.png', [0])
    kind, text = only_trouble(nested(root))
    assert kind == 'no valid pixel' and 'depth/val/y.png' in text


def test_leak_into_nested_data_sets(root):
    _, val = check(nested(root), depth(root, 'val'))
    assert [text for _, text in val.troubles] == [
        f'{root}/images/val/{name}.jpg is in train too' for name in 'xy'
    ]


def test_only_the_sample_is_read(root):
    write_label(root / 'labels' / 'train' / 'q.png', [9])
    (report,) = check(segmentation(root, pipeline=[LOAD_IMAGE, PACK]), num_samples=2)
    assert [reading.path[-5:] for reading in report.readings] == ['p.jpg', 'r.jpg']


def test_identical_val_and_test_are_checked_once(root):
    val = segmentation(root, 'val')
    assert [report.name for report in check(segmentation(root), val, val)] == [
        'train',
        'val = test',
    ]
    other = segmentation(root, 'val', test_mode=True)
    assert [report.name for report in check(None, val, other)] == ['val', 'test']


def test_only_the_named_splits_are_checked(root):
    (report,) = check(segmentation(root), segmentation(root, 'val'), names=('val',))
    assert report.name == 'val'


# guards


def test_config_without_the_split(root):
    with pytest.raises(InputError, match='the config has no data set for test'):
        check(segmentation(root), names=('test',))


def test_no_samples(root):
    with pytest.raises(InputError, match='samples must be at least 1, got 0'):
        check(segmentation(root), num_samples=0)


def test_data_set_that_is_not_of_mmengine():
    with pytest.raises(InputError, match='list is no BaseDataset of MMEngine'):
        entries([1, 2])

"""What the values of label files may mean is said, once."""

import pytest
from checked_sets import NAMES, check, lines, only_trouble, segmentation, write_label
from tiny_files import CLASSES

from mmdpt.datasets.checking import format_report
from mmdpt.datasets.checking.label_guess import guess_values


@pytest.mark.parametrize(
    ('values', 'reduced', 'advice'),
    [
        ([0, 255], True, None),
        ([1, 255], True, 'if it stands for b, set label_map={255: 2}'),
        ([0, 1, 255], False, None),
        ([0, 1, 2, 3], False, 'if classes count from 1, and 0 is to ignore'),
        ([1, 2, 3], False, 'set reduce_zero_label=True'),
        ([0, 127, 254], False, 'in their order, set label_map={127: 1, 254: 2}'),
        ([0, 5, 9, 13], False, None),
    ],
)
def test_values_are_guessed(values, reduced, advice):
    guess = guess_values(values, CLASSES['classes'], reduced)
    assert (guess is None) == (advice is None) and (advice or '') in (guess or '')


def write_all(root, *values):
    for name in NAMES:
        write_label(root, name, values)


def test_masks_of_0_and_255_are_a_trouble_until_they_are_mapped(root):
    metainfo = dict(classes=('background', 'road'), palette=[[0, 0, 0], [9, 9, 9]])
    write_all(root, 0, 255, 255, 255)
    kind, text = only_trouble(segmentation(root, metainfo=metainfo))
    assert kind == 'values in the files'
    assert text.endswith('ignored: if it stands for road, set label_map={255: 1}')
    rows = lines(check(segmentation(root, metainfo=metainfo)))
    assert rows['values in the files'] == ['0 (25.0%), 255 (75.0%)']
    write_all(root, 0, 128, 255)  # another value is mapped, and 255 is not
    kind, text = only_trouble(segmentation(root, metainfo=metainfo, ignore_labels=(128,)))
    assert text.startswith('the labels read hold 0, 255 alone')
    write_all(root, 1, 255)
    kind, text = only_trouble(segmentation(root, metainfo=metainfo))
    assert text.endswith('if it stands for background, set label_map={255: 0}')
    write_all(root, 0, 255)
    (report,) = check(segmentation(root, metainfo=metainfo, label_map={255: 1}))
    assert not report.troubles and lines([report])['labels seen'] == ['0..1']


def test_wrong_values_are_one_trouble_with_advice(root):
    write_all(root, 1, 2, 3)
    (report,) = check(segmentation(root))
    assert {kind for kind, _ in report.troubles} == {'label values'}
    assert 'note: train: the labels read hold 1, 2, 3: if classes' in format_report([report])


def test_class_that_is_nowhere_is_a_note(root):
    write_all(root, 0, 2)
    reports = check(segmentation(root))
    note = 'note: train: 1 of 3 classes are not in the samples read:\n  1 b'
    assert note in format_report(reports)
    assert lines(reports)['labels seen'] == ['0, 2']
    assert not reports[0].troubles


def test_classes_of_a_data_set_that_does_not_tell_the_loader(root):
    write_label(root, 'q', [0, 3])
    suffixes = dict(img_suffix='.jpg', seg_map_suffix='.png')
    kind, text = only_trouble(segmentation(root, type='mmseg.BaseSegDataset', **suffixes))
    assert kind == 'label values' and 'q.png holds [3]' in text

"""Wrong data is named: the file, the value, what was expected."""

import numpy as np
import pytest
from mmseg.datasets import BaseSegDataset
from PIL import Image
from tiny_files import CLASSES, write_image, write_map

from mmdpt.config.parts import replace_pipelines
from mmdpt.datasets import ADE20KDataset, SegDataset
from mmdpt.datasets.label_values import as_classes, as_file_values
from mmdpt.errors import InputError
from mmdpt.registry import DATASETS

STEPS = [dict(type=name) for name in ('LoadImageFromFile', 'LoadAnnotations', 'PackSegInputs')]
PREFIX = dict(img_path='images', seg_map_path='labels')
SETTINGS = dict(data_prefix=PREFIX, metainfo=CLASSES, pipeline=STEPS)


@pytest.fixture
def root(tmp_path):
    """Three images of 8 x 6 px with labels 0, 1, 2 and 255."""
    for name in 'pqr':
        write_image(tmp_path / 'images' / f'{name}.jpg')
        write_label(tmp_path / 'labels' / f'{name}.png', [0, 1, 2, 255])
    return tmp_path


def write_label(path, values, shape=(6, 8), dtype=np.uint8):
    write_map(path, values, shape, dtype)


def build(root, kind=SegDataset, **kwargs):
    return kind(data_root=str(root), **{**SETTINGS, **kwargs})


def labels(dataset, index=0):
    return set(np.unique(dataset[index]['data_samples'].gt_sem_seg.data.numpy()).tolist())


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(data_root='gone'), r'data root gone does not exist.*docs/datasets\.md'),
        (dict(data_prefix=dict(seg_map_path='nowhere')), r'seg_map_path .*/nowhere does not exist'),
        (dict(ann_file='train.txt'), r'list file .*train\.txt does not exist'),
        (dict(img_suffix='.tiff'), r'no image \*\.tiff in .*images'),
        (dict(metainfo=dict(classes=[str(k) for k in range(256)])), 'has 256 classes: .* 1 to 255'),
        (dict(metainfo={}), 'has 0 classes: metainfo.classes must name'),
        (dict(metainfo=dict(classes=('road'))), "a tuple of names, got 'road'"),
        (dict(label_map={'255': 1}), "whole numbers as in the files, got {'255': 1}"),
        (dict(label_map=[1, 2]), r'whole numbers as in the files, got \[1, 2\]'),
        (dict(ann_file='blank.txt'), r'list file .*blank\.txt names no image'),
    ],
)
def test_what_is_missing_and_wrong_settings_are_named(root, change, message):
    (root / 'blank.txt').write_text('\n \n')
    with pytest.raises(InputError, match=message):
        SegDataset(**{**SETTINGS, 'data_root': str(root), **change})


def test_images_without_label_are_all_named_of_a_list_too(root):
    (root / 'labels' / 'q.png').unlink()
    (root / 'labels' / 'r.png').unlink()
    with pytest.raises(InputError, match=r'2 images have no label:\s+\S*q\.jpg[\s\S]*r\.jpg'):
        build(root)
    (root / 'train.txt').write_text('p\nzzz\n')
    with pytest.raises(InputError, match=r'1 images have no label:\s+\S*zzz\.jpg'):
        build(root, ann_file='train.txt')


def test_list_file_equals_mmsegs(root):
    (root / 'train.txt').write_text('r\np\n')
    settings = dict(img_suffix='.jpg', seg_map_suffix='.png', reduce_zero_label=True)
    ours = build(root, ann_file='train.txt', **settings)
    theirs = build(root, BaseSegDataset, ann_file='train.txt', **settings)
    for index in range(2):
        mine = ours.get_data_info(index)
        assert mine.pop('num_classes') == 3
        assert mine == theirs.get_data_info(index)


@pytest.mark.parametrize(
    ('values', 'options', 'expected'),
    [
        ([0, 1, 2, 3, 255], dict(reduce_zero_label=True), {0, 1, 2, 255}),
        ([0, 1, 11, 12], dict(ignore_labels=(11, 12)), {0, 1, 255}),
        ([0, 1, 11], dict(ignore_labels=11), {0, 1, 255}),
        ([0, 2, 3, 11], dict(ignore_labels=(11, 2), reduce_zero_label=True), {2, 255}),
        ([0, 255], dict(label_map={255: 1}), {0, 1}),
        ([0, 1, 9, 255], dict(label_map={9: 3, 255: 2}, reduce_zero_label=True), {0, 1, 2, 255}),
        ([0, 2], dict(label_map={0: 2, 2: 0}), {0, 2}),
    ],
)
def test_labels_are_read_and_written_in_the_values_of_the_files(root, values, options, expected):
    """What is ignored is 255, whatever its value was."""
    write_label(root / 'labels' / 'p.png', values)
    data = build(root, **options)
    assert labels(data) == expected
    info = data.get_data_info(0)
    classes = np.array([[value for value in expected if value != 255]])
    again = as_classes(as_file_values(classes, info), info)
    np.testing.assert_array_equal(again, classes)


def test_subset_of_the_classes_is_written_in_the_values_of_the_files():
    """ADE20K's sky is 3 in the files; where it is the one class, its number is 0."""
    info = dict(label_map={0: 255, 1: 255, 2: 0, 3: 1}, reduce_zero_label=True, num_classes=2)
    assert as_classes(np.array([[0, 1, 3, 4]], np.uint8), info).tolist() == [[255, 255, 0, 1]]
    assert as_file_values(np.array([[0, 1]]), info).tolist() == [[3, 4]]
    values = as_file_values(np.array([[254]]), dict(file_map={1000: 254}))
    assert values.dtype == np.uint16 and values.tolist() == [[1000]]


def test_every_common_suffix_is_read_in_any_case_and_the_rest_is_named(root):
    for name in ('b.JPG', 'c.jpeg', 'd.PNG'):
        Image.new('RGB', (8, 6)).save(root / 'images' / name)
        write_label(root / 'labels' / f'{name[0]}.png', [0])
    (root / 'labels' / 'c.png').rename(root / 'labels' / 'c.PNG')
    (root / 'images' / 'x.heic').touch()
    data = build(root)
    assert [data[k]['data_samples'].img_path[-6:] for k in range(len(data))] == [
        '/b.JPG', 'c.jpeg', '/d.PNG', '/p.jpg', '/q.jpg', '/r.jpg'
    ]  # fmt: skip
    assert data.left_out == [f'{root}/images/x.heic']
    one = build(root, img_suffix='.jpg')
    assert len(one) == 4 and [path[-6:] for path in one.left_out] == ['c.jpeg', '/d.PNG', 'x.heic']
    (root / 'train.txt').write_text('b\nc\np\n')
    listed = build(root, ann_file='train.txt')
    assert [listed.get_data_info(k)['img_path'][-6:] for k in (0, 1)] == ['/b.JPG', 'c.jpeg']


@pytest.mark.parametrize('prefix', [dict(seg_map_path=None), {}])
def test_images_alone(root, prefix):
    data = build(root, data_prefix=dict(img_path='images', **prefix))
    assert 'gt_sem_seg' not in data[0]['data_samples']
    assert data[0]['data_samples'].seg_map_path is None


def test_step_that_would_lower_labels_otherwise_than_the_data_set_is_refused(root):
    steps = [STEPS[0], dict(STEPS[1], reduce_zero_label=True)]
    with pytest.raises(InputError, match='reduce_zero_label=True, and its data set False'):
        build(root, pipeline=steps)[0]
    assert build(root, pipeline=steps, reduce_zero_label=True)[0]['gt_seg_map'].max() == 255


@pytest.mark.parametrize(
    ('values', 'options', 'message'),
    [
        (dict(values=[0, 3, 7]), {}, r'labels/p\.png holds \[3, 7\]: expected 0\.\.2 .* 255'),
        (
            dict(values=[0, 1, 3, 4]),
            *(dict(reduce_zero_label=True), r'p\.png holds \[4\]: expected 1\.\.3 .* 0 or 255'),
        ),
        (
            dict(values=[0, 150, 151]),
            *(dict(kind=ADE20KDataset, metainfo=None), r'holds \[151\]: expected 1\.\.150'),
        ),
        # 256 read as 8 bits would be class 0
        (dict(values=[0, 1, 256], dtype=np.uint16), {}, r'holds \[256\]'),
        (dict(values=[1, 256], dtype=np.uint16), dict(reduce_zero_label=True), r'holds \[256\]'),
        (dict(values=[9, 7]), dict(label_map={9: 4, 7: 1}), r'holds \[9\]'),
        (dict(values=[0], shape=(6, 8, 3)), {}, r'p\.png has 3 channels: expected one'),
        (dict(values=[0], shape=(6, 8, 4)), {}, r'p\.png has 4 channels: expected one'),
        (dict(values=[0], shape=(5, 8)), {}, r'/p\.png is 8 x 5 px, its image .*p\.jpg 8 x 6 px'),
    ],
)
def test_label_with_one_thing_wrong(root, values, options, message):
    write_label(root / 'labels' / 'p.png', **values)
    with pytest.raises(InputError, match=message):
        build(root, **options)[0]


def test_palette_label_gives_its_indices(root):
    label = Image.fromarray(np.resize(np.array([0, 1, 2], np.uint8), (6, 8)))
    label.putpalette([9, 9, 9, 200, 0, 0, 0, 200, 0])
    label.convert('P').save(root / 'labels' / 'p.png')
    assert labels(build(root)) == {0, 1, 2}


@pytest.mark.parametrize('kept', [0, 50, 'text', 'zeros'])
@pytest.mark.parametrize(('what', 'file'), [('image', 'images/p.jpg'), ('label', 'labels/p.png')])
def test_broken_file_is_named(root, what, file, kept):
    data = (root / file).read_bytes()
    content = {'text': b'no picture', 'zeros': bytes(999)}
    (root / file).write_bytes(content[kept] if kept in content else data[:kept])
    with pytest.raises(InputError, match=rf'cannot read {what} .*{file}'):
        build(root)[0]


def labelled(root, **options):
    return dict(SETTINGS, type='SegDataset', data_root=str(root)) | options


def test_labels_and_depth_are_joined_and_different_classes_refused(root):
    write_label(root / 'labels' / 'p.png', [1])
    write_map(root / 'depth' / 'p.png', [2000], (6, 8), np.uint16)
    (root / 'list.csv').write_text('image,depth,scale\nimages/p.jpg,depth/p.png,1000\n')
    steps = [dict(type=name) for name in ('LoadImageFromFile', 'LoadDepth', 'PackDepthInputs')]
    depth = dict(type='DepthListDataset', ann_file=str(root / 'list.csv'), pipeline=steps)
    repeated = dict(type='RepeatDataset', times=2, dataset=depth)
    parts = [repeated, labelled(root), labelled(root, reduce_zero_label=True)]
    built = DATASETS.build(dict(type='ConcatDataset', datasets=parts))
    assert built.metainfo['classes'] == CLASSES['classes']
    samples = [built[k]['data_samples'] for k in (0, 1, 2, 5)]
    assert ['gt_sem_seg' in sample for sample in samples] == [False, False, True, True]
    assert samples[0].gt_depth_map.data.unique() == 2
    assert [int(sample.gt_sem_seg.data.unique()) for sample in samples[2:]] == [1, 0]
    others = labelled(root, metainfo=dict(classes=('a', 'c', 'b'), palette=CLASSES['palette']))
    with pytest.raises(InputError, match=r'datasets\[0\] and datasets\[1\] are joined, .* differ'):
        DATASETS.build(dict(type='ConcatDataset', datasets=[labelled(root), others]))


def test_every_part_gets_the_pipeline_of_an_augmented_test(root):
    part = labelled(root)
    joined = dict(datasets=[part, dict(type='RepeatDataset', dataset=labelled(root))])
    replace_pipelines(joined, ['steps'])
    assert part['pipeline'] == ['steps'] and 'pipeline' not in joined
    assert joined['datasets'][1]['dataset']['pipeline'] == ['steps']

"""Sets with classes and sets without are joined, and read as each is said to be."""

import numpy as np
import pytest
from tiny_files import CLASSES, write_image, write_map

from mmdpt.config.nested_datasets import replace_pipelines
from mmdpt.errors import InputError
from mmdpt.registry import DATASETS

PREFIX = dict(img_path='images', seg_map_path='labels')


def labels(root, **options):
    steps = [
        dict(type=name) for name in ('LoadImageFromFile', 'LoadAnnotations', 'PackDepthInputs')
    ]
    return dict(
        type='SegDataset',
        **{**dict(data_root=str(root), data_prefix=PREFIX, metainfo=CLASSES), **options},
        pipeline=steps,
    )


@pytest.fixture
def root(tmp_path):
    write_image(tmp_path / 'images' / 'a.jpg')
    write_map(tmp_path / 'labels' / 'a.png', [1], (6, 8), np.uint8)
    write_map(tmp_path / 'depth' / 'a.png', [2000], (6, 8), np.uint16)
    (tmp_path / 'list.csv').write_text('image,depth,scale\nimages/a.jpg,depth/a.png,1000\n')
    return tmp_path


def test_labels_and_depth(root):
    steps = [dict(type=name) for name in ('LoadImageFromFile', 'LoadDepth', 'PackDepthInputs')]
    depth = dict(type='DepthListDataset', ann_file=str(root / 'list.csv'), pipeline=steps)
    repeated = dict(type='RepeatDataset', times=2, dataset=depth)
    parts = [repeated, labels(root), labels(root, reduce_zero_label=True)]
    joined = DATASETS.build(dict(type='ConcatDataset', datasets=parts))
    assert joined.metainfo['classes'] == CLASSES['classes']
    samples = [joined[k]['data_samples'] for k in range(4)]
    assert ['gt_sem_seg' in sample for sample in samples] == [False, False, True, True]
    assert samples[0].gt_depth_map.data.unique() == 2
    assert [int(sample.gt_sem_seg.data.unique()) for sample in samples[2:]] == [1, 0]


def test_different_classes_are_refused(root):
    others = labels(root, metainfo=dict(classes=('a', 'c', 'b'), palette=CLASSES['palette']))
    with pytest.raises(InputError, match=r'datasets\[0\] and datasets\[1\] are joined, .* differ'):
        DATASETS.build(dict(type='ConcatDataset', datasets=[labels(root), others]))


def test_every_part_gets_the_pipeline_of_an_augmented_test(root):
    part = labels(root)
    joined = dict(datasets=[part, dict(type='RepeatDataset', dataset=labels(root))])
    replace_pipelines(joined, ['steps'])
    assert part['pipeline'] == ['steps'] and 'pipeline' not in joined
    assert joined['datasets'][1]['dataset']['pipeline'] == ['steps']

"""What the documents show works."""

import re
from pathlib import Path

import numpy as np
import pytest
from mmengine.registry import init_default_scope
from PIL import Image

from mmdpt.config import check_config, load_config
from mmdpt.registry import DATASETS, MODELS

REPO = Path(__file__).resolve().parents[2]
PAGES = [
    'README.md',
    'CONTRIBUTING.md',
    *sorted(str(path.relative_to(REPO)) for path in (REPO / 'docs').glob('*.md')),
]


def python_blocks(page):
    return re.findall(r'```python\n(.*?)```', (REPO / page).read_text(), re.DOTALL)


def as_config(block, tmp_path):
    path = tmp_path / 'config.py'
    path.write_text(block.replace("'./", f"'{REPO}/configs/dpt/"))
    return load_config(str(path))


def test_own_data_as_the_page_configures_it(tmp_path):
    (block,) = python_blocks('docs/datasets.md')
    for split in ('train', 'val'):
        for folder in ('images', 'annotations'):
            (tmp_path / 'data/mine' / folder / split).mkdir(parents=True)
        picture = np.random.default_rng(0).integers(0, 255, (600, 700, 3), np.uint8)
        Image.fromarray(picture).save(tmp_path / f'data/mine/images/{split}/a.jpg')
        label = np.resize(np.array([0, 1, 2, 255], np.uint8), (600, 700))
        Image.fromarray(label).save(tmp_path / f'data/mine/annotations/{split}/a.png')
    cfg = as_config(block.replace('data/mine', str(tmp_path / 'data/mine')), tmp_path)
    check_config(cfg)
    init_default_scope('mmdpt')
    assert cfg.model.decode_head.num_classes == 3
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        dataset = DATASETS.build(cfg[loader].dataset)
        labels = dataset[0]['data_samples'].gt_sem_seg.data
        assert set(labels.unique().tolist()) <= {0, 1, 2, 255}
        assert dataset.metainfo['classes'] == ('background', 'crop', 'weed')


def test_experiment_of_the_page(tmp_path):
    block = next(b for b in python_blocks('docs/components.md') if '_base_' in b)
    cfg = as_config(block, tmp_path)
    check_config(cfg)
    assert cfg.model.decode_head.readout_type == 'add'
    assert list(cfg.model.backbone.out_indices) == [5, 7, 9, 11]


def test_losses_as_the_page_combines_them(tmp_path):
    (block,) = python_blocks('docs/depth.md')
    cfg = as_config(block, tmp_path)
    check_config(cfg)
    init_default_scope('mmdpt')
    losses = [MODELS.build(loss) for loss in cfg.model.decode_head.loss_decode]
    assert [type(loss).__name__ for loss in losses] == ['SSILoss', 'GradientMatchingLoss']


@pytest.mark.parametrize('page', PAGES)
def test_links_lead_somewhere(page):
    text = (REPO / page).read_text()
    for target in re.findall(r'\]\(([^)#]+)\)', text):
        if '://' not in target:
            assert (REPO / page).parent.joinpath(target).exists(), f'{page}: {target}'


def test_tensorboard_by_the_lines_of_the_page(config, run_tool, tmp_path):
    (block,) = python_blocks('docs/tools.md')
    path = tmp_path / 'with_tensorboard.py'
    path.write_text(f"_base_ = ['{config}']\n{block}")
    done = run_tool('train.py', path, '--work-dir', tmp_path / 'work')
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(tmp_path.rglob('events.out.tfevents*'))
    assert list(tmp_path.rglob('scalars.json'))

"""Every config of the project builds, and the documents list it."""

import re

import pytest
import torch
import yaml
from mmengine.registry import init_default_scope
from tiny import REPO

from mmdpt.config import check_config, load_config
from mmdpt.registry import HOOKS, METRICS, MODELS, TRANSFORMS

CONFIGS = sorted((REPO / 'configs').glob('[!_]*/*.py'))
LISTED = [path for path in CONFIGS if path.parent.name != 'ablations']


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_config_builds(path):
    """Model on the meta device, pipelines, hooks and metric for real."""
    cfg = load_config(str(path))
    check_config(cfg)
    init_default_scope(cfg.default_scope)
    # mmpretrain's Swin and ResNet read a number from a tensor while they are built
    with torch.device('cpu' if re.search('swin-t|hybrid-ti16', path.stem) else 'meta'):
        model = MODELS.build(cfg.model)
    assert sum(parameter.numel() for parameter in model.parameters()) > 1e6
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        dataset = cfg[name].dataset
        for part in dataset.get('datasets', [dataset]):
            for step in part.pipeline:
                TRANSFORMS.build(step)
    for step in cfg.get('tta_pipeline', []):
        TRANSFORMS.build(step)
    for hook in cfg.default_hooks.values():
        HOOKS.build(hook)
    metrics = cfg.test_evaluator
    for metric in metrics if isinstance(metrics, list) else [metrics]:
        assert type(METRICS.build(metric)).__module__.startswith(
            'mmdpt.'
        )  # mmseg has a DepthMetric
    size = cfg.model.data_preprocessor.size
    assert tuple(size) == tuple(cfg.crop_size)
    for schedule in cfg.param_scheduler[-1:]:
        assert schedule.end == cfg.train_cfg.max_iters


def test_the_index_lists_every_config_and_only_files_that_exist():
    index = yaml.safe_load((REPO / 'model-index.yml').read_text())
    listed = {}
    for name in index['Import']:
        for model in yaml.safe_load((REPO / name).read_text())['Models']:
            assert (REPO / model['Config']).is_file()
            listed[model['Name']] = model['Config']
    for path in LISTED:
        assert listed.get(path.stem) == str(path.relative_to(REPO)), path
        assert path.stem in (path.parent / 'README.md').read_text(), path

"""An exported file on real pictures: what calibrates int8, and what a file costs in accuracy."""

import copy
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.evaluator import Evaluator
from mmengine.runner import Runner
from mmseg.models import BaseSegmentor
from torch import Tensor

from mmdpt.errors import InputError
from mmdpt.inference.backends import Run, run_instead
from mmdpt.inference.preparation import Preparation
from mmdpt.inference.sources import find_images

MOST_IMAGES = 300
"""Images that calibrate int8: NNCF's own default; more change little."""


@torch.no_grad()
def prepared_images(model: BaseSegmentor, source: Any) -> list[Tensor]:
    """Give the first images of a source as the network gets them, (1, 3, H, W) each.

    Raises:
        InputError: See ``find_images``; or if an image cannot be prepared.
    """
    prepare = Preparation(model.cfg)
    images = []
    for image in find_images(source)[:MOST_IMAGES]:
        batch = pseudo_collate([prepare(image.load(), image.name)])
        images.append(model.data_preprocessor(batch, False)['inputs'])
    return images


@torch.no_grad()
def loss_on_data(model: BaseSegmentor, run: Run, cfg: Config) -> dict[str, tuple[float, float]]:
    """Score a model and its exported file on the test data of a config.

    Args:
        model: The model that was exported.
        run: The function that the file holds.
        cfg: A config with ``test_dataloader`` and ``test_evaluator``.

    Returns:
        Both scores by the metric's name.

    Raises:
        InputError: If the config has no test data, or a file of it is missing or damaged.
    """
    if not cfg.get('test_dataloader') or not cfg.get('test_evaluator'):
        raise InputError(f'config {cfg.filename} has no test_dataloader or no test_evaluator')
    exported = copy.copy(model)
    exported._modules = dict(model._modules)
    run_instead(exported, run)
    loader = Runner.build_dataloader(copy.deepcopy(cfg.test_dataloader), seed=0)
    evaluators = [Evaluator(copy.deepcopy(cfg.test_evaluator)) for _ in range(2)]
    for evaluator in evaluators:
        evaluator.dataset_meta = getattr(loader.dataset, 'metainfo', None)
    for batch in loader:
        for network, evaluator in zip((model, exported), evaluators, strict=True):
            samples = network.test_step(copy.deepcopy(batch))
            evaluator.process(data_samples=samples, data_batch=batch)
    eager, theirs = (evaluator.evaluate(len(loader.dataset)) for evaluator in evaluators)
    return {
        name: (float(value), float(theirs[name]))
        for name, value in eager.items()
        if not isinstance(value, dict)  # scores by class
    }

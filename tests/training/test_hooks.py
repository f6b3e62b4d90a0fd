"""A checkpoint of another architecture is refused before it is used."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.runner import BaseLoop
from torch import nn

from mmdpt.errors import InputError
from mmdpt.training import CheckpointMatchHook
from mmdpt.training.launch import build_runner


class Loop(BaseLoop):
    def __init__(self):
        pass

    def run(self):
        pass


def runner(model, training=False, resume=False):
    return SimpleNamespace(
        model=model,
        logger=MMLogger.get_current_instance(),
        _train_loop=Loop() if training else {},
        _resume=resume,
        _load_from='some.pth',
    )


def model(classes=3):
    return nn.ModuleDict(dict(backbone=nn.Linear(4, 4), head=nn.Linear(4, classes)))


def test_fitting_checkpoint_passes():
    CheckpointMatchHook().after_load_checkpoint(
        runner(model()), {'state_dict': model().state_dict()}
    )


def test_test_refuses_another_classifier():
    with pytest.raises(InputError, match=r'2 of another shape \(head\.weight: .*\(5, 4\)'):
        CheckpointMatchHook().after_load_checkpoint(
            runner(model()), {'state_dict': model(5).state_dict()}
        )


def test_training_may_start_from_another_classifier():
    CheckpointMatchHook().after_load_checkpoint(
        runner(model(), training=True), {'state_dict': model(5).state_dict()}
    )


def test_resuming_may_not():
    with pytest.raises(InputError, match='of another shape'):
        CheckpointMatchHook().after_load_checkpoint(
            runner(model(), training=True, resume=True), {'state_dict': model(5).state_dict()}
        )


def test_training_refuses_another_architecture():
    with pytest.raises(InputError, match='4 missing'):
        CheckpointMatchHook().after_load_checkpoint(
            runner(model(), training=True), {'state_dict': {'conv.weight': torch.zeros(1)}}
        )


def test_a_runner_that_does_not_exist_is_refused():
    with pytest.raises(InputError, match="runner_type: there is no runner 'Shared'"):
        build_runner(Config(dict(runner_type='Shared')))

"""What ShardedRunner refuses, and what its ranks tell each other."""

import pytest
import torch
from mmengine.config import Config

from mmdpt.errors import InputError
from mmdpt.models.backbones.encoder_layer import EncoderLayer
from mmdpt.registry import RUNNERS
from mmdpt.training import sharded_runner
from mmdpt.training.launch import build_runner
from mmdpt.training.runner import Runner
from mmdpt.training.sharded_runner import ShardedRunner
from mmdpt.training.sharding import encoder_layers

FSDP = 'MMFullyShardedDataParallel'


@pytest.fixture
def runner(monkeypatch):
    """One of several processes, not set up."""
    monkeypatch.setattr(ShardedRunner, 'distributed', True)
    return ShardedRunner.__new__(ShardedRunner)


@pytest.mark.parametrize(
    'wrapper',
    [None, dict(type='MMDistributedDataParallel'), dict(type=FSDP, use_orig_params=False)],
)
def test_another_wrapper_is_refused(runner, wrapper):
    with pytest.raises(InputError, match=f'needs model_wrapper_cfg of type {FSDP}'):
        runner.wrap_model(wrapper, torch.nn.Linear(2, 2))


def test_the_model_stays_whole_until_weights_are_loaded(runner):
    model = torch.nn.Linear(2, 2)
    assert runner.wrap_model(dict(type=FSDP), model) is model


def test_clipping_by_value_is_refused(runner):
    wrapper = dict(optimizer=dict(type='SGD', lr=1), clip_grad=dict(type='value', clip_value=1))
    with pytest.raises(InputError, match='FSDP clips gradients by their norm'):
        runner.build_optim_wrapper(wrapper)


@pytest.mark.parametrize('clip', [None, dict(max_norm=2.0)])
def test_the_norm_is_always_taken(runner, monkeypatch, clip):
    """Of all ranks' parts, or one rank would leave out an update that the others make."""
    monkeypatch.setattr(Runner, 'build_optim_wrapper', lambda self, cfg: cfg)
    cfg = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=1), clip_grad=clip)
    assert runner.build_optim_wrapper(cfg)['clip_grad'] == (clip or dict(max_norm=float('inf')))


def test_float16_scales_the_loss_alike_on_all_ranks(runner, monkeypatch):
    monkeypatch.setattr(Runner, 'build_optim_wrapper', lambda self, cfg: cfg)
    assert runner.build_optim_wrapper(dict(type='AmpOptimWrapper'))['use_fsdp'] is True


@pytest.fixture
def sharded(runner, monkeypatch):
    """The same, in the middle of a training."""
    monkeypatch.setattr(sharded_runner, 'whole_weights', lambda model: {})
    runner.sharded = object()
    return runner


def test_checkpoints_go_into_a_folder(sharded):
    with pytest.raises(InputError, match='go into a folder, got s3://bucket'):
        sharded.save_checkpoint('s3://bucket', 'iter_1.pth', save_optimizer=False)


def test_every_rank_learns_that_rank_0_could_not_write(sharded, monkeypatch):
    """By the error that it got, so that all of them try again, or stop."""
    monkeypatch.setattr(Runner, 'save_checkpoint', lambda *args, **kwargs: None)  # not of rank 0

    def receive(objects):
        objects[:] = InputError('cannot write'), OSError(28, 'No space left on device')

    monkeypatch.setattr(sharded_runner, 'broadcast_object_list', receive)
    with pytest.raises(InputError, match='cannot write') as raised:
        sharded.save_checkpoint('folder', 'iter_1.pth', save_optimizer=False)
    assert isinstance(raised.value.__cause__, OSError)


def test_rank_0_tells_its_error(sharded, monkeypatch):
    def fail(*args, **kwargs):
        raise InputError('cannot write') from OSError(28, 'No space left on device')

    told = []
    monkeypatch.setattr(Runner, 'save_checkpoint', fail)
    monkeypatch.setattr(sharded_runner, 'broadcast_object_list', told.extend)
    with pytest.raises(InputError, match='cannot write') as raised:
        sharded.save_checkpoint('folder', 'iter_1.pth', save_optimizer=False)
    assert told[0] is raised.value
    assert isinstance(told[1], OSError)


def test_units_are_the_layers_of_the_encoder():
    layer = EncoderLayer(8, 2, 16)
    assert [encoder_layers(module, False, 0) for module in (layer, layer.ffn)] == [True, False]
    assert encoder_layers(layer.ffn, True, 0)


def test_a_config_names_its_runner():
    assert RUNNERS.get('Runner') is Runner
    assert RUNNERS.get('ShardedRunner') is ShardedRunner
    with pytest.raises(InputError, match="runner_type: there is no runner 'Shared'"):
        build_runner(Config(dict(runner_type='Shared')))

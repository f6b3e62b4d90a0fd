"""What a config becomes on a machine without CUDA."""

import pytest
import torch
from mmengine.config import Config

from mmdpt.config import machine as devices
from mmdpt.config.machine import fit_config_to_machine

CONFIG = dict(
    launcher='pytorch',
    model=dict(norm_cfg=dict(type='SyncBN', eps=1e-3), heads=[dict(norm_cfg=dict(type='SyncBN'))]),
    env_cfg=dict(dist_cfg=dict(backend='nccl')),
    optim_wrapper=dict(type='AmpOptimWrapper', loss_scale='dynamic'),
)


def test_without_cuda(monkeypatch):
    said = []
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    monkeypatch.setattr(devices, 'print_log', lambda message, **_: said.append(message))
    cfg = Config(CONFIG)
    fit_config_to_machine(cfg)
    assert cfg.model.norm_cfg == dict(type='BN', eps=1e-3)
    assert cfg.model.heads[0].norm_cfg.type == 'BN'
    assert cfg.env_cfg.dist_cfg.backend == 'gloo'
    assert cfg.optim_wrapper == dict(type='Bf16OptimWrapper')
    assert len(said) == 1
    assert 'no CUDA' in said[0] and 'BN for SyncBN' in said[0] and 'gloo for nccl' in said[0]


def test_with_cuda_batches_are_pinned_unless_the_config_says_otherwise(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    loaders = dict(train_dataloader=dict(batch_size=2), val_dataloader=dict(pin_memory=False))
    cfg = Config({**CONFIG, **loaders})
    fit_config_to_machine(cfg)
    loaders['train_dataloader'] = dict(batch_size=2, pin_memory=True)
    assert cfg.to_dict() == Config({**CONFIG, **loaders}).to_dict()


@pytest.mark.parametrize('computes', [True, False])
def test_bfloat16_only_where_the_machine_computes_it(monkeypatch, computes):
    from mmdpt.training.nonfinite import optim_wrapper

    monkeypatch.setattr(optim_wrapper, 'computes_bfloat16', lambda: computes)
    model = torch.nn.Linear(2, 2)
    wrapper = optim_wrapper.Bf16OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    with wrapper.optim_context(model):
        output = model(torch.ones(1, 2))
    assert output.dtype is (torch.bfloat16 if computes else torch.float32)
    wrapper.update_params(output.float().sum())
    assert model.weight.dtype is torch.float32

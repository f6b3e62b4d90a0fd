"""No update is made of a loss or a gradient that is not finite; every other one is MMEngine's."""

from copy import deepcopy
from functools import partial

import mmengine.optim as mmengine_optim
import pytest
import torch
from mmengine.optim.optimizer import amp_optimizer_wrapper
from mmengine.registry import OPTIM_WRAPPERS as ROOT
from mmengine.registry import DefaultScope
from torch import nn

from mmdpt.errors import InputError
from mmdpt.training.nonfinite.optim_wrapper import AmpOptimWrapper, Bf16OptimWrapper, OptimWrapper

NAN, INF = float('nan'), float('inf')


@pytest.fixture
def amp_on_cpu(monkeypatch):
    """MMEngine's scaler, which it makes for CUDA alone."""
    monkeypatch.setattr(amp_optimizer_wrapper, 'is_cuda_available', lambda: True)
    scaler = partial(torch.amp.GradScaler, device='cpu')
    monkeypatch.setattr(amp_optimizer_wrapper, 'GradScaler', scaler)


def weight():
    return nn.Parameter(torch.tensor([1.0, 2.0]))


def wrapped(kind, optimizer, **kwargs):
    wrapper = kind(optimizer=optimizer, **kwargs)
    wrapper.leaves_out_nonfinite = True
    return wrapper


assert_same = partial(torch.testing.assert_close, rtol=0, atol=0)


def assert_left_out(wrapper, w, bad_loss, finding):
    """Between two updates by a finite loss."""
    wrapper.update_params(w.sum())
    assert wrapper.finding is None
    before, moments = w.detach().clone(), deepcopy(wrapper.optimizer.state_dict())
    wrapper.update_params(bad_loss())
    assert wrapper.finding == finding
    assert torch.equal(w, before) and w.grad is None
    assert_same(wrapper.optimizer.state_dict(), moments)
    wrapper.update_params(w.sum())
    assert wrapper.finding is None
    assert torch.isfinite(w).all() and not torch.equal(w, before)


@pytest.mark.parametrize('kind', [OptimWrapper, Bf16OptimWrapper, AmpOptimWrapper])
@pytest.mark.parametrize('bad', [NAN, INF, -INF])
def test_loss_that_is_not_finite_changes_nothing(amp_on_cpu, kind, bad):
    w = weight()
    wrapper = wrapped(kind, torch.optim.AdamW([w], lr=0.1))
    assert_left_out(wrapper, w, lambda: (w * bad).sum(), 'loss')


@pytest.mark.parametrize('fused', [False, True])
@pytest.mark.parametrize('clip', [None, dict(max_norm=1.0), dict(type='value', clip_value=1.0)])
def test_gradient_of_a_finite_loss_is_looked_at(fused, clip):
    """sqrt(0 * w) is 0; its gradient is 0 * inf = NaN."""
    w = weight()
    optimizer = torch.optim.AdamW([w], lr=0.1, fused=fused)
    wrapper = wrapped(OptimWrapper, optimizer, clip_grad=clip and dict(clip))
    assert_left_out(wrapper, w, lambda: (0 * w[:1]).sqrt().sum() + w[1], 'gradient')


def test_accumulated_update_is_left_out_whole():
    """SGD with rate 1; of two batches each, the mean of their gradients 3 and 5 is subtracted."""
    w = weight()
    wrapper = wrapped(OptimWrapper, torch.optim.SGD([w], lr=1.0), accumulative_counts=2)
    found = []
    for factor in (NAN, 1.0, 1.0, NAN, 3.0, 5.0):
        wrapper.update_params((w * factor).sum())
        found.append(wrapper.finding)
    assert found == ['loss', None, None, 'loss', None, None]
    assert w.tolist() == [1 - 4, 2 - 4]


@pytest.mark.parametrize('counts', [1, 2])
@pytest.mark.parametrize('clip', [None, dict(max_norm=0.5), dict(type='value', clip_value=0.1)])
def test_finite_updates_are_those_of_mmengine(counts, clip):
    results = []
    for kind in (OptimWrapper, mmengine_optim.OptimWrapper):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
        wrapper = kind(optimizer, accumulative_counts=counts, clip_grad=clip and dict(clip))
        wrapper.leaves_out_nonfinite = True
        for _ in range(4):
            wrapper.update_params(model(torch.randn(2, 3)).square().mean())
        results.append(model.state_dict())
    assert_same(*results)


def test_without_the_hook_every_update_is_made():
    w = weight()
    wrapper = OptimWrapper(torch.optim.SGD([w], lr=1.0))
    wrapper.update_params((w * NAN).sum())
    assert wrapper.finding is None
    assert w.isnan().all()


def test_infinite_gradients_are_the_scalers_until_its_scale_falls_to_nothing(amp_on_cpu):
    """It leaves them out, and finds its scale by them."""
    w = weight()
    optimizer = torch.optim.SGD([w], lr=1.0)
    wrapper = wrapped(AmpOptimWrapper, optimizer, loss_scale=dict(init_scale=8.0))
    wrapper.update_params((0 * w[:1]).sqrt().sum() + w[1])
    assert wrapper.finding is None
    assert w.tolist() == [1.0, 2.0]
    assert wrapper.loss_scaler.get_scale() == 4.0
    wrapper = wrapped(AmpOptimWrapper, torch.optim.SGD([w], lr=1.0), loss_scale='dynamic')
    with pytest.raises(InputError, match=r'the loss scale fell to .*: the gradients are infinite'):
        for _ in range(64):
            wrapper.update_params((0 * w[:1]).sqrt().sum() + w[1])
    assert w.tolist() == [1.0, 2.0]


def test_configs_get_these_wrappers_and_an_update_without_any_gradient_is_finite():
    with DefaultScope.overwrite_default_scope('mmdpt'):
        built = ROOT.build(dict(type='OptimWrapper', optimizer=torch.optim.SGD([weight()], lr=1.0)))
    assert type(built) is OptimWrapper
    built.leaves_out_nonfinite = True
    built.update_params(torch.zeros((), requires_grad=True))
    assert built.finding is None

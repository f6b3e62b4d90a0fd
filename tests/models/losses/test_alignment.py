"""Alignment against known answers, with holes in the mask."""

import pytest
import torch

from mmdpt.models.losses.alignment import align_lstsq, align_median, masked_median
from mmdpt.models.losses.midas_losses import aligned_residual


def scattered(batch=3, height=6, width=7):
    torch.manual_seed(0)
    return torch.randn(batch, height, width), torch.rand(batch, height, width) < 0.6


@pytest.mark.parametrize('deterministic', [False, True], ids=['selection', 'sorted'])
def test_median_passes_its_gradient_to_the_pixel_it_chose(monkeypatch, deterministic):
    monkeypatch.setattr(torch, 'are_deterministic_algorithms_enabled', lambda: deterministic)
    values = torch.tensor([[5.0, 2.0, 9.0, 7.0]], requires_grad=True)
    masked_median(values, torch.tensor([[True, True, True, False]])).sum().backward()
    assert values.grad.tolist() == [[1, 0, 0, 0]]


@pytest.mark.parametrize('constant', [0.0, 0.1, 3.7, -1e4])
def test_constant_map_is_only_shifted_and_its_least_squares_are_zero(constant):
    target, valid = scattered(2, 64, 64)
    constants = torch.full_like(target, constant)
    assert (align_median(constants, torch.ones_like(valid)) == 0).all()
    scale, shift = align_lstsq(constants, target, valid)
    assert scale.tolist() == shift.tolist() == [0, 0]


@pytest.mark.parametrize(('constant', 'noise'), [(0.0, 1e-9), (1000.0, 1e-4)])
def test_noise_about_a_constant_is_not_blown_up(constant, noise):
    """Its gradient would be as large as its scale is small."""
    values, valid = scattered(1)
    aligned = align_median(constant + noise * values.clamp(-1, 1), valid)
    assert aligned[valid].abs().max() < 10 * noise


def test_least_squares_equals_the_solver_far_from_zero():
    """Spread 1 at an offset of 1000, where the determinant is lost in single precision."""
    values, valid = scattered(1, 64, 64)
    target = values + 0.5 * torch.randn_like(values)
    ours = align_lstsq(values + 1000, target, valid)
    columns = torch.stack([(values + 1000)[valid], torch.ones(int(valid.sum()))], dim=1).double()
    exact = torch.linalg.lstsq(columns, target[valid].double()[:, None]).solution.flatten()
    torch.testing.assert_close(torch.cat(ours).double(), exact, rtol=1e-3, atol=0)


@pytest.mark.parametrize('size', [1e-17, 1e-10, 1.0, 1e10, 1e25, 1e30])
def test_residual_of_the_fit_is_in_units_of_its_own(size):
    """Squares beyond single precision, and gradients of quotients of such, were NaN."""
    values, valid = scattered(2)
    target = values.exp()
    plain = aligned_residual(values, target, valid, 'lstsq')
    pred = (size * values).requires_grad_()
    scaled = aligned_residual(pred, 1e30 * target, valid, 'lstsq')
    torch.testing.assert_close(scaled / 1e30, plain, rtol=1e-4, atol=1e-6)
    (scaled / 1e30).abs().sum().backward()
    gradient = torch.autograd.functional.jacobian(
        lambda x: aligned_residual(x, target, valid, 'lstsq').abs().sum(), values
    )
    torch.testing.assert_close(pred.grad * size, gradient, rtol=1e-3, atol=1e-4)

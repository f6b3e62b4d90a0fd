"""What every depth loss keeps: finite, smooth, in float32, and free of waits."""

import math

import pytest
import torch
from depth_losses import every_loss
from mmseg.models.losses import SiLogLoss as MMSegSiLogLoss
from torch._subclasses.fake_tensor import FakeTensorMode

from mmdpt.models import (
    AbsRelLoss,
    GradientMatchingLoss,
    LogL1Loss,
    SiLogLoss,
    SSILoss,
    SSITrimmedLoss,
)
from mmdpt.registry import MODELS


def maps(batch=3, height=7, width=9, dtype=torch.float32):
    """Positive maps; a third of the target's pixels is invalid."""
    generator = torch.Generator().manual_seed(0)
    pred, target, chance = torch.rand(3, batch, 1, height, width, generator=generator, dtype=dtype)
    target = torch.where(chance < 1 / 3, torch.nan, target + 0.1)
    return (pred + 0.1).requires_grad_(), target


def pixel(target):
    """All are invalid but one."""
    one = torch.full_like(target, torch.nan)
    one[..., 2, 3] = 0.7
    return one


RELATIVE = [SSITrimmedLoss, SSILoss, GradientMatchingLoss]
KINDS = [*RELATIVE, SiLogLoss, LogL1Loss, AbsRelLoss]
DEGENERATE = {
    'empty mask': lambda pred, target: (pred, target * torch.nan),
    'one valid pixel': lambda pred, target: (pred, pixel(target)),
    'one empty image': lambda pred, target: (pred, torch.cat([target[:1] * torch.nan, target[1:]])),
    'constant prediction': lambda pred, target: (torch.full_like(pred, 3.7), target),
    'constant target': lambda pred, target: (pred, target * 0 + 0.1),
    'both constant': lambda pred, target: (torch.full_like(pred, 0.1), target * 0 + 3.7),
    'both equal': lambda pred, target: (torch.where(target.isnan(), pred, target), target),
    'all zeros': lambda pred, target: (pred * 0, target.nan_to_num() * 0),
    'prediction without a spread': lambda pred, target: (1e-12 * pred, target),
    'no image': lambda pred, target: (pred[:0], target[:0]),
}


@every_loss()
@pytest.mark.parametrize('case', DEGENERATE.values(), ids=DEGENERATE.keys())
@pytest.mark.parametrize('dtype', [torch.float32, torch.float16, torch.bfloat16])
def test_value_and_gradient_stay_finite(loss, case, dtype):
    pred, target = case(*(map_.detach() for map_ in maps()))
    pred = pred.to(dtype).requires_grad_()
    with torch.autocast('cpu', dtype=torch.bfloat16 if dtype == torch.float32 else dtype):
        value = loss(pred, target)
    value.backward()
    assert value.shape == () and value.dtype == torch.float32  # whatever autocast asks
    assert value.isfinite() and value >= 0
    assert pred.grad.isfinite().all()  # connected, so that DDP finds every parameter
    if not target.isfinite().any():
        assert value == 0


@every_loss()
def test_gradient_is_the_derivative_and_nan_predicted_at_a_valid_pixel_shows(loss):
    pred, target = maps(2, 4, 5, torch.float64)
    assert loss(pred, target).dtype == torch.float64
    assert torch.autograd.gradcheck(lambda pred: loss(pred, target), pred)
    pred = pred.detach()
    pred[0, 0, 0, 0] = torch.nan
    assert loss(pred, target.nan_to_num(0.5)).isnan()


@pytest.mark.parametrize('kind', KINDS)
def test_config_gives_name_and_weight(kind):
    single = MODELS.build(dict(type=kind.__name__))
    triple = MODELS.build(dict(type=kind.__name__, loss_weight=3.0, loss_name='loss_other'))
    assert type(single) is kind
    assert single.loss_name.startswith('loss_') and triple.loss_name == 'loss_other'
    torch.testing.assert_close(triple(*maps()), 3 * single(*maps()))
    assert math.isclose(single.loss_weight, 1) and not list(single.parameters())


@every_loss()
@pytest.mark.parametrize('pred', [(2, 1, 4, 5), (2, 4, 5), (2, 3, 4, 5)])
@pytest.mark.parametrize('target', [(2, 1, 4, 6), (2, 4, 5), (2, 3, 4, 5)])
def test_other_shapes_are_refused(loss, pred, target):
    with pytest.raises(ValueError, match=r'\(N, 1, H, W\), got \(2, .*\) and \(2, '):
        loss(torch.ones(pred), torch.ones(target))


@pytest.mark.parametrize(
    ('kind', 'option', 'message'),
    [
        *((kind, dict(alignment='mean'), r"alignment must be .*got 'mean'") for kind in RELATIVE),
        *(
            (kind, dict(reduction='sum'), r"reduction must be .*'batch'.*got 'sum'")
            for kind in KINDS
        ),
        (SSITrimmedLoss, dict(variant='code'), r"variant must be .*'gist'.*got 'code'"),
        (SSITrimmedLoss, dict(variant='gist', alignment='lstsq'), r"'gist'.*'median'.*'lstsq'"),
        (SSITrimmedLoss, dict(trim=1.0), r'trim must be in \[0, 1\), got 1\.0'),
        (SSITrimmedLoss, dict(trim=-0.1), r'trim must be in \[0, 1\), got -0\.1'),
        (SSILoss, dict(criterion='huber'), r"criterion must be .*'mse', 'mae'.*got 'huber'"),
        (GradientMatchingLoss, dict(scales=0), 'scales must be at least 1, got 0'),
        (SiLogLoss, dict(variance_weight=1.5), r'variance_weight must be in \[0, 1\], got 1\.5'),
        *(
            (kind, dict(eps=0), 'eps must be positive, got 0')
            for kind in (SiLogLoss, LogL1Loss, GradientMatchingLoss)
        ),
    ],
)
def test_options_out_of_range_are_refused(kind, option, message):
    with pytest.raises(ValueError, match=message):
        kind(**option)


@every_loss()
def test_no_step_waits_for_a_value(loss):
    """Tensors without values: whatever would ask a GPU for a number raises."""
    with FakeTensorMode():
        pred = torch.rand(2, 1, 8, 8, requires_grad=True)
        loss(pred, torch.rand(2, 1, 8, 8)).backward()


def test_weights_of_images_are_mmsegs():
    pred, target = (torch.rand(3, 1, 7, 9) + 0.5 for _ in range(2))
    weight = torch.tensor([1.0, 0.0, 2.5])
    expected = MMSegSiLogLoss()(pred, target, weight)
    torch.testing.assert_close(SiLogLoss(eps=1e-6)(pred, target, weight), expected)
    for wrong in (dict(reduction='batch'), dict(reduction='image')):
        with pytest.raises(ValueError, match=r"weight must be \(N,\), with reduction 'image'"):
            SiLogLoss(**wrong)(pred, target, weight[: 2 if wrong['reduction'] == 'image' else 3])

"""The depth losses in all their variants, which several files test."""

import pytest

from mmdpt.models import (
    AbsRelLoss,
    GradientMatchingLoss,
    LogL1Loss,
    SiLogLoss,
    SSILoss,
    SSITrimmedLoss,
)

LOSSES = {
    'trim': SSITrimmedLoss(),
    'trim_lstsq_batch': SSITrimmedLoss(alignment='lstsq', reduction='batch'),
    'trim_none': SSITrimmedLoss(alignment='none', trim=0.5),
    'trim_zeros': SSITrimmedLoss(alignment='median_zeros'),
    'trim_gist': SSITrimmedLoss(variant='gist'),
    'ssi': SSILoss(),
    'ssi_batch': SSILoss(reduction='batch'),
    'ssi_mae_lstsq_batch': SSILoss(criterion='mae', reduction='batch'),
    'ssi_mae_median': SSILoss(alignment='median', criterion='mae'),
    'grad': GradientMatchingLoss(),
    'grad_lstsq_batch': GradientMatchingLoss(alignment='lstsq', reduction='batch'),
    'grad_none': GradientMatchingLoss(alignment='none', scales=2),
    'grad_log': GradientMatchingLoss(alignment='none', space='log'),
    'log_l1': LogL1Loss(),
    'log_l1_batch': LogL1Loss(reduction='batch'),
    'abs_rel': AbsRelLoss(),
    'abs_rel_batch': AbsRelLoss(reduction='batch'),
    'silog': SiLogLoss(),
    'silog_batch': SiLogLoss(reduction='batch'),
    'silog_variance': SiLogLoss(variance_weight=1.0, eps=1e-6),
}


def every_loss(without=()):
    """Run a test with each of them."""
    names = [name for name in LOSSES if name not in without]
    return pytest.mark.parametrize('loss', [LOSSES[name] for name in names], ids=names)

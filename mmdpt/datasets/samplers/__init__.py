"""Samplers of several data sets at once."""

from .balanced_sampler import BalancedSampler

__all__ = ['BalancedSampler']

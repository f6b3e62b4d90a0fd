"""Random numbers as a function of what is computed, not of what was computed before."""

import hashlib
import random

import numpy as np
import torch

SAMPLE, SUBSTITUTE, ITERATION = 'sample', 'substitute', 'iteration'
"""Streams: augmenting a sample, choosing what stands in for a bad one, an iteration."""


def derived_number(seed: int, stream: str, *place: int) -> int:
    """Give the 64-bit number of a place in a stream of a seed."""
    # twenty times as fast as NumPy's SeedSequence
    digest = hashlib.blake2b(repr((seed, stream, *place)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, 'little')


def seed_sample(seed: int, position: int, attempt: int) -> None:
    """Seed Python, NumPy and torch's CPU for one sample of the training.

    Args:
        seed: The run's.
        position: Number of the draw among those of all ranks.
        attempt: How many samples at this position were bad.
    """
    _seed(derived_number(seed, SAMPLE, position, attempt))


def seed_iteration(seed: int, rank: int, iteration: int) -> None:
    """Seed Python, NumPy and torch, CPU and CUDA, for one iteration of one process."""
    number = derived_number(seed, ITERATION, rank, iteration)
    _seed(number)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(number)


def _seed(number: int) -> None:
    random.seed(number)
    np.random.seed(number & 0xFFFFFFFF)
    # torch.manual_seed would note a stack for every kind of device, in a hundred times the time
    torch.default_generator.manual_seed(number)

"""Random numbers are those of a place, whatever was drawn before."""

import random

import numpy as np
import pytest
import torch

from mmdpt.datasets.draws import derived_number, seed_iteration, seed_sample


def draws():
    return random.random(), np.random.random(), torch.rand(()).item()


def test_number_of_a_place_is_the_same_in_every_process_and_release():
    """Recorded: a training resumed by another process must find the numbers of the first."""
    assert derived_number(0, 'sample', 0, 0) == 9400433873879944418
    assert derived_number(2**31 - 1, 'iteration', 3, 10**9) == 16345110449475078521


def test_numbers_of_places_are_all_different_and_fill_64_bits():
    places = [(seed, position, k) for seed in (0, 1) for position in range(500) for k in (0, 1)]
    numbers = [
        derived_number(seed, stream, *rest)
        for seed, *rest in places
        for stream in ('sample', 'substitute', 'iteration')
    ]
    assert len(set(numbers)) == len(numbers) == 6000
    ones = [sum(number >> bit & 1 for number in numbers) for bit in range(64)]
    assert min(ones) > 2700 and max(ones) < 3300  # 3000 +- 7.7 standard deviations of 39
    assert np.bincount([number % 10 for number in numbers]).min() > 450


@pytest.mark.parametrize('seed', [seed_sample, seed_iteration])
def test_all_three_libraries_forget_what_was_drawn_before(seed):
    seed(5, 6, 7)
    expected = draws()
    for _ in range(3):
        draws()
        seed(5, 6, 7)
        assert draws() == expected


@pytest.mark.parametrize('seed', [seed_sample, seed_iteration])
@pytest.mark.parametrize('place', [(6, 6, 7), (5, 7, 7), (5, 6, 8)])
def test_another_seed_position_or_attempt_draws_others(seed, place):
    seed(5, 6, 7)
    expected = draws()
    seed(*place)
    assert all(a != b for a, b in zip(draws(), expected, strict=True))


def test_sample_and_iteration_of_the_same_number_draw_others():
    seed_sample(5, 6, 7)
    expected = draws()
    seed_iteration(5, 6, 7)
    assert all(a != b for a, b in zip(draws(), expected, strict=True))


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs CUDA')
def test_iteration_seeds_cuda():
    torch.zeros(1, device='cuda')
    seed_iteration(5, 6, 7)
    expected = torch.rand(3, device='cuda')
    torch.rand(9, device='cuda')
    seed_iteration(5, 6, 7)
    assert torch.equal(torch.rand(3, device='cuda'), expected)

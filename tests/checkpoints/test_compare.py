"""What a checkpoint lacks, has too much of, or has in another shape."""

import torch
from torch import nn

from mmdpt.checkpoints import compare
from mmdpt.checkpoints.compare import leave_out_reshaped


def test_each_kind_of_mismatch_is_named():
    model = nn.ModuleDict(dict(a=nn.Linear(2, 3), norm=nn.BatchNorm2d(4)))
    weights = model.state_dict()
    weights.pop('a.bias')
    weights.pop('norm.num_batches_tracked')
    weights['norm.weight'] = torch.zeros(5)
    weights['extra'] = torch.zeros(1)
    mismatch = compare(model, weights)
    assert mismatch.missing == ['a.bias']
    assert mismatch.unexpected == ['extra']
    assert mismatch.reshaped == ['norm.weight: checkpoint (5,), model (4,)']
    assert not mismatch.fills
    assert mismatch.fills_most
    assert '1 missing (a.bias)' in str(mismatch)


def test_own_weights_match():
    model = nn.Linear(2, 3)
    assert compare(model, model.state_dict()).fills
    assert str(compare(model, model.state_dict())) == 'of 2 keys of the model: all match'


def test_long_lists_are_cut():
    model = nn.Sequential(*(nn.Linear(1, 1) for _ in range(10)))
    assert str(compare(model, {})).endswith('and 12 more)')
    assert not compare(model, {}).fills_most


def test_position_embedding_may_differ_in_length_and_not_in_width():
    class Encoder(nn.Module):
        def __init__(self, length, width):
            super().__init__()
            self.pos_embed = nn.Parameter(torch.zeros(1, length, width))

    assert compare(Encoder(5, 4), Encoder(10, 4).state_dict()).fills
    mismatch = compare(Encoder(5, 4), Encoder(5, 6).state_dict())
    assert mismatch.reshaped == ['pos_embed: checkpoint (1, 5, 6), model (1, 5, 4)']


def test_only_what_has_another_shape_is_left_out():
    state = dict(nn.Linear(4, 5).state_dict(), other=torch.ones(1))
    assert leave_out_reshaped(nn.Linear(4, 3), state).keys() == {'other'}
    assert leave_out_reshaped(nn.Linear(4, 5), state).keys() == {'weight', 'bias', 'other'}

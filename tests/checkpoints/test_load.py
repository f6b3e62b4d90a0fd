"""What a checkpoint lacks, has too much of, or has in another shape."""

import pytest
import torch
from torch import nn

from mmdpt.checkpoints import compare, load_weights
from mmdpt.errors import InputError


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


def model(classes=3):
    return nn.ModuleDict(dict(backbone=nn.Linear(4, 4), head=nn.Linear(4, classes)))


@pytest.mark.parametrize(
    ('fit', 'refused'),
    [
        ('exactly', ['other classes', 'one key more', 'another network']),
        ('whole', ['other classes', 'another network']),
        ('part', ['other classes', 'another network']),
        ('start', ['another network']),
    ],
)
def test_what_does_not_fit_is_refused(fit, refused):
    """A test and a resumed training need every weight, a new training may have other classes."""
    files = {
        'own': model().state_dict(),
        'one key more': model().state_dict() | dict(more=torch.zeros(1)),
        'other classes': model(5).state_dict(),
        'another network': {'conv.weight': torch.zeros(1)},
    }
    for name, state in files.items():
        if name in refused:
            message = r'a\.pth does not fit the model \(ModuleDict\): .*(shape|missing|unexpected)'
            with pytest.raises(InputError, match=message):
                load_weights(model(), state, 'a.pth', fit)
        else:
            load_weights(model(), state, 'a.pth', fit)


def test_what_has_another_shape_is_left_as_it_was():
    own, loaded = model(), model(5)
    before = own['head'].weight.clone()
    mismatch = load_weights(own, loaded.state_dict(), 'a.pth', 'start')
    assert len(mismatch.reshaped) == 2
    assert torch.equal(own['backbone'].weight, loaded['backbone'].weight)
    assert torch.equal(own['head'].weight, before)

"""A checkpoint holds tensors, numbers and text, and gives a training back what it had."""

from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer, MessageHub
from torch import nn

from mmdpt.errors import InputError
from mmdpt.training.resume import checkpoint_contents
from mmdpt.training.resume.checkpoint_contents import (
    read_training_checkpoint,
    restore_log,
    to_plain,
)
from mmdpt.training.resume.checkpoint_files import write_checkpoint


def checkpoint(**parts):
    return {
        'meta': dict(epoch=0, iter=2),
        'state_dict': OrderedDict(a=torch.ones(2)),
        'message_hub': dict(log_scalars={}, runtime_info={}, resumed_keys={}),
        **parts,
    }


@pytest.fixture
def told(monkeypatch):
    """The lines of the log."""
    lines = []
    monkeypatch.setattr(checkpoint_contents, 'print_log', lambda line, logger: lines.append(line))
    return lines


@pytest.fixture
def read(tmp_path):
    """Write a checkpoint as torch does, read it back as a resumed training does."""

    def run(contents):
        torch.save(contents, tmp_path / 'iter_2.pth')
        return read_training_checkpoint(tmp_path / 'iter_2.pth')

    return run


@pytest.mark.parametrize(
    ('value', 'expected'),
    [
        (np.float64(0.25), 0.25),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (Path('/data'), '/data'),
        (torch.Size([2, 3]), (2, 3)),
    ],
)
def test_numpy_and_paths_become_numbers_lists_and_text(value, expected):
    plain = to_plain(dict(value=value), 'meta')['value']
    assert plain == expected and type(plain) is type(expected)


def test_tensors_leave_the_graph_and_what_is_neither_is_left_out(told):
    """Functions silently, objects by name."""
    weight = nn.Parameter(torch.ones(2))
    plain = to_plain([weight], 'optimizer')[0]
    assert type(plain) is torch.Tensor and not plain.requires_grad
    assert plain.data_ptr() == weight.data_ptr()
    plain = to_plain(dict(a=1, curve=lambda x: x, thing=object(), list=[object(), 2]), 'meta')
    assert plain == dict(a=1, list=[2])
    assert told == ['no part of a checkpoint: meta.list, meta.thing']


def test_the_log_comes_back_as_it_was(tmp_path):
    hub = MessageHub.get_instance('log-before')
    for value in (1.5, 0.1, 2.25):
        hub.update_scalar('train/loss', value, count=2)
    hub.update_info('iter', 3)
    hub.update_info('best_score', np.float64(0.5))
    hub.update_info('thing', 1, resumed=False)
    saved = checkpoint(message_hub=to_plain(hub.state_dict(), 'message_hub'))
    write_checkpoint(saved, tmp_path / 'iter_3.pth')
    loaded = torch.load(tmp_path / 'iter_3.pth', weights_only=True)  # with no class allowed
    after = MessageHub.get_instance('log-after')
    restore_log(after, loaded['message_hub'])
    losses, counts = after.get_scalar('train/loss').data
    assert losses.tolist() == [1.5, 0.1, 2.25] and counts.tolist() == [2, 2, 2]
    assert after.get_scalar('train/loss').mean(2) == (0.1 + 2.25) / (2 + 2)
    assert dict(after.runtime_info) == dict(iter=3, best_score=0.5)
    after.update_scalar('train/loss', 7.0)
    assert after.get_scalar('train/loss').current() == 7.0


def test_mmengine_checkpoints_are_read_with_their_log(read, told):
    """As MMEngine's own runner writes them: buffers, NumPy's scalars and schedules' functions."""
    added = dict(
        table=np.arange(6, dtype='<i2').reshape(2, 3).T,
        score=np.float32(0.5),
        flags=np.array([True, False]),
        names={'a', 'b'},
        words=np.array(['one']),  # of objects no more than a note in the log
    )
    log = dict(
        log_scalars=dict(loss=HistoryBuffer([1.0, 3.0], [1, 2])),
        runtime_info=dict(iter=2, best_score=np.float64(3)),
        resumed_keys=OrderedDict(loss=True, iter=True, best_score=True),
    )
    loaded = read(checkpoint(message_hub=log, added=added))
    hub = MessageHub.get_instance('log-of-mmengine')
    restore_log(hub, loaded['message_hub'])
    assert dict(hub.runtime_info) == dict(iter=2, best_score=3.0)
    assert [part.tolist() for part in hub.get_scalar('loss').data] == [[1.0, 3.0], [1, 2]]
    assert told == ['no part of a checkpoint: added.words']
    for key in ('table', 'flags'):
        np.testing.assert_array_equal(loaded['added'][key], added[key], strict=True)
        assert loaded['added'][key].flags.writeable
    assert (loaded['added']['score'], loaded['added']['names']) == (0.5, {'a', 'b'})


@pytest.mark.parametrize(
    ('parts', 'lacks'),
    [
        (None, 'no state_dict, meta, message_hub'),  # a list
        (dict(meta=None), 'no meta'),
        (dict(state_dict=[1]), 'no state_dict'),
        (dict(message_hub='text'), 'no message_hub'),
        (dict(meta=dict(iter=2)), 'no epoch and iter'),
        (dict(meta=dict(epoch=0, iter=-1)), 'no epoch and iter'),
        (dict(meta=dict(epoch=0, iter=True)), 'no epoch and iter'),
        (dict(meta=dict(epoch=0, iter='2')), 'no epoch and iter'),
        (dict(state_dict=dict(a='text')), 'more than tensors'),
    ],
)
def test_a_file_of_no_training_is_refused(read, parts, lacks):
    with pytest.raises(InputError, match=rf'iter_2\.pth .*{lacks}'):
        read([1] if parts is None else checkpoint(**parts))

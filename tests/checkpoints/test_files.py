"""Files are read without executing anything in them."""

from collections import OrderedDict

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from mmdpt.checkpoints import read_checkpoint, state_dict_of
from mmdpt.errors import InputError

TENSORS = OrderedDict(a=torch.arange(3.0), b=torch.ones(2, 2))


def assert_holds_tensors(checkpoint):
    assert checkpoint.state_dict.keys() == TENSORS.keys()
    assert all(torch.equal(checkpoint.state_dict[key], TENSORS[key]) for key in TENSORS)


@pytest.mark.parametrize(
    ('name', 'wrap'),
    [
        ('a.pth', lambda tensors: tensors),
        ('a.pt', lambda tensors: {'model': tensors, 'optimizer': {'state': {}}}),
        ('a.pth.tar', lambda tensors: {'state_dict': tensors, 'meta': {'epoch': 1}}),
        ('a.bin', lambda tensors: {f'module.{key}': value for key, value in tensors.items()}),
        ('a', lambda tensors: {'model': {f'module.{k}': value for k, value in tensors.items()}}),
    ],
)
def test_tensors_are_unwrapped_whatever_the_name_ends_in(tmp_path, name, wrap):
    torch.save(wrap(TENSORS), tmp_path / name)
    assert_holds_tensors(read_checkpoint(tmp_path / name))


def test_a_prefix_of_some_keys_stays():
    assert state_dict_of({'module.a': 1, 'b': 2}) == {'module.a': 1, 'b': 2}


def test_the_log_in_mmengine_files_is_skipped(tmp_path):
    history = HistoryBuffer([1.0, 2.0], [1, 1])
    path = tmp_path / 'iter_2.pth'
    meta = dict(dataset_meta=dict(classes=('wall', 'sky')), seed=np.float64(3))
    hub = dict(log_scalars=dict(loss=history))
    torch.save(dict(state_dict=TENSORS, meta=meta, message_hub=hub, optimizer={}), path)
    before = set(torch.serialization.get_safe_globals())  # torch keeps a set
    checkpoint = read_checkpoint(path)
    assert_holds_tensors(checkpoint)
    assert checkpoint.meta['dataset_meta'] == dict(classes=('wall', 'sky'))
    assert set(torch.serialization.get_safe_globals()) == before


def test_getattr_is_not_executed(tmp_path):
    """MMEngine's log pickles getattr, which reaches everything."""

    class Reaching:
        def __reduce__(self):
            return getattr, (torch.nn.Parameter, '__new__')

    path = tmp_path / 'weights.pth'
    torch.save({'state_dict': TENSORS, 'meta': {'x': Reaching()}}, path)
    found = read_checkpoint(path).meta['x']
    assert not callable(found)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r'no checkpoint file .*gone\.pth$'):
        read_checkpoint(tmp_path / 'gone.pth')


def test_another_kind_of_file_is_named(tmp_path):
    np.savez(tmp_path / 'weights.npz', a=np.zeros(1))
    for name, content in (
        ('text.pth', b'no checkpoint'),
        ('a.pth', b'\x09' + b'\0' * 7 + b'{"a": 1}'),
    ):
        (tmp_path / name).write_bytes(content)
    for path in tmp_path.iterdir():
        with pytest.raises(InputError, match=path.name):
            read_checkpoint(path)


def test_a_file_without_tensors_is_named(tmp_path):
    path = tmp_path / 'weights.pth'
    torch.save({'epoch': 3}, path)
    with pytest.raises(InputError, match=r"weights\.pth is no state dict: \['epoch'\]"):
        read_checkpoint(path)
    torch.save([torch.zeros(1)], path)
    with pytest.raises(InputError, match=r'weights\.pth holds a list'):
        read_checkpoint(path)

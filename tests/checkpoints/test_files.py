"""Files are read without executing anything in them."""

import os
from collections import OrderedDict

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from safetensors.torch import save_file

from mmdpt.checkpoints import read_checkpoint, state_dict_of
from mmdpt.errors import InputError

TENSORS = OrderedDict(a=torch.arange(3.0), b=torch.ones(2, 2))


class Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f'touch {self.path}',)


def assert_holds_tensors(checkpoint):
    assert checkpoint.state_dict.keys() == TENSORS.keys()
    assert all(torch.equal(checkpoint.state_dict[key], TENSORS[key]) for key in TENSORS)


@pytest.mark.parametrize('suffix', ['.pth', '.pt', '.bin'])
@pytest.mark.parametrize(
    'wrap',
    [
        lambda tensors: tensors,
        lambda tensors: {'model': tensors, 'optimizer': {'state': {}}},
        lambda tensors: {'state_dict': tensors, 'meta': {'epoch': 1}},
        lambda tensors: {f'module.{key}': value for key, value in tensors.items()},
        lambda tensors: {'model': {f'module.{key}': value for key, value in tensors.items()}},
    ],
)
def test_tensors_are_unwrapped(tmp_path, suffix, wrap):
    path = tmp_path / f'weights{suffix}'
    torch.save(wrap(TENSORS), path)
    assert_holds_tensors(read_checkpoint(path))


def test_a_prefix_of_some_keys_stays():
    assert state_dict_of({'module.a': 1, 'b': 2}) == {'module.a': 1, 'b': 2}


def test_the_old_format_is_read(tmp_path):
    path = tmp_path / 'weights.pt'
    torch.save(TENSORS, path, _use_new_zipfile_serialization=False)
    assert_holds_tensors(read_checkpoint(path))


def test_safetensors_are_read(tmp_path):
    path = tmp_path / 'model.safetensors'
    save_file(dict(TENSORS), path)
    assert_holds_tensors(read_checkpoint(path))


def test_a_file_address_is_read(tmp_path):
    path = tmp_path / 'with space.pth'
    torch.save(TENSORS, path)
    assert_holds_tensors(read_checkpoint(path.as_uri()))


def test_the_log_in_mmengine_files_is_skipped(tmp_path):
    history = HistoryBuffer([1.0, 2.0], [1, 1])
    path = tmp_path / 'iter_2.pth'
    meta = dict(dataset_meta=dict(classes=('wall', 'sky')), seed=np.float64(3))
    torch.save(
        dict(state_dict=TENSORS, meta=meta, message_hub=dict(log_scalars=dict(loss=history))), path
    )
    before = set(torch.serialization.get_safe_globals())  # torch keeps a set
    checkpoint = read_checkpoint(path)
    assert_holds_tensors(checkpoint)
    assert checkpoint.meta['dataset_meta'] == dict(classes=('wall', 'sky'))
    assert set(torch.serialization.get_safe_globals()) == before


@pytest.mark.parametrize('place', ['state_dict', 'meta'])
def test_a_malicious_pickle_is_refused_and_not_executed(tmp_path, place):
    executed, path = tmp_path / 'executed', tmp_path / 'weights.pth'
    torch.save({'state_dict': TENSORS} | {place: Malicious(executed)}, path)
    with pytest.raises(InputError, match=r'weights\.pth would call (posix|nt)\.system'):
        read_checkpoint(path)
    assert not executed.exists()


def test_getattr_is_not_executed(tmp_path):
    """MMEngine's log pickles getattr, which reaches everything."""

    class Reaching:
        def __reduce__(self):
            return getattr, (torch.nn.Parameter, '__new__')

    path = tmp_path / 'weights.pth'
    torch.save({'state_dict': TENSORS, 'meta': {'x': Reaching()}}, path)
    found = read_checkpoint(path).meta['x']
    assert not callable(found)


def test_an_address_other_than_https_is_refused():
    for address in ('http://example.org/a.pth', 's3://bucket/a.pth', 'ftp://example.org/a.pth'):
        with pytest.raises(
            InputError, match=f'{address}: a checkpoint is a local path or an https'
        ):
            read_checkpoint(address)


def test_an_https_address_is_read_from_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv('MMDPT_HOME', str(tmp_path))
    folder = tmp_path / 'checkpoints' / 'example.org' / 'files'
    folder.mkdir(parents=True)
    torch.save(TENSORS, folder / 'dpt-2f21e586.pt')
    assert_holds_tensors(read_checkpoint('https://example.org/files/dpt-2f21e586.pt?download=1'))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r'no checkpoint file .*gone\.pth$'):
        read_checkpoint(tmp_path / 'gone.pth')


def test_another_kind_of_file_is_named(tmp_path):
    path = tmp_path / 'weights.npz'
    np.savez(path, a=np.zeros(1))
    with pytest.raises(InputError, match=r'weights\.npz is damaged'):
        read_checkpoint(path)


def test_a_damaged_file_is_named(tmp_path):
    for name in ('weights.pth', 'model.safetensors'):
        (tmp_path / name).write_bytes(b'no checkpoint at all')
        with pytest.raises(InputError, match=name):
            read_checkpoint(tmp_path / name)


def test_a_file_without_tensors_is_named(tmp_path):
    path = tmp_path / 'weights.pth'
    torch.save({'epoch': 3}, path)
    with pytest.raises(InputError, match=r"weights\.pth is no state dict: \['epoch'\]"):
        read_checkpoint(path)
    torch.save([torch.zeros(1)], path)
    with pytest.raises(InputError, match=r'weights\.pth holds a list'):
        read_checkpoint(path)

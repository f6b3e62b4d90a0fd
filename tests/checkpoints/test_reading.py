"""Files are read whole, part by part, and without executing anything in them."""

import zipfile
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from safetensors.torch import save_file

from mmdpt.checkpoints import read_checkpoint, state_dict_of
from mmdpt.checkpoints.reading import mapped
from mmdpt.checkpoints.reading.checksums import check_whole, damage
from mmdpt.checkpoints.reading.mapped import copy_tensors, has_optimizer
from mmdpt.errors import InputError

TENSORS = dict(a=torch.arange(3.0), b=torch.ones(2, 2, dtype=torch.float16), c=torch.tensor(7))
TRAINING = dict(
    state_dict=TENSORS,
    meta=dict(dataset_meta=dict(classes=('wall', 'sky'))),
    optimizer=dict(state={0: dict(exp_avg=torch.zeros(3))}, param_groups=[dict(params=[0])]),
)
PARALLEL = {f'module.{name}': value for name, value in TENSORS.items()}
FILES = {
    'training.pth': TRAINING,
    'isl-org training.pt': dict(model=TENSORS, optimizer=TRAINING['optimizer']),
    'model.pth': TENSORS,
    'a.pth.tar': dict(state_dict=TENSORS, meta=dict(epoch=1)),
    'a.bin': PARALLEL,
    'a': dict(model=PARALLEL),
    'model.safetensors': None,
    'model.bin': None,
}


@pytest.fixture(params=FILES)
def path(request, tmp_path):
    """A file of each kind in turn, its tensors wrapped or not; None stands for safetensors."""
    path, content = tmp_path / request.param, FILES[request.param]
    if content is None:
        save_file(TENSORS, path)
    else:
        torch.save(content, path)
    return path


def assert_are_the_tensors(found):
    assert list(found) == list(TENSORS)
    for name, value in found.items():
        assert value.dtype == TENSORS[name].dtype and torch.equal(value, TENSORS[name])


def test_tensors_are_unwrapped_and_read_into_memory_of_their_own(path):
    """A tensor in a mapping would have the new bytes, and end the process with a shorter file."""
    found = read_checkpoint(path).state_dict
    assert_are_the_tensors(found)
    assert all(value.untyped_storage().nbytes() == value.nbytes for value in found.values())
    with path.open('r+b') as file:
        file.write(bytes(path.stat().st_size))
        file.truncate(1)
    assert_are_the_tensors(found)


def test_a_training_that_can_be_mapped_is_told_from_one_that_cannot_and_from_a_model(tmp_path):
    """A compressed archive's bytes would be other numbers; the older format is no archive."""
    torch.save(TRAINING, tmp_path / 'a.pth')
    with (
        zipfile.ZipFile(tmp_path / 'a.pth') as source,
        zipfile.ZipFile(tmp_path / 'b.pth', 'w', zipfile.ZIP_DEFLATED) as target,
    ):
        for record in source.infolist():
            target.writestr(record.filename, source.read(record))
    torch.save(TRAINING, tmp_path / 'c.pth', _use_new_zipfile_serialization=False)
    (tmp_path / 'd.pth').write_bytes(b'PK\3\4 torn')
    torch.save(TENSORS, tmp_path / 'e.pth')
    torch.save(dict(state_dict=TENSORS, meta={}), tmp_path / 'f.pth')
    assert [n for n in 'abcdef' if has_optimizer(tmp_path / f'{n}.pth')] == ['a']
    assert_are_the_tensors(read_checkpoint(tmp_path / 'c.pth').state_dict)


@pytest.mark.parametrize(
    ('least', 'expected'),
    [
        (16, ['open', 'a', 'b', 'open', 'c', 'd', 'open', 'e']),  # 12 + 8 bytes, 8 + 12, 4
        (1, ['open', 'a', 'open', 'b', 'c', 'open', 'd', 'open', 'e']),  # 44 / 4, rounded up: 12
        (1000, ['open', 'a', 'b', 'c', 'd', 'e']),
    ],
)
def test_the_file_is_mapped_anew_for_every_part(monkeypatch, least, expected):
    monkeypatch.setattr(mapped, 'LEAST_PART', least)
    sizes = dict(a=3, b=2, c=2, d=3, e=1)
    file = {name: torch.full((size,), float(size)) for name, size in sizes.items()}
    done = []

    @contextmanager
    def opened():
        done.append('open')

        def tensor_of(name):
            done.append(name)
            return file[name]

        yield tensor_of

    copied = copy_tensors(list(file), 44, opened)
    assert done == expected
    assert all(torch.equal(copied[name], file[name]) for name in file)
    assert all(copied[name].data_ptr() != file[name].data_ptr() for name in file)


def test_nothing_is_copied_of_no_names():
    assert copy_tensors([], 0, lambda: pytest.fail('mapped')) == {}


CHECKPOINT = dict(meta=dict(iter=2), state_dict=dict(a=torch.arange(3.0), b=torch.ones(2, 2)))


def tear(path):
    path.write_bytes(path.read_bytes()[:-100])


EVERY = pytest.mark.parametrize('step', [7, pytest.param(1, marks=pytest.mark.nightly)])


@EVERY
def test_every_changed_byte_is_found_or_changes_nothing(tmp_path, step):
    path, changed = tmp_path / 'iter_2.pth', tmp_path / 'changed.pth'
    torch.save(CHECKPOINT, path)
    data = path.read_bytes()
    index = data.index(b'PK\x01\x02')
    found = 0
    for place in range(0, len(data), step):
        for mask in (0xFF,) if place < index else (0x01, 0x10, 0xFF):
            other = bytes([data[place] ^ mask])
            changed.write_bytes(data[:place] + other + data[place + 1 :])
            if damage(changed) is not None:
                found += 1
            else:
                loaded = torch.load(changed, weights_only=True)
                told = f'{(place, mask)}'
                torch.testing.assert_close(loaded, CHECKPOINT, rtol=0, atol=0, msg=told)
    assert found * step > len(data)  # the others change paddings, dates and versions


def test_every_byte_of_a_tensor_counts(tmp_path):
    path = tmp_path / 'iter_2.pth'
    torch.save(dict(a=torch.full((64,), 7, dtype=torch.uint8)), path)
    data = path.read_bytes()
    start = data.index(bytes([7] * 64))
    for place in range(start, start + 64):
        path.write_bytes(data[:place] + b'\x06' + data[place + 1 :])
        assert damage(path) == "Bad CRC-32 for file 'iter_2/data/0'"
        assert torch.load(path, weights_only=True)['a'][place - start] == 6  # torch would not tell


@EVERY
def test_every_earlier_end_is_found(tmp_path, step):
    path, torn = tmp_path / 'iter_2.pth', tmp_path / 'torn.pth'
    torch.save(CHECKPOINT, path)
    data = path.read_bytes()
    for size in range(0, len(data), step):
        torn.write_bytes(data[:size])
        assert damage(torn) is not None, size


def test_a_file_of_zeros_is_damaged(tmp_path):
    """As a file system leaves it that lost its blocks."""
    (tmp_path / 'iter_2.pth').write_bytes(bytes(2000))
    assert damage(tmp_path / 'iter_2.pth') == 'it is no zip archive of torch.save'


def test_an_archive_without_checksums_is_only_checked_for_its_end(tmp_path):
    path = tmp_path / 'weights.pth'
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(CHECKPOINT, path)
    finally:
        torch.serialization.set_crc32_options(True)
    assert damage(path) is None
    tear(path)
    assert damage(path) is not None


def test_damaged_files_are_refused_by_name_and_other_formats_pass(tmp_path):
    path = tmp_path / 'weights.pth'
    torch.save(CHECKPOINT, path, _use_new_zipfile_serialization=False)
    check_whole(path)
    check_whole(tmp_path / 'gone.pth')  # whoever reads it says so
    torch.save(CHECKPOINT, path)
    check_whole(path)
    tear(path)
    for read in (check_whole, read_checkpoint):
        with pytest.raises(InputError, match=r'checkpoint .*/weights\.pth is damaged: '):
            read(path)


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
    assert_are_the_tensors(checkpoint.state_dict)
    assert checkpoint.meta['dataset_meta'] == dict(classes=('wall', 'sky'))
    assert set(torch.serialization.get_safe_globals()) == before


def test_a_missing_file_and_one_of_another_kind_or_without_tensors_are_named(tmp_path):
    np.savez(tmp_path / 'weights.npz', a=np.zeros(1))
    for name, content in (
        ('text.pth', b'no checkpoint'),
        ('a.pth', b'\x09' + b'\0' * 7 + b'{"a": 1}'),
    ):
        (tmp_path / name).write_bytes(content)
    for path in tmp_path.iterdir():
        with pytest.raises(InputError, match=path.name):
            read_checkpoint(path)
    with pytest.raises(InputError, match=r'no checkpoint file .*gone\.pth$'):
        read_checkpoint(tmp_path / 'gone.pth')
    path = tmp_path / 'weights.pth'
    torch.save({'epoch': 3}, path)
    with pytest.raises(InputError, match=r"weights\.pth is no state dict: \['epoch'\]"):
        read_checkpoint(path)
    torch.save([torch.zeros(1)], path)
    with pytest.raises(InputError, match=r'weights\.pth holds a list'):
        read_checkpoint(path)

"""Damage to a checkpoint's file is found by its checksums, whoever reads it."""

import pytest
import torch

from mmdpt.checkpoints import read_checkpoint
from mmdpt.checkpoints.reading.checksums import check_whole, damage
from mmdpt.errors import InputError

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

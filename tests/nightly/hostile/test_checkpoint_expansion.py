"""A checkpoint becomes no more in memory than its file has bytes, or is refused."""

import resource
import zipfile

import pytest
import torch

from mmdpt.checkpoints import read_checkpoint
from mmdpt.checkpoints.reading.checksums import damage
from mmdpt.checkpoints.reading.expansion import GREATEST_EXPANSION, check_archive, check_contents
from mmdpt.errors import InputError
from mmdpt.training.resume.checkpoint_contents import read_training_checkpoint

MANY = 1 << 25
"""Floats of a bomb, 128 MiB."""


@pytest.fixture
def save(tmp_path):
    def write(**values):
        path = tmp_path / 'weights.pth'
        torch.save(values, path)
        return path

    return write


@pytest.fixture
def checkpoint(save):
    return save(state_dict=dict(a=torch.arange(6.0), b=torch.ones(2, 3)))


@pytest.fixture
def bomb(tmp_path, save, repack):
    """128 MiB of zeros in 128 KiB, which torch loads."""
    path = save(state_dict=dict(a=torch.zeros(MANY))).rename(tmp_path / 'bomb.pth')
    repack(path, lambda name, data: data, zipfile.ZIP_DEFLATED)
    return path


def peak():
    """The most memory this process has had [KiB]."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def test_a_zip_bomb_is_refused_before_it_expands(bomb):
    size = bomb.stat().st_size
    assert size < 300_000
    before = peak()
    message = rf'bomb\.pth.*record \S*data/0 is compressed, {size} bytes would become 1342\d{{5}}, '
    for read in (read_checkpoint, read_training_checkpoint):
        with pytest.raises(InputError, match=message):
            read(bomb)
    assert 'is compressed' in damage(bomb)  # left out of resuming
    assert peak() - before < 64 << 10
    # and it is one
    assert torch.load(bomb, weights_only=True)['state_dict']['a'].nbytes == 4 * MANY


@pytest.mark.parametrize('record', ['/data.pkl', '/version', '/byteorder'])
def test_a_bomb_in_any_record_is_refused(checkpoint, repack, record):
    repack(
        checkpoint,
        lambda name, data: data + bytes(1 << 22) if name.endswith(record) else data,
        zipfile.ZIP_DEFLATED,
    )
    with pytest.raises(InputError, match=r'is compressed, \d+ bytes would become 4\d{6},'):
        read_checkpoint(checkpoint)


def test_records_that_lie_upon_each_other_are_refused(checkpoint):
    """One piece of data, listed ten times."""
    with zipfile.ZipFile(checkpoint, 'a') as archive:
        (tensor,) = (info for info in archive.infolist() if info.filename.endswith('data/0'))
        tensor.file_size = tensor.compress_size = 1000
        archive.filelist += [tensor] * 10
        archive._didModify = True
    with pytest.raises(InputError, match=r'records overlap, \d+ bytes would become \d{5},'):
        check_archive(checkpoint)


def test_a_cut_archive_is_named(checkpoint):
    checkpoint.write_bytes(checkpoint.read_bytes()[:-30])
    with pytest.raises(InputError, match=r'weights\.pth.* its archive is damaged'):
        check_archive(checkpoint)


def test_a_tensor_that_repeats_one_number_is_refused_and_shared_memory_passes(save):
    """Stride 0: some bytes in the file, 4 TB for whoever copies it."""
    path = save(a=torch.zeros(1).expand(10**6, 10**6))
    assert path.stat().st_size < 3000
    message = rf'has \d+ bytes, but its tensors are {4 * 10**12}, more than the {1 << 20} '
    with pytest.raises(InputError, match=message):
        read_checkpoint(path)
    # tied weights
    weight = torch.zeros(1 << 19)
    path = save(a=weight, b=weight, c=weight.view(512, 1024))
    assert path.stat().st_size * GREATEST_EXPANSION > 3 * weight.nbytes > path.stat().st_size
    assert len(read_checkpoint(path).state_dict) == 3


@pytest.mark.parametrize(
    ('tensor', 'kind'),
    [
        (torch.sparse_coo_tensor(torch.zeros(2, 1, dtype=int), [1.0], (9, 9)), 'sparse_coo, cpu'),
        (torch.empty(9, device='meta'), 'strided, meta'),
        (torch.quantize_per_tensor(torch.ones(9), 1.0, 0, torch.qint8), 'quantised, cpu'),
    ],
)
def test_a_tensor_that_is_not_plain_memory_is_refused(save, tensor, kind):
    path = save(state_dict=dict(a=tensor))
    with pytest.raises(InputError, match=rf'holds a tensor that is not plain memory \({kind}\)'):
        read_checkpoint(path)


def test_lists_that_hold_one_list_twice_or_themselves_are_refused(save):
    """30 lists in the file, 2^30 for whoever walks through them."""
    value = [0]
    for _ in range(30):
        value = [value, value]
    path = save(state_dict=dict(a=torch.zeros(1)), meta=dict(a=value))
    with pytest.raises(InputError, match=r'but the objects in it are 3221\d{6}, more than'):
        read_checkpoint(path)
    value = []
    value.append(value)
    path = save(state_dict=dict(a=torch.zeros(1)), meta=dict(a=value))
    with pytest.raises(InputError, match='holds a list that holds itself'):
        read_checkpoint(path)


def test_a_list_in_two_places_passes(checkpoint):
    """3 lists and 2 numbers; walked through, 1 + 2 * (1 + 2 * 1) = 7."""
    part = [1, 2]
    check_contents(checkpoint, [part, [part]])


@pytest.mark.parametrize('key', [1, None, b'a', ('a',)])
def test_a_key_that_is_no_name_is_refused(save, key):
    with pytest.raises(InputError, match=r'weights\.pth is no state dict'):
        read_checkpoint(save(state_dict={key: torch.zeros(1)}))

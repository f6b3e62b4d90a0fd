"""A checkpoint is whole under its name, damage is found, and the newest whole one is resumed."""

import errno
import os
import resource
from unittest.mock import Mock

import pytest
import torch

from mmdpt.checkpoints.reading.checksums import damage
from mmdpt.errors import InputError
from mmdpt.training.resume.checkpoint_files import (
    POINTER,
    durable_file,
    newest_whole,
    point_at,
    remove_unfinished,
    write_checkpoint,
)

CHECKPOINT = dict(meta=dict(iter=2), state_dict=dict(a=torch.arange(3.0), b=torch.ones(2, 2)))
ITER = 'iter_{}.pth'


def write_steps(folder, *steps):
    """Checkpoints one second apart, in the order given."""
    for second, step in enumerate(steps):
        path = folder / ITER.format(step)
        write_checkpoint(CHECKPOINT, path)
        os.utime(path, (second, second))


def tear(path):
    path.write_bytes(path.read_bytes()[:-100])


def test_file_is_on_the_disk_before_it_takes_its_name_and_the_name_after(tmp_path, monkeypatch):
    """What is written is read back, and alone in its folder."""
    path, steps = tmp_path / 'iter_2.pth', []
    fsync, replace = os.fsync, os.replace

    def noted_fsync(descriptor):
        target = os.readlink(f'/proc/self/fd/{descriptor}')
        steps.append(('fsync', os.path.basename(target), os.path.getsize(target)))
        fsync(descriptor)

    def noted_replace(old, new):
        steps.append(('rename', os.path.basename(old), os.path.basename(new)))
        replace(old, new)

    monkeypatch.setattr(os, 'fsync', noted_fsync)
    monkeypatch.setattr(os, 'replace', noted_replace)
    write_checkpoint(CHECKPOINT, path)
    (first, unfinished, size), rename, (last, folder, _) = steps
    assert (first, rename, last) == ('fsync', ('rename', unfinished, 'iter_2.pth'), 'fsync')
    assert size == path.stat().st_size and folder == tmp_path.name
    assert os.listdir(tmp_path) == ['iter_2.pth'] and damage(path) is None
    loaded = torch.load(path, weights_only=True)
    torch.testing.assert_close(loaded, CHECKPOINT, rtol=0, atol=0)


@pytest.mark.parametrize('limit', [0, 64, 700])
def test_full_disk_is_named_and_leaves_the_older_file(tmp_path, limit):
    path = tmp_path / 'iter_2.pth'
    path.write_bytes(b'older')
    reason = r'cannot write .*/iter_2\.pth: File too large'
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limits[1]))  # stands in for the disk's end
    try:
        with pytest.raises(InputError, match=reason) as caught:
            write_checkpoint(CHECKPOINT, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.__cause__.errno == errno.EFBIG
    assert path.read_bytes() == b'older'
    assert os.listdir(tmp_path) == ['iter_2.pth']


def test_other_errors_of_torch_pass_unchanged(tmp_path, monkeypatch):
    monkeypatch.setattr(torch, 'save', Mock(side_effect=RuntimeError('of torch')))
    with pytest.raises(RuntimeError, match='of torch'):
        write_checkpoint(CHECKPOINT, tmp_path / 'iter_2.pth')
    assert os.listdir(tmp_path) == []


def test_a_folder_that_cannot_be_synced_is_no_error(tmp_path, monkeypatch):
    fsync = os.fsync

    def only_files(descriptor):
        if os.path.isdir(f'/proc/self/fd/{descriptor}'):
            raise OSError(errno.EINVAL, 'Invalid argument')
        fsync(descriptor)

    monkeypatch.setattr(os, 'fsync', only_files)
    with durable_file(tmp_path / 'a') as file:
        file.write(b'whole')
    assert (tmp_path / 'a').read_bytes() == b'whole'


@pytest.mark.parametrize(
    ('written', 'pointed'),
    [
        ((2, 4), 'iter_4.pth'),
        ((2, 4), 'iter_2.pth'),  # one written after the pointer is newer
        ((8, 2, 4), 'iter_4.pth'),  # an earlier run in the same folder is passed over
        ((4,), 'elsewhere/iter_4.pth'),  # the work dir has moved
    ],
)
def test_newest_is_what_the_pointer_names_unless_another_is_newer(tmp_path, written, pointed):
    write_steps(tmp_path, *written)
    point_at(tmp_path / pointed, tmp_path)
    assert (tmp_path / POINTER).read_text() == str(tmp_path / pointed)
    assert newest_whole(tmp_path, tmp_path, ITER) == (tmp_path / 'iter_4.pth', [])


def test_damaged_ones_are_left_out_and_named(tmp_path):
    write_steps(tmp_path, 2, 4, 6, 8)
    point_at(tmp_path / 'iter_8.pth', tmp_path)
    tear(tmp_path / 'iter_8.pth')
    (tmp_path / 'iter_6.pth').write_bytes(b'')
    path, left_out = newest_whole(tmp_path, tmp_path, ITER)
    assert path == tmp_path / 'iter_4.pth'
    assert [line.split(':')[0] for line in left_out] == ['iter_8.pth', 'iter_6.pth']
    assert 'cannot be read' in left_out[0] and 'no zip archive' in left_out[1]


@pytest.mark.parametrize('pointer', [None, b'', b'\xff\xfe', b'/nowhere/iter_9.pth'])
def test_without_a_pointer_the_greatest_step_counts(tmp_path, pointer):
    write_steps(tmp_path, 10, 9, 2)
    (tmp_path / 'iter_9.pth').unlink()
    if pointer is not None:
        (tmp_path / POINTER).write_bytes(pointer)
    assert newest_whole(tmp_path, tmp_path, ITER).path == tmp_path / 'iter_10.pth'


def test_other_files_are_no_checkpoints(tmp_path):
    for name in ('best_mIoU_iter_9.pth', '.mmdpt-0.pth', 'iter_x.pth', 'xiter_3.pth', 'iter_3.pt'):
        write_checkpoint(CHECKPOINT, tmp_path / name)
    (tmp_path / 'iter_5.pth').mkdir()
    for folder in (tmp_path, tmp_path / 'none'):
        assert newest_whole(folder, tmp_path, ITER) == (None, [])
    write_checkpoint(CHECKPOINT, tmp_path / 'epoch_3+.pth')  # of another template
    assert newest_whole(tmp_path, tmp_path, 'epoch_{}+.pth').path == tmp_path / 'epoch_3+.pth'


def test_half_written_files_are_removed_and_no_others(tmp_path):
    """The pattern of leftovers is the writer's: what a kill leaves is one of them."""
    write_steps(tmp_path, 2)
    for name in ('.mmdpt-0123456789abcdef.pth', '.mmdpt-0123456789abcdef', '.hidden'):
        (tmp_path / name).write_bytes(b'half')
    remove_unfinished(tmp_path)
    others = ['.hidden', 'iter_2.pth']
    assert sorted(os.listdir(tmp_path)) == others
    if (child := os.fork()) == 0:
        with durable_file(tmp_path / 'iter_2.pth') as file:
            file.write(b'half')
            file.flush()
            os.kill(os.getpid(), 9)
    assert os.waitpid(child, 0)[1] == 9
    (left,) = set(os.listdir(tmp_path)) - set(others)
    assert left.startswith('.') and (tmp_path / left).read_bytes() == b'half'
    remove_unfinished(tmp_path)
    assert sorted(os.listdir(tmp_path)) == others

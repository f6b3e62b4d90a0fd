"""A file is whole under its name or not there, whatever ends the writing."""

import errno
import os
import resource
import stat

import pytest

from mmdpt.errors import InputError
from mmdpt.files.atomic import atomic_path


def test_file_appears_at_the_end_and_before_has_a_hidden_name_of_the_same_suffix(tmp_path):
    path = tmp_path / 'a.mp4'
    with atomic_path(path) as unfinished:
        unfinished.write_bytes(b'whole')
        assert (unfinished.parent, unfinished.suffix) == (tmp_path, '.mp4')
        assert unfinished.name.startswith('.') and not path.exists()
    assert path.read_bytes() == b'whole'
    assert os.listdir(tmp_path) == ['a.mp4']


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    with atomic_path(tmp_path / 'a') as first, atomic_path(tmp_path / 'a') as second:
        assert first != second
        first.write_bytes(b'1')
        second.write_bytes(b'2')
    assert (tmp_path / 'a').read_bytes() == b'1'  # the outer block ends last


def test_longest_name_that_a_file_may_have(tmp_path):
    path = tmp_path / ('a' * 251 + '.npy')
    with atomic_path(path) as unfinished:
        unfinished.write_bytes(b'')
    assert path.exists()


def test_permissions_are_those_of_any_new_file(tmp_path):
    (tmp_path / 'plain').write_bytes(b'')
    with atomic_path(tmp_path / 'a') as unfinished:
        unfinished.write_bytes(b'')
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ('plain', 'a')]
    assert modes[0] == modes[1]


def test_full_disk_names_the_file_and_leaves_the_older_one(tmp_path):
    path = tmp_path / 'a.npy'
    path.write_bytes(b'older')
    with pytest.raises(InputError, match=r'cannot write .*/a\.npy: No space left on device'):  # noqa: SIM117
        with atomic_path(path) as unfinished:
            unfinished.write_bytes(b'ha')
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(unfinished))
    assert path.read_bytes() == b'older'
    assert os.listdir(tmp_path) == ['a.npy']


def test_write_that_the_system_cuts_short_leaves_nothing(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(InputError, match=r'cannot write .*/a: File too large'):  # noqa: SIM117
            with atomic_path(tmp_path / 'a') as unfinished:
                unfinished.write_bytes(bytes(10_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize('error', [KeyboardInterrupt, ZeroDivisionError])
def test_other_errors_pass_unchanged_and_leave_nothing(tmp_path, error):
    with pytest.raises(error), atomic_path(tmp_path / 'a') as unfinished:
        unfinished.write_bytes(b'ha')
        raise error
    assert os.listdir(tmp_path) == []


def test_read_only_folder_is_named(forbidden_folder):
    with (
        pytest.raises(InputError, match=r'cannot write .*/a\.npy: Permission denied'),
        atomic_path(forbidden_folder / 'a.npy') as unfinished,
    ):
        unfinished.write_bytes(b'')
    assert os.listdir(forbidden_folder) == []


@pytest.mark.parametrize(
    ('name', 'message'),
    [('none/a.npy', 'No such file or directory'), ('folder', 'Is a directory')],
)
def test_missing_folder_and_folder_of_that_name_are_named_and_stay(tmp_path, name, message):
    (tmp_path / 'folder').mkdir()
    with (
        pytest.raises(InputError, match=f'cannot write .*/{name}: {message}'),
        atomic_path(tmp_path / name) as unfinished,
    ):
        unfinished.write_bytes(b'')
    assert os.listdir(tmp_path) == ['folder']

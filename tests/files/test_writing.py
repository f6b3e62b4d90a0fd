"""Files are whole or not there; folders to write in are tried; list files are read alike."""

import errno
import os
import resource
import stat
import tempfile

import pytest

from mmdpt.errors import InputError
from mmdpt.files.atomic import atomic_path
from mmdpt.files.list_files import parse_each, read_lines, read_rows
from mmdpt.files.paths import check_file, make_folder


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


def test_longest_name_and_permissions_are_those_of_any_new_file(tmp_path):
    path = tmp_path / ('a' * 251 + '.npy')
    with atomic_path(path) as unfinished:
        unfinished.write_bytes(b'')
    assert path.exists()
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


def test_file_is_no_folder(tmp_path):
    with pytest.raises(InputError, match=f'no video file {tmp_path}/a.mp4, or so'):
        check_file(tmp_path / 'a.mp4', 'video', ', or so')
    with pytest.raises(InputError, match=f'{tmp_path} is a folder'):
        check_file(tmp_path, 'config')


def test_folder_is_made_with_those_above_unless_a_file_is_there(tmp_path):
    folder = tmp_path / 'a' / 'b'
    for _ in range(2):
        make_folder(folder)
    assert os.listdir(folder) == []
    path = folder / 'out'
    path.touch()
    with pytest.raises(InputError, match=f'{path} is a file, not a folder'):
        make_folder(path)
    with pytest.raises(InputError, match=f'cannot write into {path}/b: Not a directory'):
        make_folder(path / 'b')


def test_folder_without_permission_is_named(forbidden_folder):
    with pytest.raises(InputError, match=f'cannot write into {forbidden_folder}: Permission'):
        make_folder(forbidden_folder)


def test_full_disk_is_seen(tmp_path, monkeypatch):
    def full(dir):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tempfile, 'TemporaryFile', full)
    with pytest.raises(InputError, match=f'into {tmp_path}: No space left on device'):
        make_folder(tmp_path)


def test_blank_lines_and_byte_order_mark_are_not_part_of_a_name(tmp_path):
    path = tmp_path / 'list.txt'
    path.write_bytes('\n a.jpg \r\n\r\nb c.jpg\n\n'.encode('utf-8-sig'))
    assert read_lines(path) == [(2, 'a.jpg'), (4, 'b c.jpg')]


def test_rows_of_csv_and_json_lines(tmp_path):
    csv, jsonl = tmp_path / 'a.csv', tmp_path / 'a.jsonl'
    csv.write_bytes('a, b\n\n1,2\n'.encode('utf-8-sig'))
    jsonl.write_bytes('\n{"a": "1", "b": "2"}\n\n'.encode('utf-8-sig'))
    headers = []
    assert read_rows(csv, headers.append) == [(3, dict(a='1', b='2'))]
    assert read_rows(jsonl, headers.append) == [(2, dict(a='1', b='2'))]
    assert headers == [['a', 'b']]


def test_wrong_header_is_in_line_1_and_a_wrong_line_is_named(tmp_path):
    path = tmp_path / 'a.csv'
    path.write_text('a,b\n1,2\n')

    def refuse(names):
        raise InputError('no c')

    with pytest.raises(InputError, match=r'a\.csv, line 1: no c'):
        read_rows(path, refuse)

    def parse(line):
        if line == 'b':
            raise InputError('not a')
        return line

    with pytest.raises(InputError, match=r'list\.txt, line 3: not a'):
        parse_each('list.txt', [(1, 'a'), (3, 'b')], parse)


def test_unreadable_list_is_named(tmp_path):
    with pytest.raises(InputError, match=r'cannot read .*gone\.txt: No such file'):
        read_lines(tmp_path / 'gone.txt')
    (tmp_path / 'a.txt').write_bytes(b'\xff\xfe')
    with pytest.raises(InputError, match=r'a\.txt is no text'):
        read_lines(tmp_path / 'a.txt')

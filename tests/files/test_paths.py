"""Folders to write in are made and tried; what is not there, or not so, is named."""

import errno
import os
import tempfile

import pytest

from mmdpt.errors import InputError
from mmdpt.files.paths import check_file, make_folder


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

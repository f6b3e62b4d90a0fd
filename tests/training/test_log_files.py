"""A log that cannot be written is told once and ends no training."""

import json
import logging
import shutil

import pytest
from mmengine.registry import VISBACKENDS as MMENGINE_VISBACKENDS

from mmdpt.registry import VISBACKENDS
from mmdpt.training import log_files
from mmdpt.training.log_files import LocalVisBackend, report_once


@pytest.fixture
def told(monkeypatch):
    """The lines of the log."""
    lines = []
    monkeypatch.setattr(log_files, 'print_log', lambda line, *args, **kwargs: lines.append(line))
    return lines


def test_its_name_is_ours():
    assert VISBACKENDS.get('LocalVisBackend') is LocalVisBackend
    assert MMENGINE_VISBACKENDS.get('LocalVisBackend') is not LocalVisBackend


def test_scalars_of_a_vanished_folder_are_lost_and_come_again(tmp_path, told):
    backend = LocalVisBackend(str(tmp_path / 'vis'))
    backend.add_scalars(dict(loss=1.0), step=1)
    shutil.rmtree(tmp_path / 'vis')
    backend.add_scalars(dict(loss=2.0), step=2)
    backend.add_scalar('loss', 3.0, step=3)
    assert told == [
        f'cannot write into {tmp_path / "vis"}: No such file or directory; lines of its files are '
        'lost'
    ]
    (tmp_path / 'vis').mkdir()
    backend.add_scalars(dict(loss=4.0), step=4)
    lines = (tmp_path / 'vis' / 'scalars.json').read_text().splitlines()
    assert [json.loads(line) for line in lines] == [dict(loss=4.0, step=4)]


def test_other_errors_pass(tmp_path, told):
    with pytest.raises(TypeError):
        LocalVisBackend(str(tmp_path)).add_scalars(dict(loss=object()), step=1)
    assert told == []


def test_a_log_file_on_a_full_disk_is_told_in_one_line(tmp_path, capsys):
    (tmp_path / 'run.log').symlink_to('/dev/full')
    handler = logging.FileHandler(tmp_path / 'run.log')
    report_once(handler)
    logger = logging.getLogger('full-disk')
    logger.addHandler(handler)
    for _ in range(3):
        logger.warning('a line')
    logger.removeHandler(handler)
    error = capsys.readouterr().err
    assert error == f'cannot write {tmp_path / "run.log"}: No space left on device\n'

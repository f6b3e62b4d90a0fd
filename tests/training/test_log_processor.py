"""The log is MMEngine's, of short histories; one that cannot be written is told once."""

import json
import logging
import shutil
from types import SimpleNamespace

import pytest
from mmengine.logging import MessageHub
from mmengine.runner import LogProcessor as MMEngineLogProcessor

from mmdpt.training import log_files
from mmdpt.training.log_files import LocalVisBackend, report_once
from mmdpt.training.log_processor import LogProcessor

WINDOW, INTERVAL, ITERATIONS, VALIDATION = 4, 5, 23, 7


def runner_with(hub):
    return SimpleNamespace(
        message_hub=hub, iter=0, max_iters=ITERATIONS, model=None, _train_loop=None,
        val_loop=SimpleNamespace(dataloader=range(VALIDATION)),
    )  # fmt: skip


def logged(kind, custom_cfg=None):
    """Log 23 iterations and two validations of seven; give what was logged, and the histories."""
    hub = MessageHub(f'{kind.__module__}-{len(custom_cfg or ())}')
    runner = runner_with(hub)
    processor = kind(window_size=WINDOW, by_epoch=False, custom_cfg=custom_cfg)
    lines = []
    for runner.iter in range(ITERATIONS):
        hub.update_scalar('train/loss', 1 / (1 + runner.iter))
        hub.update_scalar('train/lr', float(runner.iter))
        if runner.iter % INTERVAL == 0:
            lines.append(processor.get_log_after_iter(runner, runner.iter, 'train'))
        if runner.iter in (9, 19):
            for batch in range(VALIDATION):
                hub.update_scalar('val/time', float(runner.iter + batch))
                lines.append(processor.get_log_after_iter(runner, batch, 'val'))
            lines.append(processor.get_log_after_epoch(runner, batch, 'val'))
    return lines, {name: len(buffer.data[0]) for name, buffer in hub.log_scalars.items()}


@pytest.mark.parametrize(
    ('custom_cfg', 'loss'),
    [
        (None, WINDOW),
        ([dict(data_src='loss', method_name='mean', window_size=9)], 9),
        ([dict(data_src='train/loss', method_name='max', window_size='global')], ITERATIONS),
    ],
)
def test_the_log_is_the_same_and_histories_are_as_long_as_it_looks_back(custom_cfg, loss):
    expected, whole = logged(MMEngineLogProcessor, custom_cfg)
    assert whole == {'train/loss': ITERATIONS, 'train/lr': ITERATIONS, 'val/time': 2 * VALIDATION}
    found, kept = logged(LogProcessor, custom_cfg)
    assert found == expected
    assert kept == {'train/loss': loss, 'train/lr': WINDOW, 'val/time': VALIDATION}


def test_values_of_each_class_go_to_the_json_file_alone():
    hub = MessageHub('classes')
    hub.update_scalar('val/mIoU', 50.0)
    hub.update_info('val/IoU', dict(sky=40.0, car=60.0))
    processor = LogProcessor(by_epoch=False)
    tag, line = processor.get_log_after_epoch(runner_with(hub), VALIDATION, 'val')
    assert tag == {'mIoU': 50.0, 'IoU/sky': 40.0, 'IoU/car': 60.0}
    assert line.split() == ['Iter(val)', '[7/7]', 'mIoU:', '50.0000']


def test_scalars_of_a_vanished_folder_are_lost_and_come_again(tmp_path, monkeypatch):
    """Other errors pass."""
    told = []
    monkeypatch.setattr(log_files, 'print_log', lambda line, *args, **kwargs: told.append(line))
    with pytest.raises(TypeError):
        LocalVisBackend(str(tmp_path)).add_scalars(dict(loss=object()), step=1)
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

"""The first signal is noted, a later one ends the process; workers leave both to it."""

import os
import signal
import subprocess
import threading
from types import SimpleNamespace

import pytest
from torch.utils.data import DataLoader

from mmdpt.training.agreement import Agreement
from mmdpt.training.stopping import stop_signal_hook, stop_signals
from mmdpt.training.stopping.stop_signal_hook import StopSignalHook
from mmdpt.training.stopping.stop_signals import (
    STOP_SIGNALS,
    StopSignals,
    leave_signals_to_main_process,
)


@pytest.fixture
def caught(monkeypatch):
    """Caught signals, and a clock to set."""
    signals = StopSignals(Agreement())
    signals.clock = [100.0]
    monkeypatch.setattr(stop_signals.time, 'monotonic', lambda: signals.clock[0])
    assert signals.catch()
    yield signals
    signals.release()


@pytest.mark.parametrize(('ranks', 'asked'), [(1, 20), (2, 3)])
def test_ranks_ask_one_another_after_every_eighth_batch_of_a_validation(monkeypatch, ranks, asked):
    questions = []
    hook = StopSignalHook()
    hook.active, hook.shared_batches = True, 20
    hook.agreement = SimpleNamespace(stop_now=lambda: questions.append(1))
    monkeypatch.setattr(stop_signal_hook, 'get_world_size', lambda: ranks)
    for batch in range(21):
        hook.after_val_iter(None, batch)
    assert len(questions) == asked


def test_second_signal_ends_the_process_as_if_uncaught_if_it_is_no_other_senders(
    caught, monkeypatch
):
    ended = []
    monkeypatch.setattr(stop_signals.os, 'kill', lambda *what: ended.append(what))
    signal.raise_signal(signal.SIGUSR1)
    caught.clock[0] += 1.9
    signal.raise_signal(signal.SIGUSR1)
    assert (caught.agreement.stop_here, ended) == (signal.SIGUSR1, [])
    caught.clock[0] += 0.2
    signal.raise_signal(signal.SIGTERM)
    assert ended == [(os.getpid(), signal.SIGTERM)]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_released_signals_are_whose_they_were_and_other_threads_may_not_catch_them():
    before = [signal.getsignal(number) for number in STOP_SIGNALS]
    signals = StopSignals(Agreement())
    signals.catch()
    assert [signal.getsignal(number) for number in STOP_SIGNALS] != before
    signals.release()
    assert [signal.getsignal(number) for number in STOP_SIGNALS] == before
    told = []
    thread = threading.Thread(target=lambda: told.append(StopSignals(Agreement()).catch()))
    thread.start()
    thread.join()
    assert told == [False]


def fail_to_start(worker):
    raise ValueError(f'initialised as {worker}')


def iterator_of(**settings):
    """The iterator of a data loader with one worker."""
    loader = DataLoader(range(1000), num_workers=1, **settings)
    leave_signals_to_main_process(loader)
    return iter(loader)


def test_worker_outlives_the_signals_of_others_and_ends_at_the_word_of_its_own_process():
    batches = iterator_of()
    assert next(batches) == 0
    worker = batches._workers[0]
    for name in ('TERM', 'USR1'):
        subprocess.run(['kill', '-s', name, str(worker.pid)], check=True)
    assert [int(next(batches)) for _ in range(20)] == list(range(1, 21))
    assert worker.is_alive()
    worker.terminate()
    worker.join(60)
    assert worker.exitcode == 0


def test_worker_is_still_initialised():
    with pytest.raises(ValueError, match='initialised as 0'):
        next(iterator_of(worker_init_fn=fail_to_start))

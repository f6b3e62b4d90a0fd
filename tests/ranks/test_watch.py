"""A lost rank is noticed, named, and ends the others, whose main threads wait for something."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from mmdpt.ranks.launcher import ANOTHER_LOST, LAUNCHER
from mmdpt.ranks.watch import accept, call, listen

RANK = """
import os, signal, sys, time
from mmdpt.ranks.watch import RankWatch, accept, call, listen

rank, world_size, port = map(int, sys.argv[1:4])
timeout, beat = map(float, sys.argv[4:6])
if rank == 0:
    listener = listen('127.0.0.1')
    print(listener.getsockname()[1], flush=True)
    peers = accept(listener, world_size, b'token', 60.0)
else:
    peers = call(('127.0.0.1', port), b'token', rank, 60.0)
watch = RankWatch(rank, world_size, peers, timeout, beat)
print('watching', flush=True)
for command in sys.stdin:
    if command == 'leave\\n':
        watch.leave()
    elif command == 'fail\\n':
        watch.leave(failed=True)
        sys.exit(3)
    elif command == 'fork\\n':
        child = os.fork()
        if child == 0:
            os.closerange(0, 3)
            time.sleep(600)
        print(child, flush=True)
    elif command == 'collect\\n':
        watch.wait_for_verdict()
        sys.exit(4)
    else:
        print(command, end='', flush=True)
"""


class Ranks:
    """Processes that watch each other while their main threads wait for a command."""

    def __init__(self, number, timeout=60.0, beat=0.1, **environment):
        self.number, self.settings = number, (str(timeout), str(beat))
        self.environment = {**os.environ, **environment}
        self.processes = [self.start(0, '0')]
        port = self.read(0)
        self.processes += [self.start(rank, port) for rank in range(1, number)]
        assert [self.read(rank) for rank in range(number)] == ['watching'] * number

    def start(self, rank, port):
        return subprocess.Popen(
            [sys.executable, '-c', RANK, str(rank), str(self.number), port, *self.settings],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
        )

    def read(self, rank):
        return self.processes[rank].stdout.readline().rstrip()

    def tell(self, rank, command):
        self.processes[rank].stdin.write(command + '\n')
        self.processes[rank].stdin.flush()

    def works(self, rank):
        self.tell(rank, 'still here')
        return self.read(rank) == 'still here'

    def end_of(self, rank):
        """Wait for it; its exit code and what it wrote to standard error."""
        code = self.processes[rank].wait(timeout=60)
        return code, self.processes[rank].stderr.read()

    def close(self):
        for process in self.processes:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout, process.stderr):
                pipe.close()


@pytest.fixture
def ranks():
    started = []

    def start(*arguments, **settings):
        started.append(Ranks(*arguments, **settings))
        return started[-1]

    yield start
    for group in started:
        group.close()


def test_rank_0_names_a_killed_rank_once_and_all_end(ranks):
    group = ranks(4)
    group.processes[2].kill()
    error = 'error: rank 2 of 4 is lost: its process has ended; the others end\n'
    assert group.end_of(0) == (ANOTHER_LOST, error)
    assert group.end_of(1) == group.end_of(3) == (ANOTHER_LOST, '')


def test_rank_1_names_a_killed_rank_0(ranks):
    group = ranks(3)
    group.processes[0].kill()
    error = 'error: rank 0 of 3 is lost: its process has ended; the others end\n'
    assert group.end_of(1) == (ANOTHER_LOST, error)
    assert group.end_of(2) == (ANOTHER_LOST, '')


def test_a_rank_that_leaves_with_an_error_ends_the_others(ranks):
    group = ranks(3)
    group.tell(1, 'fail')
    error = 'error: rank 1 of 3 is lost: it ended with an error; the others end\n'
    assert group.end_of(0) == (ANOTHER_LOST, error)
    assert group.end_of(1) == (3, '')
    assert group.end_of(2) == (ANOTHER_LOST, '')


def test_rank_0_that_leaves_with_an_error_ends_the_others(ranks):
    group = ranks(2)
    group.tell(0, 'fail')
    assert group.end_of(0) == (3, '')
    code, error = group.end_of(1)
    assert code == ANOTHER_LOST and 'rank 0 of 2 is lost: it ended with an error' in error


@pytest.mark.parametrize('first', [0, 1])
def test_ranks_that_leave_may_end_when_they_like(ranks, first):
    group = ranks(3)
    group.tell(first, 'leave')
    assert group.works(first)
    group.processes[first].stdin.close()
    assert group.end_of(first) == (0, '')
    for other in {0, 1, 2} - {first}:
        assert group.works(other)
        group.tell(other, 'leave')
        assert group.works(other)
        group.processes[other].stdin.close()
        assert group.end_of(other) == (0, '')


def test_a_stopped_rank_is_named_after_the_timeout(ranks):
    group = ranks(3, timeout=5.0, beat=0.2)
    group.processes[1].send_signal(signal.SIGSTOP)
    code, error = group.end_of(0)
    assert code == ANOTHER_LOST
    assert (
        error
        == 'error: rank 1 of 3 is lost: it has given no sign of life for 5 s; the others end\n'
    )
    assert group.end_of(2) == (ANOTHER_LOST, '')


def test_no_rank_is_lost_while_all_are_suspended(ranks):
    """As by Slurm, which suspends whole jobs."""
    group = ranks(3, timeout=5.0, beat=0.2)
    for process in group.processes:
        process.send_signal(signal.SIGSTOP)
    time.sleep(6)
    for process in group.processes:
        process.send_signal(signal.SIGCONT)
    time.sleep(1)
    assert all(group.works(rank) for rank in range(3))


def test_a_worker_that_outlives_its_rank_does_not_hide_its_end(ranks):
    group = ranks(2)
    group.tell(1, 'fork')
    child = int(group.read(1))
    try:
        group.processes[1].kill()
        code, error = group.end_of(0)
        assert code == ANOTHER_LOST and 'rank 1 of 2 is lost' in error
        os.kill(child, 0)  # still there
    finally:
        os.kill(child, signal.SIGKILL)


def test_who_meets_a_failed_collective_waits_to_hear_of_the_lost_rank(ranks):
    group = ranks(3)
    group.tell(2, 'collect')
    group.processes[1].kill()
    assert group.end_of(2) == (ANOTHER_LOST, '')


def test_a_failed_collective_without_a_lost_rank_is_an_error_of_its_own(ranks):
    group = ranks(2)
    group.tell(1, 'collect')
    assert group.end_of(1)[0] == 4


def test_without_its_launcher_a_rank_gets_sigterm():
    code = f'import os\nos.environ["{LAUNCHER}"] = "1"\n{RANK}'
    rank = subprocess.Popen(
        [sys.executable, '-c', code, '0', '1', '0', '60', '0.1'],
        stdin=subprocess.PIPE,  # open, so that it does not end by itself
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    with rank:
        assert rank.wait(timeout=60) == -signal.SIGTERM
        error = rank.stderr.read()
    assert error == 'warning: the launcher of rank 0 of 1 has ended, so it ends too\n'


@pytest.mark.parametrize(
    ('local_world_size', 'said'),
    [('3', ''), ('2', 'error: rank 2 of 3 is lost: its process has ended; the others end\n')],
)
def test_a_launcher_of_the_same_machine_names_the_rank_instead(ranks, local_world_size, said):
    environment = {LAUNCHER: str(os.getpid()), 'LOCAL_WORLD_SIZE': local_world_size}
    group = ranks(3, **environment)
    group.processes[2].kill()
    assert group.end_of(0) == (ANOTHER_LOST, said)


def test_a_launcher_of_the_same_machine_names_the_rank_that_failed_instead(ranks):
    group = ranks(2, **{LAUNCHER: str(os.getpid()), 'LOCAL_WORLD_SIZE': '2'})
    group.tell(1, 'fail')
    assert group.end_of(0) == (ANOTHER_LOST, '')


def test_strangers_take_no_part():
    listener = listen('127.0.0.1')
    address = listener.getsockname()
    strangers = [socket.create_connection(address) for _ in range(2)]
    strangers[0].sendall(b'other' + bytes(4))
    strangers[1].close()
    taken = {}
    thread = threading.Thread(target=lambda: taken.update(accept(listener, 2, b'token', 60.0)))
    thread.start()
    peers = call(address, b'token', 1, 60.0)
    thread.join()
    assert list(taken) == [1]
    peers[0].send(b'x')
    taken[1].setblocking(True)
    assert taken[1].recv(1) == b'x'
    assert strangers[0].recv(1) == b''  # refused
    for connection in (*peers.values(), *taken.values(), *strangers):
        connection.close()


def test_a_rank_that_never_comes_is_an_error():
    with pytest.raises(TimeoutError):
        accept(listen('127.0.0.1'), 2, b'token', 0.1)


def test_rank_0_listens_where_it_does_not_know_its_own_name():
    with listen('name.invalid') as listener:
        address = ('127.0.0.1', listener.getsockname()[1])
        socket.create_connection(address).close()

"""The launcher starts ranks, passes signals on, and says in one line which rank ended the run."""

import os
import signal
import subprocess
import sys

import pytest

LAUNCHER = """
import sys
from mmdpt.ranks import launcher
launcher.GRACE = float(sys.argv.pop(1))
launcher.TERMINATION = 0.5
sys.exit(launcher.main())
"""


@pytest.fixture
def launch(tmp_path):
    """Start the launcher with a tool that is given as its source."""
    started = []

    def start(processes, source, name='tool.py', grace=0.5, **environment):
        tool = tmp_path / name
        tool.write_text(f'import os, signal, sys, time\nrank = int(os.environ["RANK"])\n{source}')
        started.append(
            subprocess.Popen(
                [sys.executable, '-c', LAUNCHER, str(grace), str(processes), str(tool), 'word'],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, **environment},
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def end_of(process):
    out, error = process.communicate(timeout=60)
    return process.returncode, out, error


def test_ranks_of_the_second_machine_get_the_variables_of_torchrun(launch):
    show = (
        'names = ("LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")\n'
        'print(" ".join([str(rank), *map(os.environ.get, names), *sys.argv[1:]]) + "\\n", end="")'
    )
    several = dict(NNODES='2', NODE_RANK='1', MASTER_ADDR='10.0.0.1', PORT='1234')
    code, out, error = end_of(launch(2, show, **several))
    assert (code, error) == (0, '')
    assert sorted(out.splitlines()) == [
        '2 0 4 2 10.0.0.1 1234 word',
        '3 1 4 2 10.0.0.1 1234 word',
    ]


def test_runs_on_one_machine_do_not_meet_at_one_port(launch):
    runs = [launch(1, 'print(os.environ["MASTER_PORT"]); time.sleep(1)') for _ in range(2)]
    ports = {end_of(run)[1] for run in runs}
    assert len(ports) == 2


def test_a_killed_rank_is_named_and_the_others_are_ended(launch):
    source = (
        'print(f"{os.getpid()}\\n", end="", flush=True)\n'
        'if rank == 1:\n    os.kill(os.getpid(), signal.SIGKILL)\n'
        'signal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(600)'
    )
    code, out, error = end_of(launch(3, source))
    assert code == 128 + signal.SIGKILL
    assert error.count('\n') == 1
    assert error.startswith('error: rank 1 of 3 (process ')
    assert 'was killed by SIGKILL, as the system does when memory is short' in error
    for pid in out.split():
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)


def test_the_training_is_told_how_to_go_on(launch):
    source = 'os.kill(os.getpid(), signal.SIGSEGV)'
    error = end_of(launch(1, source, name='train.py'))[2]
    assert 'was ended by SIGSEGV. The same command with --resume goes on\n' in error
    assert '--resume' not in end_of(launch(1, source, name='test.py'))[2]


def test_the_rank_that_failed_is_named_not_those_that_end_because_of_it(launch):
    source = 'time.sleep(1 if rank == 2 else 0)\nsys.exit(3 if rank == 2 else 75)'
    code, _, error = end_of(launch(3, source, grace=60.0))
    assert code == 3
    assert error.startswith('error: rank 2 of 3 (process ')
    assert error.endswith(' ended with exit code 3; its message is above\n')


def test_a_rank_that_hangs_is_not_blamed_for_being_killed(launch):
    code, _, error = end_of(launch(2, 'time.sleep(600) if rank else sys.exit(75)'))
    assert code == 75
    assert error == 'error: another rank was lost, as rank 0 says; the others ended, too\n'


def test_an_error_of_all_ranks_needs_no_further_message(launch):
    code, _, error = end_of(launch(2, 'sys.stderr.write("error: wrong input\\n"); sys.exit(1)'))
    assert code == 1
    assert error.replace('error: wrong input\n', '') == ''


WORKER_THAT_SAVES = """
def save(number, frame):
    time.sleep(2)
    print('saved %d\\n' % rank, end='', flush=True)
    sys.exit(0)

signal.signal(signal.{0}, save)
print('ready\\n', end='', flush=True)
while True:
    time.sleep(0.1)
"""


@pytest.mark.parametrize('name', ['SIGTERM', 'SIGUSR1', 'SIGINT'])
def test_a_signal_reaches_every_rank_once_and_has_all_the_time_it_takes(launch, name):
    run = launch(2, WORKER_THAT_SAVES.format(name))
    assert [run.stdout.readline() for _ in range(2)] == ['ready\n'] * 2
    run.send_signal(getattr(signal, name))
    code, out, error = end_of(run)
    assert (code, error) == (0, '')
    assert sorted(out.split('\n')) == ['', 'saved 0', 'saved 1']


def test_a_signal_that_nobody_answers_ends_the_run(launch):
    run = launch(2, 'print("ready\\n", end="", flush=True)\ntime.sleep(600)')
    assert [run.stdout.readline() for _ in range(2)] == ['ready\n'] * 2
    run.send_signal(signal.SIGTERM)
    assert end_of(run) == (128 + signal.SIGTERM, '', 'error: stopped by SIGTERM\n')


@pytest.mark.parametrize('arguments', [[], ['2'], ['two', 'tool.py'], ['0', 'tool.py']])
def test_a_wrong_command_line_is_told_the_right_one(arguments):
    done = subprocess.run(
        [sys.executable, '-m', 'mmdpt.ranks.launcher', *arguments], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr == 'usage: python -m mmdpt.ranks.launcher N TOOL [arguments]\n'

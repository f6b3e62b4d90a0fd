"""Two machines without a shared folder: network namespaces with folders and hosts of their own.

Only their addresses and loopback are used. The ends of one virtual cable are the machines' network.
"""

import os
import re
import shutil
import signal
import subprocess

import pytest
import tiny
import torch
from launched import PLAIN, Launched

ADDRESSES = ('10.79.13.1', '10.79.13.2')
NAME = 'first.machine'
"""A name of the first machine, which resolves to loopback there, as many a hosts file has it."""
ITERATIONS, INTERVAL = 12, 4

pytestmark = [pytest.mark.distributed, pytest.mark.nightly, pytest.mark.timeout(1200)]


def ip(*arguments):
    return subprocess.run(['ip', *arguments], capture_output=True, text=True, check=True)


@pytest.fixture(scope='module')
def machines(tmp_path_factory):
    """For each machine the command that runs another there."""
    names = [f'mmdpt-{os.getpid()}-{number}' for number in (0, 1)]
    cables = [f'mm{os.getpid()}-{number}' for number in (0, 1)]
    commands = []
    try:
        for name in names:
            ip('netns', 'add', name)
        first, second = names
        peer = ('type', 'veth', 'peer', 'name', cables[1], 'netns', second)
        ip('link', 'add', cables[0], 'netns', first, *peer)
        for name, cable, address, of_first in zip(
            names, cables, ADDRESSES, ('127.0.0.1', ADDRESSES[0]), strict=True
        ):
            ip('-n', name, 'addr', 'add', f'{address}/24', 'dev', cable)
            for device in ('lo', cable):
                ip('-n', name, 'link', 'set', device, 'up')
            hosts = tmp_path_factory.mktemp('etc') / 'hosts'
            hosts.write_text(f'127.0.0.1 localhost\n{of_first} {NAME}\n')
            mount = f'mount --bind {hosts} /etc/hosts && exec env GLOO_SOCKET_IFNAME={cable} "$@"'
            commands.append(
                ['ip', 'netns', 'exec', name, 'unshare', '--mount', 'bash', '-c', mount, 'bash']
            )
            subprocess.run([*commands[-1], 'true'], capture_output=True, text=True, check=True)
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        reason = getattr(error, 'stderr', None) or error
        pytest.skip(f'network namespaces cannot be made here: {str(reason).strip()}')
    finally:
        if len(commands) < 2:
            remove(names)
    yield commands
    remove(names)


def remove(names):
    for name in names:
        subprocess.run(['ip', 'netns', 'del', name], capture_output=True)


@pytest.fixture
def launch(scenes, machines, tmp_path):
    """Start the same training on both machines; give the two runs."""
    more = PLAIN.format(iterations=ITERATIONS, interval=INTERVAL)
    config = tiny.write_config(tmp_path, 'segmentation', scenes, more)
    share = ('--cfg-options', 'train_dataloader.batch_size=2')

    def start(name, *arguments, master=ADDRESSES[0]):
        runs = []
        for number, machine in enumerate(machines):
            folder = tmp_path / f'machine-{number}'
            folder.mkdir(exist_ok=True)
            runs.append(
                Launched(
                    (config, 1, '--work-dir', 'work', *arguments, *share),
                    tmp_path / f'{name}-{number}.txt',
                    prefix=machine,
                    cwd=folder,
                    NNODES='2',
                    NODE_RANK=str(number),
                    MASTER_ADDR=master,
                    PORT='29511',
                )
            )
        return runs

    return start


def last_weights(folder):
    path = folder / 'machine-0' / 'work' / f'iter_{ITERATIONS}.pth'
    return torch.load(path, weights_only=True)['state_dict']


def test_two_machines_train_validate_lose_one_and_resume(launch, tmp_path, record):
    """The first knows itself by loopback; its name is where they meet."""
    first, second = launch('whole', master=NAME)
    assert (first.end(), second.end()) == (0, 0), first.said() + second.said()
    assert len(re.findall('mIoU: ', first.said())) == 2
    expected = last_weights(tmp_path)
    assert not list((tmp_path / 'machine-1').glob('**/*.pth'))
    for number in (0, 1):
        shutil.rmtree(tmp_path / f'machine-{number}')

    first, second = launch('killed')
    first.wait_for_iteration(INTERVAL + 3)
    os.kill(second.pid_of(1), signal.SIGKILL)
    assert (first.end(), second.end()) == (1, 1)
    assert 'Signal 9 (SIGKILL)' in second.said()

    for run in launch('resumed', '--resume'):
        assert run.end() == 0, run.said()
    assert 'resumed ' in (tmp_path / 'resumed-0.txt').read_text()
    found = last_weights(tmp_path)
    assert all(torch.equal(found[name], value) for name, value in expected.items())
    record(
        'two machines without a shared folder',
        'trained, validated, one killed, resumed; met at a name that is loopback on the first',
        'the same weights, bit for bit',
    )

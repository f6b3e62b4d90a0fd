"""A training that is asked to stop saves, ends without an error and resumes as if it had not."""

import signal

import pytest
import torch
from tiny import REPO

from mmdpt.config import load_config
from mmdpt.training import build_runner
from mmdpt.training.resume.checkpoint_hook import CheckpointHook

SENDER = '''
import os, signal
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmdpt.registry import HOOKS


@HOOKS.register_module()
class SendSignal(Hook):
    """Sends one signal in an iteration, to this process, its group or the launcher."""

    def __init__(self, stage, iteration, name='SIGTERM', to='self', rank=0):
        self.stage, self.iteration, self.rank = stage, iteration, rank
        self.number, self.to = getattr(signal, name), to

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.send('train', batch_idx + 1)

    def before_val_iter(self, runner, batch_idx, data_batch=None):
        self.send('val', batch_idx + 1)

    def send(self, stage, iteration):
        if (stage, iteration, get_rank()) != (self.stage, self.iteration, self.rank):
            return
        if self.to == 'group':
            os.killpg(0, self.number)
        else:
            os.kill(os.getpid() if self.to == 'self' else os.getppid(), self.number)
'''


@pytest.fixture(scope='module')
def folder(config, tmp_path_factory):
    """A folder with the hook as a module and a config that imports it; checkpoints at the end."""
    folder = tmp_path_factory.mktemp('signals')
    (folder / 'signal_sender.py').write_text(SENDER)
    (folder / 'signals.py').write_text(f"""_base_ = ['{config}']
custom_imports = dict(imports=['mmdpt.registry', 'signal_sender'], allow_failed_imports=False)
default_hooks = dict(checkpoint=dict(interval=100))
""")
    return folder


@pytest.fixture
def train(folder, monkeypatch, tmp_path):
    """Train in this process; give the work dir."""
    monkeypatch.syspath_prepend(folder)
    runs = []

    def run(*options, sends=None, resume=False, name='run', hooks=()):
        cfg = load_config(str(folder / 'signals.py'), options)
        cfg.experiment_name = f'{tmp_path.name}-{len(runs)}'  # MMEngine's log is one for a name
        runs.append(cfg)
        sender = [dict(type='SendSignal', **sends)] if sends else []
        cfg.custom_hooks = [*sender, *hooks]
        cfg.resume = resume
        build_runner(cfg, str(tmp_path / name)).train()
        return tmp_path / name

    return run


def load(path):
    return torch.load(path, weights_only=True)


def checkpoints(work_dir):
    return sorted(path.name for path in work_dir.glob('*.pth'))


@pytest.mark.parametrize(
    ('options', 'iteration', 'saved'),
    [((), 3, 3), (('optim_wrapper.accumulative_counts=2',), 1, 2)],
)
def test_iteration_or_accumulated_update_is_finished_and_saved(train, options, iteration, saved):
    stopped = train(*options, sends=dict(stage='train', iteration=iteration))
    assert checkpoints(stopped) == [f'iter_{saved}.pth']
    assert load(stopped / f'iter_{saved}.pth')['meta']['iter'] == saved


def test_neither_a_second_checkpoint_nor_a_validation_follows_the_signal(train, monkeypatch):
    monkeypatch.setattr(CheckpointHook, 'save', lambda *_: pytest.fail('saved again'))
    options = ('default_hooks.checkpoint.interval=2', 'train_cfg.val_interval=2')
    stopped = train(*options, sends=dict(stage='train', iteration=2, name='SIGUSR1'))
    assert checkpoints(stopped) == ['iter_2.pth']
    log = next(stopped.glob('*/*.log')).read_text()
    assert 'SIGUSR1: the training ends after iteration 2' in log and 'Iter(val)' not in log


def test_validation_is_broken_off_and_the_resumed_training_is_the_same(train):
    option = 'train_cfg.val_interval=2'
    stopped = train(option, sends=dict(stage='val', iteration=1))
    assert checkpoints(stopped) == ['iter_2.pth']
    assert load(stopped / 'iter_2.pth')['meta']['iter'] == 2
    assert 'mIoU: ' not in next(stopped.glob('*/*.log')).read_text()
    train(option, resume=True)
    whole = train(option, name='whole')
    own, expected = (load(folder / 'iter_4.pth')['state_dict'] for folder in (stopped, whole))
    torch.testing.assert_close(own, expected, rtol=0, atol=0)


def test_averaged_weights_of_a_validation_are_not_taken_for_the_trained(train):
    """EMAHook exchanges the weights for it."""
    option, average = 'train_cfg.val_interval=2', dict(hooks=[dict(type='EMAHook', momentum=0.3)])
    in_training = train(option, sends=dict(stage='train', iteration=2), name='training', **average)
    in_val = train(option, sends=dict(stage='val', iteration=1), name='validation', **average)
    expected, saved = load(in_training / 'iter_2.pth'), load(in_val / 'iter_2.pth')
    for part in ('state_dict', 'ema_state_dict'):
        torch.testing.assert_close(saved[part], expected[part], rtol=0, atol=0)


@pytest.mark.parametrize('stage, iteration', [('train', 4), ('val', 2)])
def test_last_validation_is_left_to_the_resumed_training(train, stage, iteration):
    stopped = train(sends=dict(stage=stage, iteration=iteration))
    assert checkpoints(stopped) == ['iter_4.pth']
    first = next(stopped.glob('*/*.log'))
    assert 'mIoU: ' not in first.read_text()
    first.unlink()
    train(resume=True)
    assert 'mIoU: ' in next(stopped.glob('*/*.log')).read_text()


def test_job_script_is_told_unless_the_training_is_over(train, monkeypatch, tmp_path):
    told = tmp_path / 'stopped'
    monkeypatch.setenv('MMDPT_STOPPED_FILE', str(told))
    none = ('val_dataloader=None', 'val_cfg=None', 'val_evaluator=None')
    train(*none, sends=dict(stage='train', iteration=4), name='over')
    assert not told.exists()
    stopped = train(sends=dict(stage='train', iteration=1))
    assert told.read_text() == f'checkpoint {stopped / "iter_1.pth"}\n'


def test_signals_are_released_however_the_training_ends(train, monkeypatch):
    before = signal.getsignal(signal.SIGTERM)
    train('train_cfg.max_iters=1')
    assert signal.getsignal(signal.SIGTERM) is before
    monkeypatch.setattr(CheckpointHook, 'after_train_iter', lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        train('train_cfg.max_iters=1', name='failing')
    assert signal.getsignal(signal.SIGTERM) is before


def order(folder, work_dir, *options, **sends):
    """The command of a training that sends a signal."""
    sender = [dict(type='SendSignal', stage='train', iteration=2, **sends)]
    config = ('train.py', folder / 'signals.py', '--work-dir', work_dir)
    return *config, '--cfg-options', f'custom_hooks={sender}', *options


def test_signal_to_the_process_group_spares_the_workers(folder, run_tool, tmp_path):
    done = run_tool(
        *order(folder, tmp_path, 'train_dataloader.num_workers=2', to='group'),
        before=f'import os, sys; sys.path.append({str(folder)!r}); os.setsid()',
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f'checkpoint {tmp_path / "iter_2.pth"}; the same command with --resume' in done.stdout
    assert checkpoints(tmp_path) == ['iter_2.pth']


def assert_both_have_stopped(work_dir, said):
    assert len(checkpoints(work_dir)) == 1
    assert said.count('the training ends after iteration') == 1


@pytest.mark.distributed
def test_signal_to_one_of_two_processes_stops_both(folder, run_ranks, tmp_path):
    done = run_ranks(
        *(2, *order(folder, tmp_path, 'train_cfg.max_iters=1000', rank=1)),
        *('--launcher', 'pytorch'),
        before=f'import sys; sys.path.append({str(folder)!r})',
    )
    assert [rank.returncode for rank in done] == [0, 0], done
    assert_both_have_stopped(tmp_path, done[0].stdout + done[1].stdout)


@pytest.mark.nightly
@pytest.mark.distributed
@pytest.mark.parametrize('name', ['SIGTERM', 'SIGUSR1'])
def test_torchrun_passes_the_signal_on_and_waits_for_the_checkpoint(
    folder, run_tool, tmp_path, name
):
    sends = dict(name=name, to='launcher', rank=1)
    _, config, *rest = order(folder, tmp_path, 'train_cfg.max_iters=1000', **sends)
    done = run_tool('dist_train.sh', config, 2, *rest, PYTHONPATH=f'{folder}:{REPO}')
    assert done.returncode == 1 and 'SignalException' in done.stderr  # torchrun's, not the ranks'
    assert f'{name}: the training ends after iteration' in done.stdout
    assert_both_have_stopped(tmp_path, done.stdout)

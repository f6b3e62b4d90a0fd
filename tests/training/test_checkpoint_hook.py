"""The new checkpoint is whole before anything else moves; what cannot be written is told."""

import errno
import hashlib
import os
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import torch
from mmengine.logging import MessageHub

from mmdpt.errors import InputError
from mmdpt.files.atomic import atomic_path
from mmdpt.training.resume.checkpoint_files import POINTER, write_checkpoint
from mmdpt.training.resume.checkpoint_hook import CheckpointHook


class Run:
    """What the hook needs of a runner; ``full`` fails that many writes with a full disk."""

    epoch = iter = rank = full = 0
    max_iters, max_epochs, accumulated = 100, 1, 1

    def __init__(self, work_dir, name):
        work_dir.mkdir()
        self.work_dir = str(work_dir)
        self.message_hub = MessageHub.get_instance(name)
        self.optim_wrapper = SimpleNamespace(
            should_update=lambda: (self.iter + 1) % self.accumulated == 0
        )
        self.lines = []
        self.logger = SimpleNamespace(
            info=lambda line: None,
            warning=lambda line: self.lines.append(f'warning {line}'),
            error=lambda line: self.lines.append(f'error {line}'),
        )

    def save_checkpoint(self, out_dir, filename, file_client_args=None, **contents):
        if self.full:
            self.full -= 1
            with atomic_path(Path(out_dir) / filename) as unfinished:
                unfinished.write_bytes(b'half')
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        hub = dict(self.message_hub.runtime_info)
        write_checkpoint(dict(meta=contents['meta'], hub=hub), Path(out_dir) / filename)


@pytest.fixture
def run(tmp_path, request):
    return Run(tmp_path / 'run', request.node.name)


@pytest.fixture
def hook_of(run):
    """A hook in a training that begins."""

    def build(**arguments):
        hook = CheckpointHook(**dict(interval=2, by_epoch=False, retry_wait=0.0) | arguments)
        hook.before_train(run)
        return hook

    return build


def train(hook, run, iterations):
    """The iterations up to a number, with a checkpoint after every second one."""
    while run.iter < iterations:
        hook.after_train_iter(run, run.iter)
        run.iter += 1


def files(run, start=''):
    return sorted(
        name for name in os.listdir(run.work_dir) if name.startswith(start) and name != POINTER
    )


def pointer(run):
    return Path(Path(run.work_dir, POINTER).read_text()).name


def load(run, name):
    return torch.load(Path(run.work_dir) / name)


def test_a_checkpoint_waits_for_accumulated_gradients(run, hook_of):
    """Saved after iteration 2, half of an update of 4 would be lost."""
    run.accumulated = 4
    train(hook_of(interval=3), run, 8)
    assert files(run) == ['iter_4.pth', 'iter_8.pth'] and pointer(run) == 'iter_8.pth'


@pytest.fixture
def history(run, monkeypatch):
    """What lies in the work dir after each rename and each removal."""
    steps = []

    def noted(function):
        def call(*args, **kwargs):
            result = function(*args, **kwargs)
            if str(args[-1]).startswith(run.work_dir):
                name = pointer(run) if Path(run.work_dir, POINTER).exists() else None
                steps.append((files(run), name))
            return result

        return call

    for name in ('replace', 'remove'):
        monkeypatch.setattr(os, name, noted(getattr(os, name)))
    return steps


def test_write_then_pointer_then_removal(run, hook_of, history):
    hook = hook_of(max_keep_ckpts=1)
    train(hook, run, 2)
    history.clear()
    train(hook, run, 4)
    assert history == [
        (['iter_2.pth', 'iter_4.pth'], 'iter_2.pth'),
        (['iter_2.pth', 'iter_4.pth'], 'iter_4.pth'),
        (['iter_4.pth'], 'iter_4.pth'),
    ]


def test_best_checkpoint_is_removed_after_the_better_one_is_whole(run, hook_of, history):
    hook = hook_of(save_best='mIoU')
    train(hook, run, 2)
    hook.after_val_epoch(run, dict(mIoU=0.1))
    history.clear()
    train(hook, run, 4)
    hook.after_val_epoch(run, dict(mIoU=0.2))
    best = [[name for name in names if name.startswith('best')] for names, _ in history]
    two = ['best_mIoU_iter_2.pth', 'best_mIoU_iter_4.pth']
    assert best == [two[:1], two[:1], two, two, two, two[1:]]
    assert load(run, 'iter_4.pth')['hub']['best_score'] == 0.2


@pytest.mark.parametrize(
    ('arguments', 'best'),
    [
        (dict(save_best='mIoU'), ['best_mIoU_iter_4.pth']),  # a worse one changes nothing
        (dict(save_best='auto'), ['best_room_abs_rel_iter_6.pth']),  # the first that is known
        (dict(save_best='auto', rule='less'), ['best_room_abs_rel_iter_6.pth']),
        (
            dict(save_best=['mIoU', 'room/abs_rel'], rule=['greater', 'less']),
            ['best_mIoU_iter_4.pth', 'best_room_abs_rel_iter_6.pth'],
        ),
    ],
)
def test_best_by_one_or_two_metrics_with_their_own_rules(run, hook_of, arguments, best):
    hook = hook_of(**arguments)
    for iterations, scores in ((2, (1, 0.5, 0.1)), (4, (2, 0.6, 0.2)), (6, (3, 0.4, 0.2))):
        train(hook, run, iterations)
        hook.after_val_epoch(run, dict(zip(('aAcc', 'room/abs_rel', 'mIoU'), scores, strict=True)))
    assert files(run, 'best') == best


def test_mmengines_arguments_and_a_resumed_run_removes_what_a_kill_left(run, hook_of):
    train(hook_of(max_keep_ckpts=2), run, 6)
    assert files(run) == ['iter_4.pth', 'iter_6.pth'] and pointer(run) == 'iter_6.pth'
    saved = load(run, 'iter_6.pth')
    assert saved['meta'] == dict(epoch=0, iter=6)
    assert saved['hub']['keep_ckpt_ids'] == [4, 6]  # as MMEngine's
    write_checkpoint({}, Path(run.work_dir) / 'iter_2.pth')  # and no time to remove the first
    Path(run.work_dir, '.mmdpt-0123456789abcdef.pth').write_bytes(b'half')
    run.message_hub.update_info_dict(saved['hub'])
    hook = hook_of(max_keep_ckpts=2)
    assert files(run) == ['iter_4.pth', 'iter_6.pth']
    assert not list(Path(run.work_dir).glob('.*'))
    train(hook, run, 8)
    assert files(run) == ['iter_6.pth', 'iter_8.pth']


@pytest.mark.parametrize(('step', 'kept'), [(4, [2, 4]), (5, [4, 5])])
def test_saving_a_step_again_removes_nothing_and_one_between_two_is_kept(run, hook_of, step, kept):
    hook = hook_of(max_keep_ckpts=2)
    train(hook, run, 4)
    hook.save(run, step)
    assert files(run) == [f'iter_{step}.pth' for step in kept]
    assert run.message_hub.get_info('keep_ckpt_ids') == kept and pointer(run) == files(run)[1]


def test_a_full_disk_is_tried_again_and_then_stops_with_the_earlier_ones_whole(run, hook_of):
    hook = hook_of(save_retries=2, max_keep_ckpts=1)
    run.full = 2
    train(hook, run, 2)
    assert files(run) == ['iter_2.pth'] and pointer(run) == 'iter_2.pth'
    assert len(run.lines) == 2
    assert 'iter_2.pth: No space left on device; trying again in 0 s, 2 more times' in run.lines[0]
    assert run.lines[1].endswith('1 more times')
    run.full = 3
    with pytest.raises(InputError, match=r'/iter_4\.pth: No space left .*earlier checkpoints are'):
        train(hook, run, 4)
    assert files(run) == ['iter_2.pth'] and pointer(run) == 'iter_2.pth'
    assert not list(Path(run.work_dir).glob('.*'))


def test_continue_goes_on_and_saves_the_next(run, hook_of):
    """In a run without any checkpoint yet, and in one with two."""
    hook = hook_of(on_save_error='continue', save_retries=1, max_keep_ckpts=2)
    run.full = 2
    train(hook, run, 2)
    assert run.message_hub.get_info('keep_ckpt_ids') == []
    train(hook, run, 6)
    run.full = 2
    train(hook, run, 8)
    assert files(run) == ['iter_4.pth', 'iter_6.pth'] and pointer(run) == 'iter_6.pth'
    assert run.lines[-1].startswith('error cannot write') and 'goes on' in run.lines[-1]
    assert hook.last_ckpt.endswith('iter_6.pth')
    train(hook, run, 10)
    assert files(run) == ['iter_10.pth', 'iter_6.pth'] and pointer(run) == 'iter_10.pth'
    assert load(run, 'iter_10.pth')['hub']['keep_ckpt_ids'] == [6, 10]


def test_continue_without_the_best_forgets_its_score(run, hook_of):
    hook = hook_of(on_save_error='continue', save_retries=0, save_best='mIoU')
    train(hook, run, 2)
    hook.after_val_epoch(run, dict(mIoU=0.1))
    train(hook, run, 4)
    run.full = 1
    hook.after_val_epoch(run, dict(mIoU=0.3))
    assert run.message_hub.get_info('best_score') == 0.1
    assert hook.best_ckpt_path.endswith('best_mIoU_iter_2.pth')
    train(hook, run, 6)
    hook.after_val_epoch(run, dict(mIoU=0.2))
    assert files(run, 'best') == ['best_mIoU_iter_6.pth']


def test_the_last_checkpoint_and_one_that_is_asked_for_stop_under_either_policy(run, hook_of):
    hook = hook_of(on_save_error='continue', save_retries=0)
    run.full = 1
    with pytest.raises(InputError, match='No space left'):
        hook.save(run, 3)
    assert hook.on_save_error == 'continue'
    run.max_iters = run.full = 4
    train(hook, run, 3)
    with pytest.raises(InputError, match=r'iter_4\.pth: No space left'):
        train(hook, run, 4)


def test_a_pointer_that_cannot_be_written_stops_and_wrong_input_under_either_policy(run, hook_of):
    hook = hook_of(save_retries=0)
    Path(run.work_dir, POINTER).mkdir()
    with pytest.raises(InputError, match=r'last_checkpoint: Is a directory'):
        train(hook, run, 2)
    hook, run.lines = hook_of(on_save_error='continue'), []
    run.save_checkpoint = Mock(side_effect=InputError('of another hook'))
    with pytest.raises(InputError, match='of another hook'):
        train(hook, run, 2)
    assert run.lines == []


def test_a_folder_elsewhere_is_made_and_searched(run, hook_of, tmp_path):
    hook = hook_of(out_dir=str(tmp_path / 'elsewhere'))
    train(hook, run, 2)
    saved = tmp_path / 'elsewhere' / 'run' / 'iter_2.pth'
    assert saved.is_file() and pointer(run) == 'iter_2.pth' and files(run) == []
    anew = CheckpointHook(by_epoch=False, out_dir=str(tmp_path / 'elsewhere'))
    assert anew.newest(run) == str(saved)


def test_an_old_checkpoint_that_cannot_be_removed_is_only_told(run, hook_of, monkeypatch):
    hook = hook_of(max_keep_ckpts=1)
    train(hook, run, 2)
    refuse = Mock(side_effect=PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
    monkeypatch.setattr(hook.file_backend, 'remove', refuse)
    train(hook, run, 4)
    assert files(run) == ['iter_2.pth', 'iter_4.pth'] and pointer(run) == 'iter_4.pth'
    assert run.lines == [f'warning cannot remove {run.work_dir}/iter_2.pth: Permission denied']


def test_published_files_are_named_by_their_checksum(run, hook_of):
    hook = hook_of(published_keys=['meta'])
    train(hook, run, 2)
    hook.after_train(run)
    (published,) = Path(run.work_dir).glob('iter_2-*.pth')
    digest = hashlib.sha256(published.read_bytes()).hexdigest()
    assert published.stem == f'iter_2-{digest[:8]}'
    assert torch.load(published) == dict(meta=dict(epoch=0, iter=2))


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match=r"on_save_error must be one of .*'ignore'"):
        CheckpointHook(on_save_error='ignore')
    with pytest.raises(ValueError, match='save_retries must be >= 0, got -1'):
        CheckpointHook(save_retries=-1)

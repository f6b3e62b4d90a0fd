"""A full, a read-only and a vanished work dir, on a file system of their own, end in one line."""

import os
import shutil
import subprocess
import sys
import zipfile

import pytest
import tiny

WAYS = {
    'full': ('head -c 1G /dev/zero > {folder}/filling 2>&- || true', 'No space left on device'),
    'read-only': (  # over itself, since the log is open in the first mount
        'mount --bind {folder}/work {folder}/work && mount -o remount,bind,ro {folder}/work',
        'Read-only file system',
    ),
    'vanished': ('rm -r {folder}/work', 'No such file or directory'),
}


@pytest.fixture(scope='module')
def config(scenes, tmp_path_factory):
    """Six iterations with a checkpoint after each; after the third, a command is run."""
    folder = tmp_path_factory.mktemp('configs')
    (folder / 'breaking.py').write_text("""
import os
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

@HOOKS.register_module()
class BreakingHook(Hook):
    priority = 'LOWEST'

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if batch_idx == 2:
            os.system(os.environ['BREAK'])
""")
    more = """
custom_imports = dict(imports=['mmdpt.registry', 'breaking'], allow_failed_imports=False)
val_cfg = val_dataloader = val_evaluator = None
train_cfg = dict(max_iters=6)
default_hooks.update(
    checkpoint=dict(interval=1, max_keep_ckpts=-1, save_retries=1, retry_wait=0.0)
)
custom_hooks = [dict(type='BreakingHook')]
"""
    return tiny.write_config(folder, 'segmentation', scenes, more)


@pytest.fixture
def own_file_system(tmp_path):
    """A folder to mount on, and the command that does it for a process of its own."""
    folder = tmp_path / 'disk'
    folder.mkdir()
    command = ['unshare', '--map-root-user', '--mount', 'sh', '-c']
    if shutil.which('unshare') is None or subprocess.run([*command, 'true']).returncode:
        pytest.skip('no file system can be mounted here (unshare)')
    return folder, command


@pytest.mark.nightly
@pytest.mark.parametrize('policy', ['stop', 'continue'])
@pytest.mark.parametrize('way', WAYS)
def test_work_dir_that_breaks(config, own_file_system, tmp_path, record, way, policy):
    folder, command = own_file_system
    break_it, reason = WAYS[way]
    train = f'{sys.executable} {tiny.REPO}/tools/train.py {config} --work-dir {folder}/work'
    script = (
        f'mount -t tmpfs -o size=12m tmpfs {folder} && {train} --cfg-options '
        f'default_hooks.checkpoint.on_save_error={policy}; code=$?; '
        f'cp -r {folder}/work {tmp_path}/left; exit $code'
    )
    done = subprocess.run(
        [*command, script],
        capture_output=True,
        text=True,
        env={
            **os.environ,
            'BREAK': break_it.format(folder=folder),
            'PYTHONPATH': f'{tiny.REPO}:{config.parent}',
        },
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert 'Traceback' not in done.stderr, done.stderr
    failed = 4 if policy == 'stop' else 6  # the last checkpoint of a training stops it
    (error,) = (line for line in done.stderr.splitlines() if line.startswith('error: '))
    assert error.startswith(f'error: cannot write {folder}/work/iter_{failed}.pth: {reason}')
    assert done.stdout.count('trying again') == failed - 3
    assert done.stdout.count('training goes on without this checkpoint') == failed - 4
    if way != 'vanished':
        left = tmp_path / 'left'
        assert sorted(path.name for path in left.glob('*.pth')) == [
            f'iter_{step}.pth' for step in (1, 2, 3)
        ]
        for path in left.glob('*.pth'):
            assert zipfile.ZipFile(path).testzip() is None
        assert (left / 'last_checkpoint').read_text() == f'{folder}/work/iter_3.pth'
        assert not list(left.glob('.mmdpt-*'))
    record(
        f'work dir {way} after 3 of 6 checkpoints, on_save_error={policy!r}',
        'a file system of its own',
        f'one line of error for iteration {failed}, earlier checkpoints whole',
    )

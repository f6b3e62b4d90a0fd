"""--resume goes on from the newest whole checkpoint."""

import re
import shutil

import pytest
import tiny
import torch

from mmdpt.training.resume.checkpoint_files import POINTER
from mmdpt.training.resume.checkpoint_hook import VALIDATED

OLDER, NEWER = 'iter_2.pth', 'iter_4.pth'


@pytest.fixture
def work_dir(trained, tmp_path):
    """The work dir of four iterations, of which two are to be done again where the last is lost."""
    folder = shutil.copytree(trained, tmp_path / 'work')
    (folder / POINTER).write_text(str(folder / NEWER))
    return folder


def test_a_torn_checkpoint_is_left_out_by_name(trained, config, succeed, work_dir):
    data = (work_dir / NEWER).read_bytes()
    (work_dir / NEWER).write_bytes(data[: len(data) // 2])
    done = succeed('train.py', config, '--work-dir', work_dir, '--resume')
    assert f'left out of resuming: {NEWER}: ' in done.stdout
    assert f'resumed {work_dir / OLDER}, epoch: 0, iter: 2' in done.stdout
    own, expected = (tiny.load_weights(folder / NEWER) for folder in (work_dir, trained))
    torch.testing.assert_close(own, expected, rtol=0, atol=0)


def test_torn_checkpoints_alone_are_an_error(config, run_tool, work_dir):
    for name in (OLDER, NEWER):
        (work_dir / name).write_bytes(b'PK')
    done = run_tool('train.py', config, '--work-dir', work_dir, '--resume')
    assert done.returncode == 1
    (error,) = done.stderr.splitlines()
    assert error.startswith(f'error: no whole checkpoint to resume in {work_dir}: {NEWER}: ')
    assert f'; {OLDER}: ' in error


def test_a_validation_that_was_broken_off_is_done_first_and_no_config_runs(
    trained, config, succeed, work_dir, tmp_path
):
    """The checkpoint of iteration 4 is written before the validation of iteration 4, and after.

    MMEngine's resume runs meta['config'], which its config files are: Python.
    """
    contents = torch.load(work_dir / NEWER, weights_only=True)
    contents['meta']['config'] = f'open({str(tmp_path / "executed")!r}, "w").close()\n'
    assert contents['message_hub']['runtime_info'].pop(VALIDATED) == 4
    torch.save(contents, work_dir / NEWER)
    done = succeed('train.py', config, '--work-dir', work_dir, '--resume')
    assert 'iter: 4; the training is finished' in done.stdout
    assert 'Iter(train)' not in done.stdout and not (tmp_path / 'executed').exists()
    own, before = (
        re.search(r'Iter\(val\) \[3/3\] +(aAcc: .* mAcc: [\d.]+)', text)[1]
        for text in (done.stdout, (trained / 'console.txt').read_text())
    )
    assert own == before


@pytest.mark.parametrize('tool', ['test.py', 'train.py'])
def test_a_flipped_byte_is_refused(trained, config, run_tool, tmp_path, tool):
    data = bytearray((trained / NEWER).read_bytes())
    data[len(data) // 2] ^= 1
    path = tmp_path / 'flipped.pth'
    path.write_bytes(data)
    source = (path,) if tool == 'test.py' else ('--cfg-options', f'load_from={path}')
    done = run_tool(tool, config, '--work-dir', tmp_path / 'work', *source)
    assert done.returncode == 1
    assert f'error: checkpoint {path} is damaged: Bad CRC-32' in done.stderr


def test_an_extended_run_follows_the_longer_schedule(config, succeed, work_dir):
    done = succeed(
        *('train.py', config, '--work-dir', work_dir / 'new'),
        *('--resume', work_dir / NEWER, '--cfg-options'),
        *('train_cfg.max_iters=6', 'param_scheduler.0.end=2', 'param_scheduler.1.begin=2'),
        'param_scheduler.1.end=6',
    )
    assert 'param_scheduler[1].end: 6 of the config, instead of the checkpoint' in done.stdout
    rates = [float(rate) for rate in re.findall(r'Iter\(train\).* lr: (\S+)', done.stdout)]
    assert len(rates) == 2 and rates[0] > 0
    before, after = map(tiny.load_weights, (work_dir / NEWER, work_dir / 'new' / 'iter_6.pth'))
    assert not torch.equal(before['backbone.cls_token'], after['backbone.cls_token'])

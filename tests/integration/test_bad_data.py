"""Bad samples and an image that is NaN, in the middle of a training, through the tool."""

import re
import shutil

import pytest
import tiny
import torch

POISON = '''
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmdpt.registry import HOOKS


@HOOKS.register_module()
class Poison(Hook):
    """Turns the first image of an iteration into NaN, on one rank."""

    def __init__(self, iteration, rank=0):
        self.iteration, self.rank = iteration, rank

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if (batch_idx + 1, get_rank()) == (self.iteration, self.rank):
            data_batch['inputs'][0] = torch.full_like(data_batch['inputs'][0].float(), torch.nan)
'''


@pytest.mark.distributed
@pytest.mark.parametrize(
    ('skip_up_to', 'more'), [(0, ()), (1, ()), (1, ('optim_wrapper.accumulative_counts=2',))]
)
def test_two_processes_stop_or_go_on_together(
    config, scenes, run_ranks, tmp_path, skip_up_to, more
):
    """Rank 1 meets the image at iteration 3; the batch is left out whole, buffers and all."""
    path, work_dir = tmp_path / 'poisoned.py', tmp_path / 'work'
    (tmp_path / 'poison.py').write_text(POISON)
    path.write_text(f"""
_base_ = ['{config}']
custom_imports = dict(imports=['mmdpt.registry', 'poison'], allow_failed_imports=False)
custom_hooks = [dict(type='Poison', iteration=3, rank=1)]
""")
    done = run_ranks(
        *(2, 'train.py', path, '--launcher', 'pytorch', '--work-dir', work_dir),
        *('--cfg-options', f'default_hooks.nonfinite.skip_up_to={skip_up_to}', *more),
        before=f'import sys; sys.path.append({str(tmp_path)!r})',
    )
    for rank in done:
        assert rank.returncode == (0 if skip_up_to else 1), done
    said = done[0].stdout if skip_up_to else done[0].stderr
    assert 'iteration 3: the loss is not finite. Rank 1: loss nan, decode.loss_' in said
    assert f'{scenes}/images/training/scene_' in said
    (kept,) = (work_dir / 'nonfinite').iterdir()
    saved = torch.load(kept, weights_only=True)
    assert kept.name == 'iter_3_rank_1.pth' and saved['data_samples'][0]['img_path'] in said
    assert saved['inputs'][0].isnan().all() and saved['inputs'][1].dtype is torch.uint8
    if not skip_up_to:  # no update was made after it
        assert [path.name for path in work_dir.glob('*.pth')] == ['iter_2.pth']
        return
    before, after = (tiny.load_weights(work_dir / f'iter_{step}.pth') for step in (2, 4))
    assert all(value.isfinite().all() for value in after.values())
    tracked = [key for key in after if key.endswith('num_batches_tracked')]
    assert tracked and all(after[key] == before[key] + 1 for key in tracked)
    log = next(work_dir.glob('*/*.log')).read_text()
    assert '1 batches without a finite loss or gradient were left out' in log
    lines = [line for line in log.splitlines() if 'Iter(train)' in line]
    assert len(lines) == 4 and not any('nan' in line for line in lines)


@pytest.fixture
def data(scenes, tmp_path):
    """The scenes with a truncated image and an empty label among eight."""
    root = shutil.copytree(scenes, tmp_path / 'data')
    image = root / 'images' / 'training' / 'scene_00000003.jpg'
    image.write_bytes(image.read_bytes()[:700])
    (root / 'annotations' / 'training' / 'scene_00000006.png').write_bytes(b'')
    return root


def listed(work_dir):
    """How often each bad sample was drawn, by its reason."""
    lines = (work_dir / 'bad_samples.txt').read_text().splitlines()
    return {reason: int(times) for times, reason in (line.split(' x ', 1) for line in lines)}


@pytest.mark.distributed
def test_skip_leaves_out_the_same_samples_on_one_and_two_processes(
    config, data, run_tool, run_ranks, tmp_path
):
    """Four iterations see each of the eight samples once."""
    one, two = tmp_path / 'one', tmp_path / 'two'
    options = (
        *('--cfg-options', f'train_dataloader.dataset.data_root={data}', 'val_evaluator=None'),
        *('train_cfg.on_bad_sample=skip', 'val_dataloader=None', 'val_cfg=None'),
    )
    first = run_tool('train.py', config, '--work-dir', one, *options)
    second, other = run_ranks(
        *(2, 'train.py', config, '--launcher', 'pytorch', '--work-dir', two, *options),
        *('train_dataloader.batch_size=1', 'train_dataloader.num_workers=1'),
    )
    assert other.returncode == 0, other
    if not torch.cuda.is_available():
        assert (second.stdout + other.stdout).count('BN for SyncBN, gloo for nccl') == 1
    for done in (first, second):
        assert done.returncode == 0, done.stdout + done.stderr
        assert '2 bad samples were left out' in done.stdout
    reasons = listed(one)
    assert reasons == listed(two)
    image, label = sorted(reasons)
    assert re.fullmatch(r'cannot read image \S+/scene_00000003\.jpg: it is a JPEG cut.*', image)
    assert re.fullmatch(r'cannot read label \S+/scene_00000006\.png: it is empty', label)
    assert min(reasons.values()) >= 1 and sum(reasons.values()) < 8
    for work_dir in (one, two):
        weights = tiny.load_weights(work_dir / 'iter_4.pth')
        assert all(value.isfinite().all() for value in weights.values())

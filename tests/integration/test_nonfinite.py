"""One image that is NaN, in the middle of a training."""

import math

import pytest
import torch

from mmdpt.config import load_config
from mmdpt.errors import InputError
from mmdpt.training import build_runner

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


@pytest.fixture(scope='module')
def folder(config, tmp_path_factory):
    """A folder with the hook as a module and a config in which rank 0 meets it at iteration 3."""
    folder = tmp_path_factory.mktemp('nonfinite')
    (folder / 'poison.py').write_text(POISON)
    for name, rank in (('poisoned', 0), ('poisoned_on_rank_1', 1)):
        (folder / f'{name}.py').write_text(f"""
_base_ = ['{config}']
custom_imports = dict(imports=['mmdpt.registry', 'poison'], allow_failed_imports=False)
custom_hooks = [dict(type='Poison', iteration=3, rank={rank})]
""")
    return folder


@pytest.fixture
def train(folder, monkeypatch, tmp_path):
    """Train in this process; give the work dir."""
    monkeypatch.syspath_prepend(folder)

    def run(*options):
        cfg = load_config(str(folder / 'poisoned.py'), options)
        cfg.experiment_name = tmp_path.name  # MMEngine's log is one for a name
        build_runner(cfg, str(tmp_path)).train()
        return tmp_path

    return run


def weights(path):
    return torch.load(path, weights_only=True)['state_dict']


def test_training_stops_before_the_update_and_names_the_files(train, tmp_path, scenes):
    with pytest.raises(InputError) as error:
        train()
    message = str(error.value)
    assert message.startswith('iteration 3: the loss is not finite. Rank 0: loss nan, decode.loss_')
    assert message.count(f'{scenes}/images/training/scene_') == 2  # the images of the batch
    assert [path.name for path in tmp_path.glob('*.pth')] == ['iter_2.pth']
    saved = torch.load(tmp_path / 'nonfinite' / 'iter_3_rank_0.pth', weights_only=True)
    assert saved['inputs'][0].isnan().all() and saved['inputs'][1].dtype is torch.uint8
    assert saved['data_samples'][0]['img_path'] in message


@pytest.mark.parametrize(
    'option',
    ['optim_wrapper.type=OptimWrapper', 'optim_wrapper.accumulative_counts=2'],
)
def test_training_goes_on_without_the_batch(train, option):
    work_dir = train('default_hooks.nonfinite.skip_up_to=1', option)
    before, after = weights(work_dir / 'iter_2.pth'), weights(work_dir / 'iter_4.pth')
    assert all(torch.isfinite(value).all() for value in after.values())
    tracked = [key for key in after if key.endswith('num_batches_tracked')]
    assert tracked and all(after[key] == before[key] + 1 for key in tracked)
    log = next(work_dir.glob('*/*.log')).read_text()
    assert '1 batches without a finite loss or gradient were left out' in log
    lines = [line for line in log.splitlines() if 'Iter(train)' in line]
    assert len(lines) == 4 and not any('nan' in line for line in lines)


@pytest.mark.distributed
@pytest.mark.parametrize('skip_up_to', [0, 1])
def test_two_processes_stop_or_go_on_together(folder, run_ranks, tmp_path, skip_up_to):
    done = run_ranks(
        *(2, 'train.py', folder / 'poisoned_on_rank_1.py', '--launcher', 'pytorch'),
        *('--work-dir', tmp_path),
        *('--cfg-options', f'default_hooks.nonfinite.skip_up_to={skip_up_to}'),
        before=f'import sys; sys.path.append({str(folder)!r})',
    )
    for rank in done:
        assert rank.returncode == (0 if skip_up_to else 1), done
    said = done[0].stdout if skip_up_to else done[0].stderr
    assert 'iteration 3: the loss is not finite. Rank 1: loss nan' in said
    assert [path.name for path in (tmp_path / 'nonfinite').iterdir()] == ['iter_3_rank_1.pth']
    if skip_up_to:
        final = weights(tmp_path / 'iter_4.pth')
        assert all(torch.isfinite(value).all() for value in final.values())
        assert not math.isnan(float(done[0].stdout.rsplit('loss: ', 1)[1].split()[0]))

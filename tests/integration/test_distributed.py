"""Two processes or accumulated batches compute what one does, and the scripts run."""

import re

import pytest
import tiny
import torch

from mmdpt.config import load_config


@pytest.fixture(scope='module')
def plain_step(config, tmp_path_factory):
    """One step of plain SGD with rate 1 on the first two images, without normalisation layers.

    The weights after it are the initial ones minus the gradient.
    """
    path = tmp_path_factory.mktemp('plain') / 'plain.py'
    path.write_text(f"""
_base_ = ['{config}']
model = dict(decode_head=dict(norm_cfg=None))
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(sampler=dict(shuffle=False), dataset=dict(pipeline=train_pipeline))
optim_wrapper = dict(
    _delete_=True, type='OptimWrapper', optimizer=dict(type='SGD', lr=1.0)
)
param_scheduler = None
train_cfg = dict(max_iters=1, val_interval=100)
default_hooks = dict(checkpoint=dict(interval=1))
""")
    return path


@pytest.fixture(scope='module')
def weights_after(plain_step, run_ranks, tmp_path_factory):
    """Give the weights after one step, which SGD with rate 1 moves by the gradient."""

    def train(*options, ranks=1):
        work_dir = tmp_path_factory.mktemp('step')
        launcher = 'pytorch' if ranks > 1 else 'none'
        done = run_ranks(
            *(ranks, 'train.py', plain_step, '--work-dir', work_dir, '--launcher', launcher),
            *(('--cfg-options', *options) if options else ()),
        )
        assert not any(rank.returncode for rank in done), done
        return torch.load(next(work_dir.glob('*.pth')), weights_only=True)['state_dict']

    return train


@pytest.fixture(scope='module')
def whole_batch(weights_after):
    """The initial weights, and those after a step on two images."""
    return weights_after('optim_wrapper.optimizer.lr=0'), weights_after()


def assert_same_step(found, whole_batch, rtol):
    start, expected = whole_batch
    assert start.keys() == expected.keys() == found.keys()
    for key, value in start.items():
        gradient = value - expected[key]
        assert gradient.abs().max() > 0, f'{key} was not trained'
        torch.testing.assert_close(value - found[key], gradient, rtol=rtol, atol=1e-5)


def test_two_accumulated_images_equal_a_batch_of_two(weights_after, whole_batch):
    found = weights_after(
        *('train_dataloader.batch_size=1', 'optim_wrapper.accumulative_counts=2'),
        *('train_cfg.max_iters=2', 'default_hooks.checkpoint.interval=2'),
    )
    assert_same_step(found, whole_batch, rtol=1e-5)


@pytest.mark.distributed
def test_two_processes_equal_a_batch_of_two(weights_after, whole_batch):
    found = weights_after('train_dataloader.batch_size=1', ranks=2)
    assert_same_step(found, whole_batch, rtol=1e-4)


def test_the_config_for_one_gpu_has_the_recipes_batch_and_length_in_images():
    recipe, own = load_config('dpt_vit-b16_ade20k'), load_config('dpt_vit-b16_ade20k_1gpu')
    images = own.train_dataloader.batch_size * own.optim_wrapper.accumulative_counts
    assert images == recipe.train_dataloader.batch_size * 8 == 16
    lengths = [
        [
            cfg.train_cfg.max_iters,
            cfg.train_cfg.val_interval,
            *(part[key] for part in cfg.param_scheduler for key in ('begin', 'end')),
            cfg.default_hooks.checkpoint.interval,
        ]
        for cfg in (recipe, own)
    ]
    assert lengths[0] == [160000, 16000, 0, 1500, 1500, 160000, 2000]
    assert lengths[1] == [1280000, 128000, 0, 12000, 12000, 1280000, 16000]
    assert own.optim_wrapper.optimizer == recipe.optim_wrapper.optimizer
    assert own.model == recipe.model


@pytest.mark.distributed
def test_two_processes_train_with_normalisation(config, run_ranks, tmp_path):
    """SyncBN becomes BN, nccl gloo, said once; no parameter is left without a gradient."""
    command = ('train.py', config, '--work-dir', tmp_path, '--launcher', 'pytorch')
    done = run_ranks(2, *command, '--cfg-options', 'train_cfg.max_iters=2')
    assert not any(rank.returncode for rank in done), done
    assert (tmp_path / 'iter_2.pth').is_file()
    if not torch.cuda.is_available():
        said = ''.join(rank.stdout for rank in done)
        assert said.count('BN for SyncBN, gloo for nccl') == 1


@pytest.mark.distributed
@pytest.mark.nightly
def test_the_scripts_train_and_evaluate_by_two_processes(trained, config, succeed, tmp_path):
    """With three images, so that the processes have uneven shares; no file goes between them."""
    done = succeed('dist_train.sh', config, 2, '--work-dir', tmp_path / 'trained')
    assert (tmp_path / 'trained' / 'iter_4.pth').is_file()
    folder = tmp_path / 'tested'
    folder.mkdir()
    arguments = (config, trained / 'iter_4.pth', 2, '--work-dir', folder / 'work')
    done = succeed('dist_test.sh', *arguments, cwd=folder)
    expected = (trained / 'console.txt').read_text()
    pattern = r'aAcc: ([\d.]+)  mIoU: ([\d.]+)  mAcc: ([\d.]+)'
    assert re.findall(pattern, done.stdout)[-1] == re.findall(pattern, expected)[-1]
    assert [path.name for path in folder.iterdir()] == ['work']


@pytest.fixture
def recorded(run_tool, tmp_path):
    """The command line that a script gives to Python, and what it tells torchrun by variables."""
    python = tmp_path / 'python'
    python.write_text('#!/bin/sh\necho "$@" "$TORCH_ELASTIC_SHUTDOWN_TIMEOUT"\n')
    python.chmod(0o755)

    def call(script, *arguments, **environment):
        return run_tool(script, *arguments, PYTHON=str(python), **environment).stdout.split()

    return call


@pytest.mark.parametrize('script', ['dist_train.sh', 'dist_test.sh'])
def test_the_second_of_two_machines_meets_at_the_first(recorded, script):
    files = ('CONFIG',) if script == 'dist_train.sh' else ('CONFIG', 'CHECKPOINT')
    several = dict(NNODES='2', NODE_RANK='1', MASTER_ADDR='10.0.0.1', PORT='1234')
    called = ' '.join(recorded(script, *files, 4, '--amp', **several))
    assert called.startswith(
        '-m torch.distributed.run --nnodes 2 --node_rank 1 --master_addr 10.0.0.1 '
        '--master_port 1234 --nproc_per_node 4 '
    )
    config, *checkpoint = files
    tool = script.removeprefix('dist_').replace('.sh', '.py')
    assert f'/{tool} {" ".join([config, "--launcher pytorch", *checkpoint])} --amp' in called


def test_runs_on_one_machine_have_a_port_each_and_time_to_save_a_checkpoint(recorded):
    assert '--standalone' in recorded('dist_train.sh', 'CONFIG', 2)
    own = recorded('dist_train.sh', 'CONFIG', 2, PORT='29501')
    assert own[own.index('--master_port') + 1] == '29501'
    assert recorded('dist_train.sh', 'CONFIG', 2)[-1] == '600'
    own = dict(TORCH_ELASTIC_SHUTDOWN_TIMEOUT='1800')
    assert recorded('dist_train.sh', 'CONFIG', 2, **own)[-1] == '1800'


@pytest.mark.parametrize('script', ['dist_train.sh', 'dist_test.sh', 'slurm_train.sh'])
def test_scripts_without_arguments_say_how_to_use_them(run_tool, script):
    done = run_tool(script)
    assert done.returncode == 2
    assert 'usage:' in done.stderr


@pytest.mark.distributed
def test_two_processes_train_dinov3_jointly(scenes, run_ranks, tmp_path):
    """DDP would stop at the second step if the first left a parameter without gradient."""
    name, args = tiny.TIMM['dinov3']
    backbone = dict(
        _delete_=True,
        type='TimmDPTBackbone',
        model_name=name,
        model_args=args,
        norm_taps=True,
        drop_path_rate=0.1,
    )
    more = f'model["backbone"] = {backbone!r}\ntrain_cfg.update(max_iters=2, val_interval=2)\n'
    config = tiny.write_config(tmp_path, 'joint', scenes, more)
    done = run_ranks(
        *(2, 'train.py', config, '--work-dir', tmp_path / 'work', '--launcher', 'pytorch')
    )
    assert not any(rank.returncode for rank in done), done
    path = next((tmp_path / 'work').glob('iter_2.pth'))
    weights = torch.load(path, weights_only=True)['state_dict']
    assert 'backbone.timm_model.blocks.3.attn.q_bias' in weights
    assert all(value.isfinite().all() for value in weights.values())

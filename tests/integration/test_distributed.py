"""Two processes or accumulated batches compute what one does, and the scripts run."""

import re

import pytest
import tiny
import torch

from mmdpt.config import load_config

ONE_IMAGE = 'train_dataloader.batch_size=1'
STEP = """
optim_wrapper = dict(_delete_=True, type='OptimWrapper', optimizer=dict(type='SGD', lr=1.0))
param_scheduler = None
train_cfg = dict(max_iters=1, val_interval=100)
default_hooks = dict(checkpoint=dict(interval=1))
"""
"""Of plain SGD with rate 1: the weights after it are the initial ones minus the gradient."""


@pytest.fixture(scope='module')
def weights_after(run_ranks, tmp_path_factory):
    """Give the weights after the step of a config."""

    def train(path, *options, ranks=1):
        work_dir = tmp_path_factory.mktemp('step')
        launcher = 'pytorch' if ranks > 1 else 'none'
        done = run_ranks(
            *(ranks, 'train.py', path, '--work-dir', work_dir, '--launcher', launcher),
            *(('--cfg-options', *options) if options else ()),
        )
        assert not any(rank.returncode for rank in done), done
        return tiny.load_weights(next(work_dir.glob('*.pth')))

    return train


@pytest.fixture(scope='module')
def step(config, weights_after, tmp_path_factory):
    """The first two images, without normalisation layers: config, and what it does in one batch."""
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
{STEP}""")
    return path, both_ends(weights_after, path)


def both_ends(weights_after, path):
    """The initial weights, and those after the step in one batch."""
    return weights_after(path, 'optim_wrapper.optimizer.lr=0'), weights_after(path)


def assert_same_step(found, whole_batch, rtol, share=1):
    """Compare with a share of the gradient of the whole batch."""
    start, expected = whole_batch
    assert start.keys() == expected.keys() == found.keys()
    for key, value in start.items():
        gradient = value - expected[key]
        assert gradient.abs().max() > 0, f'{key} was not trained'
        torch.testing.assert_close(value - found[key], share * gradient, rtol=rtol, atol=1e-5)


def test_two_accumulated_images_equal_a_batch_of_two(weights_after, step):
    path, whole_batch = step
    found = weights_after(
        *(path, ONE_IMAGE, 'optim_wrapper.accumulative_counts=2'),
        *('train_cfg.max_iters=2', 'default_hooks.checkpoint.interval=2'),
    )
    assert_same_step(found, whole_batch, rtol=1e-5)


@pytest.mark.distributed
def test_two_processes_equal_a_batch_of_two(weights_after, step):
    path, whole_batch = step
    assert_same_step(weights_after(path, ONE_IMAGE, ranks=2), whole_batch, rtol=1e-4)


@pytest.mark.distributed
def test_process_without_a_kind_of_label_trains_with_one_that_has_it(
    config_of, weights_after, tmp_path
):
    """One process sees labels only, the other depth only; neither waits for the other.

    Each process's task has zero gradients in the other process, and DDP takes the mean: half of
    what one process has that sees both samples.
    """
    path = tmp_path / 'plain.py'
    path.write_text(f"""
_base_ = ['{config_of('joint')}']
model = dict(decode_head=dict(norm_cfg=None), depth_head=dict(norm_cfg=None))
train_dataloader = _base_.train_dataloader
train_dataloader.sampler.shuffle = False
train_dataloader.dataset.datasets = train_dataloader.dataset.datasets[1:]
for part in train_dataloader.dataset.datasets:
    part.indices = part.indices[:1]
    part.pipeline[-3].prob = 0.0
    del part.pipeline[-2]
{STEP}""")
    whole_batch = both_ends(weights_after, path)
    found = weights_after(path, ONE_IMAGE, ranks=2)
    assert_same_step(found, whole_batch, rtol=1e-4, share=0.5)


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
    weights = tiny.load_weights(tmp_path / 'work' / 'iter_2.pth')
    assert 'backbone.timm_model.blocks.3.attn.q_bias' in weights
    assert all(value.isfinite().all() for value in weights.values())

"""Gradients of small batches, accumulated or of two processes, are those of the whole batch."""

import pytest
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

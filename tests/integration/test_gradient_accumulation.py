"""Gradients of several small batches, accumulated, are those of the batch that they make."""

import torch

from mmdpt.config import load_config


def weights(path):
    return torch.load(path, weights_only=True)['state_dict']


def test_two_accumulated_images_equal_a_batch_of_two(plain_step, call_tool, tmp_path):
    """SGD with rate 1 moves the weights by the gradient; the model has no normalisation layers."""
    for name, *options in (
        ('start', 'optim_wrapper.optimizer.lr=0'),
        ('together',),
        (
            *('apart', 'train_dataloader.batch_size=1', 'optim_wrapper.accumulative_counts=2'),
            *('train_cfg.max_iters=2', 'default_hooks.checkpoint.interval=2'),
        ),
    ):
        arguments = (plain_step, '--work-dir', tmp_path / name, '--cfg-options', *options)
        assert call_tool('train.py', *(arguments if options else arguments[:-1])) == 0
    start = weights(tmp_path / 'start' / 'iter_1.pth')
    together = weights(tmp_path / 'together' / 'iter_1.pth')
    apart = weights(tmp_path / 'apart' / 'iter_2.pth')
    assert start.keys() == together.keys() == apart.keys()
    for key, value in start.items():
        gradient = value - together[key]
        assert gradient.abs().max() > 0, f'{key} was not trained'
        torch.testing.assert_close(value - apart[key], gradient, rtol=1e-5, atol=1e-5)


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

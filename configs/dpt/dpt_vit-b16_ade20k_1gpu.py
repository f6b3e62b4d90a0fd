# dpt_vit-b16_ade20k on one GPU: the gradients of 8 x 2 images make its batch of 16. An iteration is
# 2 images here, so that every length is 8 times the recipe's; BN sees 2 images at a time.
_base_ = './dpt_vit-b16_ade20k.py'
optim_wrapper = dict(accumulative_counts=8)
param_scheduler = _base_.param_scheduler
param_scheduler[0].end = 8 * 1500
param_scheduler[1].begin = 8 * 1500
param_scheduler[1].end = 8 * 160000
train_cfg = dict(max_iters=8 * 160000, val_interval=8 * 16000)
default_hooks = dict(checkpoint=dict(interval=8 * 2000))

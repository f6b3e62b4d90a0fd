# As the paper's NYU model (arXiv:2103.13413, section 4.1), from the released MIX6 weights: their
# disparity scaled and shifted to 1/m (isl-org/DPT's numbers; tools/fit_inversion.py finds those of
# other data), Eigen's loss, gradient matching. Ours: gradients of logarithms, which depth and
# disparity share but for their sign; one GPU; the toolbox's 24 epochs of the 795 labelled images.
_base_ = './dpt_hybrid_nyu.py'
max_iters = 1200
model = dict(
    backbone=dict(init_cfg=None),
    decode_head=dict(
        max_depth=None,
        inversion=(0.000305, 0.1378),
        loss_decode=[
            dict(type='SiLogLoss'),
            dict(type='GradientMatchingLoss', loss_weight=0.5, alignment='none', space='log'),
        ],
    ),
)
load_from = 'dpt-hybrid-midas'
train_dataloader = dict(batch_size=16)
param_scheduler = _base_.param_scheduler
param_scheduler[0].end = param_scheduler[1].begin = 50
param_scheduler[1].end = max_iters
train_cfg = dict(max_iters=max_iters, val_interval=200)
default_hooks = dict(checkpoint=dict(interval=400))

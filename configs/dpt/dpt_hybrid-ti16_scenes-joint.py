# Labels and depth of every image; the depth by its logarithm, and edges by theirs.
_base_ = ['./dpt_vit-ti16_scenes-joint.py', '../_base_/models/dpt_hybrid-ti16.py']
max_iters = 1750
model = dict(
    backbone=_base_.hybrid_encoder,
    decode_head=_base_.hybrid_taps,
    depth_head=dict(
        max_depth=None,
        median_depth=5.0,
        loss_decode=[
            dict(type='SiLogLoss', variance_weight=0.0),
            dict(type='GradientMatchingLoss', alignment='none', space='log', loss_weight=0.25),
        ],
        **_base_.hybrid_taps,
    ),
    test_cfg=dict(flip=True),
)
train_dataloader = dict(dataset=dict(_delete_=True, **_base_.every_label))
optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = _base_.param_scheduler
param_scheduler[1].end = max_iters
train_cfg = dict(max_iters=max_iters, val_interval=max_iters // 2)
default_hooks = dict(checkpoint=dict(interval=max_iters))

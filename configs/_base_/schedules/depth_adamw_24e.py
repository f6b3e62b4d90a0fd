# Metric depth as the Monocular Depth Estimation Toolbox fine-tunes DPT on NYU and KITTI
# (configs/dpt/dpt_vit-b16_{nyu,kitti}.py): AdamW 1e-4, a tenth of it for the encoder, 24 epochs of
# about 24,000 images, batch 16. Ours: warm-up and poly, since one cycle has one rate for all.
max_iters = 36000
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-4, betas=(0.9, 0.999), weight_decay=0.01),
    paramwise_cfg=dict(
        norm_decay_mult=0.0,
        custom_keys={
            'backbone': dict(lr_mult=0.1),
            'backbone.pos_embed': dict(lr_mult=0.1, decay_mult=0.0),
            'backbone.cls_token': dict(lr_mult=0.1, decay_mult=0.0),
        },
    ),
    clip_grad=dict(max_norm=35),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-2, by_epoch=False, begin=0, end=1500),
    dict(type='PolyLR', eta_min=0.0, power=0.9, by_epoch=False, begin=1500, end=max_iters),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters // 24)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

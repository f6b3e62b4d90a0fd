# Ours: each block at 0.8 of the learning rate of the next, the head at 1e-4.
_base_ = './dpt_dinov3-b16_nyu.py'
optim_wrapper = dict(
    constructor='mmpretrain.LearningRateDecayOptimWrapperConstructor',
    paramwise_cfg=dict(
        _delete_=True,
        layer_decay_rate=0.8,
        norm_decay_mult=0.0,
        custom_keys=dict(cls_token=dict(decay_mult=0.0), reg_token=dict(decay_mult=0.0)),
    ),
)

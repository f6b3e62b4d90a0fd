# The paper's recipe on MIX6 (arXiv:2103.13413, section 4.1): Adam, 1e-5 for the encoder, 1e-4 for
# the decoder, constant; 60 epochs of 72,000 steps, batch 16.
max_iters = 60 * 72000
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='Adam', lr=1e-4),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))),
)
param_scheduler = []
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=72000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

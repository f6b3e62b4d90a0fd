# The paper's recipe on ADE20K (arXiv:2103.13413, section 4.2): SGD 0.9, learning rate 0.002, poly
# 0.9, batch 48, 240 epochs of 20210 images. Ours where the paper is silent: the weight decay,
# PyTorch-Encoding's default, and one rate for all; in its train_dist.py heads have ten times it.
max_iters = 101050
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='SGD', lr=0.002, momentum=0.9, weight_decay=1e-4)
)
param_scheduler = [dict(type='PolyLR', eta_min=0.0, power=0.9, by_epoch=False, end=max_iters)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=10105)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

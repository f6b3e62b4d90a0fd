# Ours: as scratch.py, for data sets of a few hundred images, seen whole.
_base_ = './scratch.py'
optim_wrapper = dict(optimizer=dict(lr=1.5e-3))
param_scheduler = _base_.param_scheduler
param_scheduler[0].end = 30
param_scheduler[1].begin = 30

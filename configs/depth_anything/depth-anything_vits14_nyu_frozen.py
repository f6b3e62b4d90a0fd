_base_ = './depth-anything_vits14_hypersim.py'
model = dict(backbone=dict(frozen_stages=12))

_base_ = [
    '../_base_/models/dpt_swin2_relative.py',
    '../_base_/datasets/mix6.py',
    '../_base_/schedules/depth_adam_mix6.py',
    '../_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    backbone=dict(model_name='nextvit_large.bd_ssld_6m_in1k_384'),
)

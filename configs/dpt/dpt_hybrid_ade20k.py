_base_ = [
    '../_base_/models/dpt_hybrid_seg.py',
    '../_base_/datasets/ade20k_480.py',
    '../_base_/schedules/seg_sgd_240e.py',
    '../_base_/default_runtime.py',
]
model = dict(data_preprocessor=dict(size=_base_.crop_size))
train_dataloader = dict(batch_size=6)  # x 8 GPUs

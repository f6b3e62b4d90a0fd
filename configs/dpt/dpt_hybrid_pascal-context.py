_base_ = [
    '../_base_/models/dpt_hybrid_seg.py',
    '../_base_/datasets/pascal-context_480.py',
    '../_base_/schedules/seg_adamw_80k.py',
    '../_base_/default_runtime.py',
]
model = dict(data_preprocessor=dict(size=_base_.crop_size), decode_head=dict(num_classes=59))

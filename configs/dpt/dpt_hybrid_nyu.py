_base_ = [
    '../_base_/models/dpt_hybrid_depth.py',
    '../_base_/datasets/nyu-depth.py',
    '../_base_/schedules/depth_adamw_24e.py',
    '../_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    decode_head=dict(max_depth=10.0),
)

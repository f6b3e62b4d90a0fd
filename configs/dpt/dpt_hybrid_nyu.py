_base_ = [
    '../_base_/models/dpt_hybrid_depth.py',
    '../_base_/datasets/nyu-depth.py',
    '../_base_/schedules/depth_adamw_24e.py',
    '../_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    # as isl-org/DPT's NYU checkpoint; from ImageNet weights alone, max_depth=10.0 instead
    decode_head=dict(inversion=(0.000305, 0.1378), clamp=(1e-3, 10.0)),
)

_base_ = [
    '../_base_/models/dpt_vit-l16_depth.py',
    '../_base_/datasets/mix6.py',
    '../_base_/schedules/depth_adam_mix6.py',
    '../_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    decode_head=dict(
        output='relative',
        loss_decode=[
            dict(type='SSITrimmedLoss'),
            dict(type='GradientMatchingLoss', loss_weight=0.5),
        ],
    ),
    test_cfg=dict(resize_mode='bicubic'),  # isl-org/DPT@cd3fe90 run_monodepth.py
)

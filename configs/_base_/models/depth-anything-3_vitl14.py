# Depth Anything 3, large, for one image (arXiv:2511.10647): configs/da3{mono,metric}-large.yaml and
# model/ of ByteDance-Seed/Depth-Anything-3@2c21ea8. Training starts from DINOv2.
_base_ = './depth-anything_vitl14.py'
model = dict(
    backbone=dict(
        norm_cfg=dict(type='LN', eps=1e-5),  # the final norm's
        layer_cfgs=dict(norm_cfg=dict(type='LN', eps=1e-6)),
    ),
    decode_head=dict(median_depth=1.0, sky=True),
    test_cfg=dict(resize_align_corners=False),
)

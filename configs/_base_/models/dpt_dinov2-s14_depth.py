# DINOv2 with DPT's depth head, small (arXiv:2304.07193, section 7.4): taps, widths and head as
# facebookresearch/dinov2@b8931f7, dinov2/hub/depthers.py.
_base_ = './depth-anything_vits14.py'
model = dict(
    backbone=dict(norm_taps=False),
    decode_head=dict(
        readout_type='project',
        channels=256,
        conv_bias=False,
        resized='skip',
        project=True,
        min_depth=1e-3,
        loss_decode=dict(variance_weight=0.85, warmup=100),
    ),
    test_cfg=dict(resize_align_corners=False),
)

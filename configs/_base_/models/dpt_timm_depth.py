# Monocular depth with any encoder of timm; the head as in dpt_vit-b16_depth.py.
_base_ = './dpt_timm.py'
model = dict(
    type='DepthEstimator',
    data_preprocessor=dict(type='DepthDataPreProcessor'),
    decode_head=dict(
        type='DepthDPTHead',
        output='depth',
        channels=256,
        loss_decode=dict(type='SiLogLoss', variance_weight=0.85, reduction='batch', warmup=100),
    ),
    test_cfg=dict(flip=False),  # True: averaged with the mirror image, as tools/test.py --tta
)

# DPT-Base for monocular depth: arXiv:2103.13413, section 4.1; no normalisation in the decoder.
_base_ = './dpt_vit-b16.py'
model = dict(
    type='DepthEstimator',
    data_preprocessor=dict(type='DepthDataPreProcessor'),
    decode_head=dict(
        type='DepthDPTHead',
        output='depth',
        embed_dims=768,
        reassemble_channels=(96, 192, 384, 768),
        readout_type='project',
        channels=256,
        # the Monocular Depth Estimation Toolbox's SigLoss
        loss_decode=dict(type='SiLogLoss', variance_weight=0.85, reduction='batch', warmup=100),
    ),
    test_cfg=dict(flip=False),  # True: averaged with the mirror image, as tools/test.py --tta
)

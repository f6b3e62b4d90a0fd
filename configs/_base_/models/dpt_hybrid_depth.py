# DPT-Hybrid for monocular depth: arXiv:2103.13413, section 4.1; the stem's maps fused as they are.
_base_ = './dpt_hybrid.py'
model = dict(
    type='DepthEstimator',
    data_preprocessor=dict(type='DepthDataPreProcessor'),
    decode_head=dict(
        type='DepthDPTHead',
        output='depth',
        embed_dims=(256, 512, 768, 768),
        reassemble_channels=(None, None, 768, 768),
        reassemble_scales=(1, 1, 1, 0.5),
        patch_size=4,
        readout_type='project',
        channels=256,
        # the Monocular Depth Estimation Toolbox's SigLoss
        loss_decode=dict(type='SiLogLoss', variance_weight=0.85, reduction='batch', warmup=100),
    ),
    test_cfg=dict(
        flip=False,  # True: averaged with the mirror image, as tools/test.py --tta
        resize_mode='bicubic',  # isl-org/DPT@cd3fe90 run_monodepth.py
    ),
)

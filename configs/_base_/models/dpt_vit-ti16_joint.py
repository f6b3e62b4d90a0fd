# Ours: segmentation and depth from one encoder, small enough to train from scratch on a CPU.
_base_ = './dpt_vit-ti16_seg.py'
model = dict(
    type='JointEstimator',
    data_preprocessor=dict(type='DepthDataPreProcessor'),
    depth_head=dict(
        type='DepthDPTHead',
        output='depth',
        embed_dims=192,
        reassemble_channels=(24, 48, 96, 192),
        readout_type='project',
        channels=64,
        # the paper has none for depth; from scratch, in minutes, the decoder needs it
        norm_cfg=dict(type='SyncBN', requires_grad=True),
        loss_decode=dict(type='SiLogLoss', variance_weight=0.0),
    ),
    test_cfg=dict(flip=False),  # True: averaged with the mirror image, as tools/test.py --tta
)

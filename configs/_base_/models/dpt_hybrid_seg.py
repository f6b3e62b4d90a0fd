# DPT-Hybrid for segmentation: arXiv:2103.13413, section 4.2; the stem's maps fused as they are.
_base_ = './dpt_hybrid.py'
norm_cfg = dict(type='SyncBN', requires_grad=True)
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(type='SegDataPreProcessor'),
    decode_head=dict(
        type='DPTHead',
        num_classes=150,
        embed_dims=(256, 512, 768, 768),
        reassemble_channels=(None, None, 768, 768),
        reassemble_scales=(1, 1, 1, 0.5),
        patch_size=4,
        readout_type='project',
        channels=256,
        norm_cfg=norm_cfg,
        dropout_ratio=0.1,
        auxiliary_weight=0.2,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
)

# Segmentation with any encoder of timm; the head as in dpt_vit-b16_seg.py.
_base_ = './dpt_timm.py'
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(type='SegDataPreProcessor'),
    decode_head=dict(
        type='DPTHead',
        num_classes=150,
        channels=256,
        norm_cfg=dict(type='SyncBN', requires_grad=True),
        dropout_ratio=0.1,
        auxiliary_weight=0.2,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
)

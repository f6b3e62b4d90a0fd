# TIPSv2 with DPT's head of classes, base: google-deepmind/tips@4db271d, pytorch/decoders.py, and
# its model in transformers (5.23, models/tipsv2_dpt), which squeezes images to 448 x 448 px. Ours:
# the recipe.
_base_ = [
    '../_base_/models/dpt_tipsv2-b14_depth.py',
    '../_base_/datasets/ade20k_512.py',
    '../_base_/schedules/seg_adamw_160k.py',
    '../_base_/default_runtime.py',
]
crop_size = (448, 448)
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(type='SegDataPreProcessor', size=crop_size),
    decode_head=dict(
        _delete_=True,
        type='DPTHead',
        num_classes=150,
        act_cfg=None,
        align_corners=False,
        dropout_ratio=0.1,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
        **_base_.decoder,
    ),
    test_cfg=dict(_delete_=True, mode='whole', keep_logits=False),
)
train_pipeline = _base_.train_pipeline
train_pipeline[3].crop_size = crop_size
test_pipeline = _base_.test_pipeline
test_pipeline[1] = dict(type='Resize', scale=crop_size, keep_ratio=False)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

# Any encoder of timm: a config names the model, and the encoder gives its head widths, scales and
# readout, and the pixels' mean and deviation.
model = dict(
    data_preprocessor=dict(bgr_to_rgb=True, pad_val=0, seg_pad_val=255),
    backbone=dict(type='TimmDPTBackbone', init_cfg=dict(type='Pretrained', checkpoint='timm://')),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)

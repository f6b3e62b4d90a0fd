# TIPSv2 with DPT's depth head, base: google-deepmind/tips@4db271d, and its model in transformers
# (5.23, models/tipsv2_dpt). The readout is the first of two class tokens. Training starts from the
# encoder of the released depth model.
_base_ = './dpt_vit-b16_depth.py'
decoder = dict(
    embed_dims=768,
    reassemble_channels=(96, 192, 384, 768),
    readout_type='project-tanh',
    patch_size=14,
    channels=256,
    conv_bias=False,
    resized='skip',
)
model = dict(
    data_preprocessor=dict(mean=[0.0, 0.0, 0.0], std=[255.0, 255.0, 255.0]),
    backbone=dict(
        arch='base',
        img_size=448,
        patch_size=14,
        norm_taps=True,
        interpolate_mode='bilinear-antialias',
        num_register_tokens=1,
        layer_scale_init_value=1.0,
        init_cfg=dict(checkpoint='dpt-tipsv2-base-nyu'),
    ),
    decode_head=dict(
        project=True,
        hidden_channels=None,
        bins=dict(low=1e-3, high=10.0, epsilon=1e-3),
        **decoder,
    ),
)

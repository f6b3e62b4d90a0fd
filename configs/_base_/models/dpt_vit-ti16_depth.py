# Ours: a DPT small enough to train from scratch on a CPU.
_base_ = './dpt_vit-b16_depth.py'
model = dict(
    backbone=dict(arch='deit-tiny', init_cfg=None),
    decode_head=dict(
        embed_dims=192,
        reassemble_channels=(24, 48, 96, 192),
        channels=64,
        loss_decode=dict(_delete_=True, type='SiLogLoss'),
    ),
)

# MiDaS 3.1 on BEiT-L: isl-org/MiDaS@4545977, as dpt_beit-b16_relative.py but for these.
_base_ = './dpt_beit-b16_relative.py'
model = dict(
    backbone=dict(model_name='beit_large_patch16_384', out_indices=(5, 11, 17, 23)),
    decode_head=dict(reassemble_channels=(256, 512, 1024, 1024)),
)

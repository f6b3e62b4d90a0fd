_base_ = ['./dpt_vit-ti16_camvid.py', '../_base_/models/dpt_hybrid-ti16.py']
model = dict(backbone=_base_.hybrid_encoder, decode_head=_base_.hybrid_taps)

_base_ = './dpt_dinov3-b16_ade20k.py'
model = dict(backbone=dict(model_name='vit_small_patch16_dinov3_qkvb.lvd1689m'))

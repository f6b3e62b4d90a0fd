_base_ = './dpt_swin2-l_mix6.py'
model = dict(backbone=dict(model_name='swin_large_patch4_window12_384'))

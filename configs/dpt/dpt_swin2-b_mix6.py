_base_ = './dpt_swin2-l_mix6.py'
model = dict(backbone=dict(model_name='swinv2_base_window12to24_192to384'))

# TIPSv2 with DPT's depth head, SO400m: as dpt_tipsv2-b14_depth.py's source.
_base_ = ['./dpt_tipsv2-b14_depth.py', './tipsv2-so14.py']
model = _base_.larger

# TIPSv2 with DPT's depth head, giant: as dpt_tipsv2-b14_depth.py's source.
_base_ = ['./dpt_tipsv2-b14_depth.py', './tipsv2-g14.py']
model = _base_.larger

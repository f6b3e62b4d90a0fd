# dpt_vit-l16_ade20k with weights, gradients and momentum sharded over the GPUs.
_base_ = ['./dpt_vit-l16_ade20k.py', '../_base_/fsdp.py']

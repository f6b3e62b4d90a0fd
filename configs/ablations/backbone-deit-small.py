# A wider encoder (arXiv:2103.13413, section 4.3, compares ViT-B, ViT-L, DeiT and ResNets).
_base_ = '../dpt/dpt_vit-ti16_scenes-depth.py'
model = dict(backbone=dict(arch='deit-small'), decode_head=dict(embed_dims=384))

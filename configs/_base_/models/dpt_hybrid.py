# The ViT-B hybrid encoder of DPT: three stages of a ResNet-50, then 12 blocks on its stride-16 map;
# taps as isl-org/DPT. The paper starts it from timm's vit_base_resnet50_384:
# https://github.com/rwightman/pytorch-image-models/releases/download/v0.1-vitjx/
# jx_vit_base_resnet50_384-9fd3c705.pth, whose layout init_cfg does not read yet.
_base_ = './dpt_vit-b16.py'
model = dict(
    backbone=dict(stem=dict(type='ResNetV2', depths=(3, 4, 9)), out_indices=(8, 11), init_cfg=None),
)

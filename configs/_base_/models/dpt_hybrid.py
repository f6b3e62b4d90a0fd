# The ViT-B hybrid encoder of DPT: three stages of a ResNet-50, then 12 blocks on its stride-16 map;
# taps as isl-org/DPT, initial weights as the paper's (timm's vit_base_resnet50_384).
_base_ = './dpt_vit-b16.py'
model = dict(
    backbone=dict(
        stem=dict(type='ResNetV2', depths=(3, 4, 9)),
        out_indices=(8, 11),
        init_cfg=dict(
            _delete_=True,
            type='Pretrained',
            checkpoint='https://github.com/rwightman/pytorch-image-models/releases/download/'
            'v0.1-vitjx/jx_vit_base_resnet50_384-9fd3c705.pth',
        ),
    ),
)

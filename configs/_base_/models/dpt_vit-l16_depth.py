# DPT-Large for monocular depth: arXiv:2103.13413, reassemble widths and taps as isl-org/DPT.
_base_ = './dpt_vit-b16_depth.py'
model = dict(
    backbone=dict(
        arch='large',
        out_indices=(5, 11, 17, 23),
        init_cfg=dict(
            checkpoint='https://mmassets.onedl.ai/mmclassification/v0/vit/finetune/'
            'vit-large-p16_in21k-pre-3rdparty_ft-64xb64_in1k-384_20210928-b20ba619.pth'
        ),
    ),
    decode_head=dict(embed_dims=1024, reassemble_channels=(256, 512, 1024, 1024)),
)

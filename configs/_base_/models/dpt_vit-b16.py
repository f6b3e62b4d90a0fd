# The ViT-B/16 encoder of DPT with its normalisation and initial weights (mmpretrain's, trained on
# ImageNet-21k and fine-tuned at 384 px); taps as isl-org/DPT.
model = dict(
    data_preprocessor=dict(
        mean=[127.5, 127.5, 127.5],
        std=[127.5, 127.5, 127.5],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255,
    ),
    backbone=dict(
        type='VisionTransformerDPT',
        arch='base',
        img_size=384,
        out_indices=(2, 5, 8, 11),
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://mmassets.onedl.ai/mmclassification/v0/vit/finetune/'
            'vit-base-p16_in21k-pre-3rdparty_ft-64xb64_in1k-384_20210928-98e8652b.pth',
            prefix='backbone.',
        ),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole', keep_logits=False),  # full-size logits take gigabytes
)

# ADE20K, 150 classes, as the paper trains on it: the protocol of zhanghang1989/PyTorch-Encoding
# (encoding/datasets/base.py), which draws the longer side from 0.5 to 2 times 520 px, crops 480 px
# and flips, without other colours. Ours: bilinear resizing, and whole images in tests.
_base_ = './ade20k_512.py'
crop_size = (480, 480)
train_pipeline = _base_.train_pipeline
train_pipeline[2].scale = (520, 520)
train_pipeline[3].update(crop_size=crop_size, cat_max_ratio=1.0)
del train_pipeline[5]  # PhotoMetricDistortion
test_pipeline = _base_.test_pipeline
test_pipeline[1].scale = (520, 520)
# 0.5 to 1.75 times 520 px, where mmseg's factors are of the image's own size
tta_pipeline = _base_.tta_pipeline
tta_pipeline[1].transforms[0] = [
    dict(type='Resize', scale=(side, side), keep_ratio=True)
    for side in (260, 390, 520, 650, 780, 910)
]
# of pictures: isl-org/DPT@cd3fe90 run_segmentation.py
predict_pipeline = [
    dict(type='LoadImageFromFile', to_float32=True),
    dict(type='ResizeDepth', scale=480),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

_base_ = [
    '../_base_/models/dpt_hybrid-ti16_seg.py',
    '../_base_/datasets/camvid.py',
    '../_base_/schedules/scratch.py',
    '../_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    backbone=dict(img_size=_base_.crop_size),
    decode_head=dict(
        num_classes=11,
        # inverse square roots of the classes' shares of the training pixels, mean 1
        loss_decode=dict(
            class_weight=[0.34, 0.29, 1.42, 0.25, 0.66, 0.45, 1.3, 1.33, 0.58, 1.76, 2.61],
            avg_non_ignore=False,
        ),
    ),
)
train_dataloader = dict(batch_size=8, num_workers=2)
val_dataloader = dict(num_workers=2)
test_dataloader = val_dataloader

# As the paper's Pascal Context model (arXiv:2103.13413, section 4.2): its ADE20K model, trained for
# 50 epochs of the 4,998 images with the same settings.
_base_ = './dpt_hybrid_ade20k.py'
max_iters = 5206
model = dict(backbone=dict(init_cfg=None), decode_head=dict(num_classes=59))
load_from = 'dpt-hybrid-ade20k'
pascal = dict(
    _delete_=True,
    type='PascalContextDataset59',
    data_root='data/VOCdevkit/VOC2010',
    data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClassContext'),
)
lists = 'ImageSets/SegmentationContext'
train_dataloader = dict(
    dataset=dict(**pascal, ann_file=f'{lists}/train.txt', pipeline=_base_.train_pipeline)
)
val_dataloader = dict(
    dataset=dict(**pascal, ann_file=f'{lists}/val.txt', pipeline=_base_.test_pipeline)
)
test_dataloader = val_dataloader
param_scheduler = _base_.param_scheduler
param_scheduler[0].end = max_iters
train_cfg = dict(max_iters=max_iters, val_interval=max_iters // 10)

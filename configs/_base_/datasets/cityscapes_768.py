# Cityscapes, 19 classes; 768 px crops, as mmseg trains transformers on it.
_base_ = './segmentation.py'
dataset_type = 'CityscapesDataset'
data_root = 'data/cityscapes'
crop_size = (768, 768)
train_pipeline = _base_.train_pipeline
train_pipeline[2].scale = (2048, 1024)
train_pipeline[3].crop_size = crop_size
test_pipeline = [step for step in _base_.test_pipeline if step.type != 'Resize']
train_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path='leftImg8bit/train', seg_map_path='gtFine/train'),
        pipeline=train_pipeline,
    )
)
val_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path='leftImg8bit/val', seg_map_path='gtFine/val'),
        pipeline=test_pipeline,
    )
)
test_dataloader = val_dataloader

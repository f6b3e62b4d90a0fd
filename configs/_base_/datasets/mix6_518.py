# MIX6's sets at Depth Anything's size: the shorter side to 518 px, both multiples of 14; in
# training 518 px crops and horizontal flip.
_base_ = './mix6.py'
crop_size = (518, 518)
train_pipeline = _base_.train_pipeline
train_pipeline[0].to_float32 = True
train_pipeline[2].update(scale=518, method='lower_bound', multiple=14)
train_pipeline[3].crop_size = crop_size
test_pipeline = _base_.test_pipeline
test_pipeline[2].update(scale=518, method='lower_bound', multiple=14)
train_dataloader = dict(
    dataset=dict(
        datasets=[
            dict(dataset, pipeline=train_pipeline)
            for dataset in _base_.train_dataloader.dataset.datasets
        ]
    )
)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

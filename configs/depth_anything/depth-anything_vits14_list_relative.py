# Ours: as depth-anything_vits14_list_metric, but relative disparity, from the released relative
# model. Depth or disparity in no unit will do: the losses ignore scale and shift.
_base_ = './depth-anything_vits14_list_metric.py'
model = dict(
    decode_head=dict(
        output='relative',
        max_depth=None,
        loss_decode=[
            dict(type='SSITrimmedLoss'),
            dict(type='GradientMatchingLoss', loss_weight=0.5),
        ],
    )
)
load_from = 'depth-anything-v2-small'
train_pipeline = _base_.train_pipeline
train_pipeline[1].update(median_range=None, allow_empty=True)
test_pipeline = _base_.test_pipeline
test_pipeline[1].median_range = None
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(alignment='lstsq')
test_evaluator = val_evaluator

# Rooms and streets rendered by tools/dataset_converters/scenes.py, exact depth to 65.5 m,
# 320 x 240 px, seen whole at half that size.
_base_ = './nyu-depth.py'
data_root = 'data/scenes/nyu'
image_size = (160, 120)
crop_size = (120, 160)
train_pipeline = _base_.train_pipeline
train_pipeline[2:4] = [dict(type='ResizeDepth', scale=image_size, multiple=8)]
del train_pipeline[4]  # seen whole
test_pipeline = _base_.test_pipeline
test_pipeline[0].pop('to_float32')
test_pipeline[2].update(scale=image_size, multiple=8)
train_dataloader = dict(dataset=dict(data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(data_root=data_root, pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(_delete_=True, type='DepthMetric', min_depth=0.1, max_depth=65.0)
test_evaluator = val_evaluator

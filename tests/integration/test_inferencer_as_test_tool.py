"""The inferencer's numbers are those that tools/test.py writes of the same files."""

import numpy as np
import torch
from PIL import Image

from mmdpt.apis import init_model
from mmdpt.inference.inferencer import DPTInferencer

JOINT = """
_base_ = ['{config}']
depth_head = dict(
    type='DepthDPTHead',
    output='depth',
    embed_dims=24,
    reassemble_channels=(4, 8, 12, 16),
    channels=8,
    max_depth=65.0,
    clamp=(0.1, 65.0),
    loss_decode=dict(type='SiLogLoss', variance_weight=0.0),
)
model = dict(
    type='JointEstimator',
    data_preprocessor=dict(type='DepthDataPreProcessor'),
    depth_head=depth_head,
    test_cfg=dict(flip=True),
)
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(64, 48), keep_ratio=True),
    dict(type='LoadAnnotations'),
    dict(type='LoadDepth', allow_empty=True),
    dict(type='PackDepthInputs'),
]
val_dataloader = dict(dataset=dict(with_depth=True, pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = [
    dict(type='IoUMetric', iou_metrics=['mIoU']),
    dict(type='DepthMetric', min_depth=0.1, max_depth=65.0),
]
test_evaluator = val_evaluator
"""


def test_labels_and_depth_equal_those_of_the_test_tool(config, scenes, run_tool, tmp_path):
    """Averaged with the mirror image."""
    joint = tmp_path / 'joint.py'
    joint.write_text(JOINT.format(config=config))
    torch.manual_seed(0)
    checkpoint = tmp_path / 'model.pth'
    model = init_model(str(joint))
    for name, value in model.named_parameters():
        if name.endswith(('predictor.conv3.weight', 'conv_seg.weight')):  # so that pixels differ
            torch.nn.init.normal_(value)
    torch.save(dict(state_dict=model.state_dict(), meta={}), checkpoint)
    done = run_tool(
        *('test.py', joint, checkpoint, '--work-dir', tmp_path / 'work'),
        *('--out', tmp_path / 'out'),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    pictures = scenes / 'images' / 'validation'
    predictions = DPTInferencer(str(joint), str(checkpoint), device='cpu')(pictures)
    assert len(predictions) == 3
    for prediction in predictions:
        depth = np.load(tmp_path / 'out' / f'{prediction.name}.npy')
        np.testing.assert_allclose(prediction.map, depth, rtol=1e-6)
        with Image.open(tmp_path / 'out' / f'{prediction.name}.png') as labels:
            np.testing.assert_array_equal(prediction.labels + 1, np.asarray(labels))  # from 1
        assert np.ptp(prediction.labels) > 0 and np.ptp(prediction.map) > 0

"""Tiny models of every task, as files that a user would name."""

from pathlib import Path

import pytest
import torch

from mmdpt.apis import init_model

REPO = Path(__file__).resolve().parents[2]
ARCH = """
    data_preprocessor=dict(size=(48, 64)),
    backbone=dict(
        arch=dict(
            _delete_=True, embed_dims=24, num_layers=4, num_heads=2, feedforward_channels=48
        ),
        img_size=(48, 64),
        out_indices=(0, 1, 2, 3),
    ),
"""
HEAD = 'embed_dims=24, reassemble_channels=(4, 8, 12, 16), channels=8'
SEGMENTATION = f"""
_base_ = ['{REPO}/configs/dpt/dpt_vit-ti16_scenes.py']
model = dict({ARCH} decode_head=dict({HEAD}))
test_pipeline = _base_.test_pipeline
test_pipeline[1].scale = (64, 48)
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
"""
DEPTH = f"""
_base_ = ['{REPO}/configs/dpt/dpt_vit-ti16_scenes-depth.py']
model = dict({ARCH} decode_head=dict({HEAD}))
test_pipeline = _base_.test_pipeline
test_pipeline[2].scale = (64, 48)
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
"""
JOINT = f"""
_base_ = ['{REPO}/configs/dpt/dpt_vit-ti16_scenes-joint.py']
model = dict({ARCH} decode_head=dict({HEAD}), depth_head=dict({HEAD}))
test_pipeline = _base_.test_pipeline
test_pipeline[1].scale = (64, 48)
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
"""
RELATIVE = f"""{DEPTH}
model.update(test_cfg=dict(resize_mode='bicubic'))
model['decode_head'].update(output='relative', max_depth=None, clamp=(None, None))
"""
DISPARITY = RELATIVE.replace('relative', 'disparity')
SLIDE = 'model.update(test_cfg=dict(mode="slide", crop_size=(32, 32), stride=(16, 16)))\n'
FLIP = 'model.update(test_cfg=dict(flip=True))\n'
CONFIGS = {
    'segmentation': SEGMENTATION,
    'depth': DEPTH,
    'relative': RELATIVE,
    'disparity': DISPARITY,
    'joint': JOINT,
    'segmentation-slide': SEGMENTATION + SLIDE,
    'joint-slide': JOINT + SLIDE,
    'depth-flip': DEPTH + FLIP,
}


@pytest.fixture(scope='session', params=CONFIGS)
def task(request):
    """The name of a task in turn."""
    return request.param


@pytest.fixture(scope='session')
def written(tmp_path_factory):
    """Write a task's config and random weights once; give both paths."""
    folder = tmp_path_factory.mktemp('tiny')

    def write(task):
        config, checkpoint = folder / f'{task}.py', folder / f'{task}.pth'
        if not checkpoint.is_file():
            config.write_text(CONFIGS[task])
            model = randomise(init_model(str(config)))
            meta = dict(dataset_meta=model.dataset_meta)
            torch.save(dict(state_dict=model.state_dict(), meta=meta), checkpoint)
        return str(config), str(checkpoint)

    return write


def randomise(model):
    """Give weights and statistics with which every picture gets several labels and depths."""
    torch.manual_seed(0)
    for name, value in model.state_dict().items():
        if name.endswith('running_var'):
            value.uniform_(0.5, 1.5)
        elif value.is_floating_point():
            value.normal_(std=max(value[0].numel(), 1) ** -0.5 if value.ndim > 1 else 0.2)
    for name, value in model.named_parameters():
        if name.endswith('predictor.conv3.weight'):  # so that the ReLU passes something
            value.data.abs_()
        if name.endswith('conv_seg.weight'):  # so that no class is every pixel's
            value.data -= value.data.mean(dim=1, keepdim=True)
        if name.endswith('conv_seg.bias'):
            value.data.zero_()
    return model

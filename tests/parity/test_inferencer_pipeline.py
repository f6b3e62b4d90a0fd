"""DPTInferencer gives a picture the depth that transformers' pipeline does."""

import re
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from mmengine.dataset import pseudo_collate
from PIL import Image
from transformers import AutoImageProcessor, pipeline

from mmdpt.apis import DPTInferencer, build_model
from mmdpt.checkpoints.layouts.transformers_folder import write_folder
from mmdpt.config import check_config, load_config
from mmdpt.inference.preparation import Preparation

CONFIG = """
_base_ = ['{repo}/configs/dpt/dpt_vit-b16_mix6.py']
model = dict(
    backbone=dict(
        arch=dict(
            _delete_=True, embed_dims=48, num_layers=4, num_heads=3, feedforward_channels=192
        ),
        img_size={side},
        out_indices=(0, 1, 2, 3),
    ),
    decode_head=dict(embed_dims=48, reassemble_channels=(16, 32, 48, 64), channels=32),
    test_cfg=dict(resize_mode='bicubic'),
)
model['backbone'].update({backbone})
model['decode_head'].update({head})
test_pipeline = [
    dict(type='LoadImageFromFile'),
    {resize},
    dict(type='LoadDepth', allow_empty=True),
    dict(type='PackDepthInputs'),
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
"""
STEM = "dict(type='ResNetV2', depths=(1, 2, 2), base_channels=32, standardization='var')"
RESIZE = "dict(type='ResizeAsTransformers', size=96, {})"
DPT = dict(backbone='', head='', resize=RESIZE.format(''))
KINDS = {
    'dpt': DPT,
    'dpt-hybrid': DPT
    | dict(
        backbone=f'stem={STEM}, out_indices=(2, 3)',
        head='embed_dims=(128, 256, 48, 48), reassemble_channels=(None, None, 48, 64), '
        'reassemble_scales=(1, 1, 1, 0.5), patch_size=4',
    ),
    'depth-anything': dict(
        backbone="norm_taps=True, layer_scale_init_value=1.0, interpolate_mode='bicubic'",
        head="readout_type='ignore'",
        resize=RESIZE.format('keep_ratio=True, multiple=16'),
    ),
}


@pytest.fixture
def write(tmp_path):
    """Write a kind's config, weights and transformers folder; give the first two paths."""

    def write(side=96, **settings):
        config, checkpoint = tmp_path / 'config.py', tmp_path / 'model.pth'
        config.write_text(CONFIG.format(repo=tiny.REPO, side=side, **settings))
        model = tiny.randomise(build_model(str(config)))
        tiny.save(model, checkpoint)
        (tmp_path / 'hf').mkdir(exist_ok=True)
        write_folder(model, model.state_dict(), tmp_path / 'hf')
        return str(config), str(checkpoint)

    return write


@pytest.fixture
def picture(tmp_path):
    """A file of 200 x 150 px."""
    pixels = np.random.default_rng(0).integers(256, size=(150, 200, 3), dtype=np.uint8)
    path = tmp_path / 'picture.png'
    Image.fromarray(pixels).save(path)
    return path


def depth_of(model, path):
    return torch.from_numpy(DPTInferencer(*model, device='cpu')(path).map)


def assert_same_depth(model, folder, path):
    """From the file's path to its own pixels, both."""
    ours = depth_of(model, path)
    expected = pipeline('depth-estimation', model=str(folder))(str(path))['predicted_depth']
    with Image.open(path) as image:
        assert ours.shape == expected.shape == image.size[::-1]
    assert 0 < expected.min() < 0.9 * expected.max()  # so that no clamp plays a part
    assert (ours - expected).abs().max() <= 1e-4 * expected.abs().max()


@pytest.mark.parity
@pytest.mark.parametrize('kind', KINDS)
def test_a_picture_s_depth_is_that_of_the_pipeline(tmp_path, write, picture, kind):
    assert_same_depth(write(**KINDS[kind]), tmp_path / 'hf', picture)


@pytest.mark.parity
@pytest.mark.nightly
@pytest.mark.parametrize('kind', KINDS)
def test_photographs_depth_is_that_of_the_pipeline(tmp_path, write, data_root, kind):
    model = write(**KINDS[kind])
    for path in sorted((data_root / 'demo_images').glob('*unsplash.jpg'))[:3]:
        assert_same_depth(model, tmp_path / 'hf', path)


def test_opencv_s_resizing_is_another(write, picture):
    """Otherwise the equality above would say nothing of the preprocessing."""
    ours = depth_of(write(**DPT), picture)
    resize = "dict(type='Resize', scale=(96, 96), interpolation='bicubic')"
    opencv = depth_of(write(**DPT | dict(resize=resize)), picture)
    assert (ours - opencv).abs().max() > 1e-2 * ours.max()


def test_the_page_s_config_sees_a_picture_as_the_exported_processor_does(tmp_path, write, picture):
    """The size in docs/checkpoints.md is that of the model's position embedding."""
    page = Path(tiny.REPO, 'docs', 'checkpoints.md').read_text()
    (block,) = (b for b in re.findall(r'```python\n(.*?)```', page, re.DOTALL) if '_base_' in b)
    config = tmp_path / 'page.py'
    config.write_text(block.replace("'./", f"'{tiny.REPO}/configs/dpt/"))
    cfg = load_config(str(config))
    check_config(cfg)
    assert cfg.model.test_cfg.resize_mode == 'bicubic'
    path, _ = write(**DPT, side=cfg.model.backbone.img_size)
    preprocessor = build_model(path).data_preprocessor
    with Image.open(picture) as image:
        packed = Preparation(cfg)(np.asarray(image), 'picture')
        processor = AutoImageProcessor.from_pretrained(tmp_path / 'hf')
        expected = processor(images=image, return_tensors='pt')['pixel_values']
    seen = preprocessor(pseudo_collate([packed]))['inputs']
    torch.testing.assert_close(seen, expected, rtol=0, atol=1e-5)

"""DPTInferencer gives a picture the depth that transformers' pipeline does."""

import re
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from mmengine.dataset import pseudo_collate
from PIL import Image
from tiny_dpt import ARCH, CHANNELS, DIMS, STAGES, STEM, TAPS, WIDTHS
from transformers import AutoImageProcessor, pipeline

from mmdpt.apis import DPTInferencer, build_model
from mmdpt.checkpoints.layouts.transformers_folder import write_folder
from mmdpt.config import check_config, load_config
from mmdpt.inference.preparation import Preparation

CONFIG = 'dpt_vit-b16_mix6'
RESIZE = dict(type='ResizeAsTransformers', size=96)
DPT = {
    'backbone.arch': dict(_delete_=True, **ARCH),
    'backbone.img_size': 96,
    'backbone.out_indices': TAPS,
    'decode_head.embed_dims': DIMS,
    'decode_head.reassemble_channels': WIDTHS,
    'decode_head.channels': CHANNELS,
    'test_cfg.resize_mode': 'bicubic',
}
HYBRID = {
    'backbone.stem': STEM,
    'backbone.out_indices': TAPS[2:],
    'decode_head.embed_dims': (*STAGES[:2], DIMS, DIMS),
    'decode_head.reassemble_channels': (None, None, *WIDTHS[2:]),
    'decode_head.reassemble_scales': (1, 1, 1, 0.5),
    'decode_head.patch_size': 4,
}
ANYTHING = {
    'backbone.norm_taps': True,
    'backbone.layer_scale_init_value': 1.0,
    'backbone.interpolate_mode': 'bicubic',
    'decode_head.readout_type': 'ignore',
}
KINDS = {
    'dpt': (DPT, RESIZE),
    'dpt-hybrid': (DPT | HYBRID, RESIZE),
    'depth-anything': (DPT | ANYTHING, RESIZE | dict(keep_ratio=True, multiple=16)),
}


@pytest.fixture
def write(tmp_path):
    """Write the transformers folder of our model; give the model's config, weights and options."""

    def write(settings, resize):
        load, load_depth = dict(type='LoadImageFromFile'), dict(type='LoadDepth', allow_empty=True)
        steps = [load, resize, load_depth, dict(type='PackDepthInputs')]
        options = [f'model.{key}={value}' for key, value in settings.items()]
        options.append(f'test_dataloader.dataset.pipeline={steps}')
        model = tiny.randomise(build_model(CONFIG, options))
        tiny.save(model, tmp_path / 'model.pth')
        (tmp_path / 'hf').mkdir(exist_ok=True)
        write_folder(model, model.state_dict(), tmp_path / 'hf')
        return dict(model=CONFIG, checkpoint=str(tmp_path / 'model.pth'), cfg_options=options)

    return write


@pytest.fixture
def picture(tmp_path):
    """A file of 200 x 150 px."""
    pixels = np.random.default_rng(0).integers(256, size=(150, 200, 3), dtype=np.uint8)
    path = tmp_path / 'picture.png'
    Image.fromarray(pixels).save(path)
    return path


def depth_of(model, path):
    return torch.from_numpy(DPTInferencer(**model, device='cpu')(path).map)


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
    assert_same_depth(write(*KINDS[kind]), tmp_path / 'hf', picture)


@pytest.mark.parity
@pytest.mark.nightly
@pytest.mark.parametrize('kind', KINDS)
def test_photographs_depth_is_that_of_the_pipeline(tmp_path, write, data_root, kind):
    model = write(*KINDS[kind])
    for path in sorted((data_root / 'demo_images').glob('*unsplash.jpg'))[:3]:
        assert_same_depth(model, tmp_path / 'hf', path)


def test_opencv_s_resizing_is_another(write, picture):
    """Otherwise the equality above would say nothing of the preprocessing."""
    ours = depth_of(write(DPT, RESIZE), picture)
    resize = dict(type='Resize', scale=(96, 96), interpolation='bicubic')
    assert (ours - depth_of(write(DPT, resize), picture)).abs().max() > 1e-2 * ours.max()


def test_the_page_s_config_sees_a_picture_as_the_exported_processor_does(tmp_path, write, picture):
    """The size in docs/checkpoints.md is that of the model's position embedding."""
    page = Path(tiny.REPO, 'docs', 'checkpoints.md').read_text()
    (block,) = (b for b in re.findall(r'```python\n(.*?)```', page, re.DOTALL) if '_base_' in b)
    config = tmp_path / 'page.py'
    config.write_text(block.replace("'./", f"'{tiny.REPO}/configs/dpt/"))
    cfg = load_config(str(config))
    check_config(cfg)
    assert cfg.model.test_cfg.resize_mode == 'bicubic'
    settings = write(DPT | {'backbone.img_size': cfg.model.backbone.img_size}, RESIZE)
    preprocessor = build_model(CONFIG, settings['cfg_options']).data_preprocessor
    with Image.open(picture) as image:
        packed = Preparation(cfg)(np.asarray(image), 'picture')
        processor = AutoImageProcessor.from_pretrained(tmp_path / 'hf')
        expected = processor(images=image, return_tensors='pt')['pixel_values']
    seen = preprocessor(pseudo_collate([packed]))['inputs']
    torch.testing.assert_close(seen, expected, rtol=0, atol=1e-5)

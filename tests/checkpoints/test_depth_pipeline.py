"""A model exported to transformers gives the same depth through its pipeline."""

import re
from pathlib import Path

import pytest
import torch
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import init_default_scope
from PIL import Image
from transformers import AutoImageProcessor, pipeline

import mmdpt.datasets.transforms.resize_as_transformers  # noqa: F401  registers the step
from mmdpt.checkpoints.layouts.transformers_folder import write_folder
from mmdpt.config import check_config, load_config
from mmdpt.registry import MODELS, TRANSFORMS

REPO = Path(__file__).resolve().parents[2]
PAGE = REPO / 'docs' / 'checkpoints.md'
PYTHON = re.compile(r'```python\n(.*?)```', re.DOTALL)

SIDE, DIMS, STAGES = 96, 48, (128, 256, 512)
IMAGES = (
    'david-kohler-VFRTXGw1VjU-unsplash.jpg',
    'jonathan-borba-CnthDZXCdoY-unsplash.jpg',
    'randy-fath-G1yhU1Ej-9A-unsplash.jpg',
)
STEM = dict(type='ResNetV2', depths=(1, 2, 2), base_channels=32, standardization='var')
KINDS = {  # backbone, head, arguments of ResizeAsTransformers
    'dpt': (dict(), dict(), dict()),
    'dpt-hybrid': (
        dict(stem=STEM, out_indices=(3, 4)),
        dict(
            embed_dims=(*STAGES[:2], DIMS, DIMS),
            reassemble_channels=(None, None, 48, 64),
            reassemble_scales=(1, 1, 1, 0.5),
            patch_size=4,
        ),
        dict(),
    ),
    'depth-anything': (
        dict(norm_taps=True, layer_scale_init_value=1.0, interpolate_mode='bicubic'),
        dict(readout_type='ignore'),
        dict(keep_ratio=True, multiple=16),
    ),
}


def build(random_weights, backbone, head):
    """A whole model whose depth is resized as transformers does it."""
    init_default_scope('mmdpt')
    cfg = dict(
        type='DepthEstimator',
        data_preprocessor=dict(
            type='DepthDataPreProcessor',
            mean=[127.5, 127.5, 127.5],
            std=[127.5, 100.0, 127.5],
            bgr_to_rgb=True,
        ),
        backbone=dict(
            type='VisionTransformerDPT',
            arch=dict(embed_dims=DIMS, num_layers=5, num_heads=3, feedforward_channels=4 * DIMS),
            img_size=SIDE,
            out_indices=(0, 1, 3, 4),
        )
        | backbone,
        decode_head=dict(
            type='DepthDPTHead',
            embed_dims=DIMS,
            reassemble_channels=(16, 32, 48, 64),
            channels=32,
        )
        | head,
        test_cfg=dict(mode='whole', resize_mode='bicubic'),
    )
    model = random_weights(MODELS.build(cfg))
    model.decode_head.predictor.conv3.weight.data.abs_()  # so that the ReLU passes something
    return model


def predict(model, steps, path):
    """Predict the depth of an image file as tools/test.py does, (H, W)."""
    packed = Compose([TRANSFORMS.build(step) for step in steps])(dict(img_path=str(path)))
    with torch.no_grad():
        (sample,) = model.test_step(pseudo_collate([packed]))
    return sample.pred_depth_map.data[0]


@pytest.mark.parity
@pytest.mark.parametrize('kind', KINDS)
def test_the_pipeline_predicts_our_depth_of_a_photograph(tmp_path, data_root, random_weights, kind):
    """From the file to the original size, by a config's own steps."""
    backbone, head, resizing = KINDS[kind]
    model = build(random_weights, backbone, head)
    write_folder(model, model.state_dict(), tmp_path)
    exported = pipeline('depth-estimation', model=str(tmp_path))
    steps = [
        dict(type='LoadImageFromFile'),
        dict(type='ResizeAsTransformers', size=SIDE, **resizing),
        dict(type='PackDepthInputs'),
    ]
    for name in IMAGES:
        photograph = data_root / 'demo_images' / name
        ours = predict(model, steps, photograph)
        expected = exported(str(photograph))['predicted_depth']
        with Image.open(photograph) as image:
            assert ours.shape == expected.shape == image.size[::-1]
        assert 0 < expected.min() < 0.9 * expected.max()  # so that no clamp plays a part
        assert (ours - expected).abs().max() <= 1e-4 * expected.abs().max()


def test_the_page_s_config_sees_a_photograph_as_the_exported_processor_does(
    tmp_path, data_root, random_weights
):
    """Of docs/checkpoints.md; its size is that of the model's position embedding."""
    (block,) = (b for b in PYTHON.findall(PAGE.read_text()) if '_base_' in b)
    config = tmp_path / 'config.py'
    config.write_text(block.replace("'./", f"'{REPO}/configs/dpt/"))
    cfg = load_config(str(config))
    check_config(cfg)
    steps = cfg.test_dataloader.dataset.pipeline
    assert cfg.model.test_cfg.resize_mode == 'bicubic'
    model = build(random_weights, dict(img_size=384), {})
    assert cfg.model.backbone.img_size == 384
    (tmp_path / 'hf').mkdir()
    write_folder(model, model.state_dict(), tmp_path / 'hf')
    processor = AutoImageProcessor.from_pretrained(tmp_path / 'hf')
    photograph = data_root / 'demo_images' / IMAGES[1]
    with Image.open(photograph) as image:
        expected = processor(images=image, return_tensors='pt')['pixel_values']
    (load, resizing, _, pack) = steps
    packed = Compose([TRANSFORMS.build(step) for step in (load, resizing, pack)])(
        dict(img_path=str(photograph))
    )
    seen = model.data_preprocessor(pseudo_collate([packed]))['inputs']
    torch.testing.assert_close(seen, expected, rtol=0, atol=1e-5)


def test_opencv_s_resizing_is_another(data_root, random_weights):
    """Else the equality above would say nothing of the preprocessing."""
    model = build(random_weights, {}, {})
    photograph = data_root / 'demo_images' / IMAGES[0]
    ours, opencv = (
        predict(
            model, [dict(type='LoadImageFromFile'), step, dict(type='PackDepthInputs')], photograph
        )
        for step in (
            dict(type='ResizeAsTransformers', size=SIDE),
            dict(type='Resize', scale=(SIDE, SIDE), interpolation='bicubic'),
        )
    )
    assert (ours - opencv).abs().max() > 1e-2 * ours.max()

"""DPTInferencer gives a photograph the depth that transformers' pipeline does."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from transformers import pipeline

from mmdpt.apis import init_model
from mmdpt.checkpoints.layouts.transformers_folder import write_folder
from mmdpt.inference.inferencer import DPTInferencer

REPO = Path(__file__).resolve().parents[2]
PHOTOGRAPH = 'david-kohler-VFRTXGw1VjU-unsplash.jpg'
CONFIG = """
_base_ = ['{repo}/configs/dpt/dpt_vit-b16_mix6.py']
model = dict(
    backbone=dict(
        arch=dict(
            _delete_=True, embed_dims=48, num_layers=4, num_heads=3, feedforward_channels=192
        ),
        img_size=96,
        out_indices=(0, 1, 2, 3),
        {backbone}
    ),
    decode_head=dict(
        embed_dims=48, reassemble_channels=(16, 32, 48, 64), channels=32, {head}
    ),
    test_cfg=dict(resize_mode='bicubic'),
)
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ResizeAsTransformers', size=96, {resizing}),
    dict(type='LoadDepth', allow_empty=True),
    dict(type='PackDepthInputs'),
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
"""
KINDS = {
    'dpt': dict(backbone='', head='', resizing=''),
    'depth-anything': dict(
        backbone="norm_taps=True, layer_scale_init_value=1.0, interpolate_mode='bicubic'",
        head="readout_type='ignore'",
        resizing='keep_ratio=True, multiple=16',
    ),
}


@pytest.mark.parity
@pytest.mark.parametrize('kind', KINDS)
def test_a_photograph_s_depth_is_that_of_the_pipeline(tmp_path, data_root, kind):
    """From the file's path to its own pixels, both."""
    config, checkpoint = tmp_path / 'config.py', tmp_path / 'model.pth'
    config.write_text(CONFIG.format(repo=REPO, **KINDS[kind]))
    model = init_model(str(config))
    torch.manual_seed(0)
    for name, parameter in model.named_parameters():
        torch.nn.init.normal_(parameter, std=0.1)
        if name.endswith('predictor.conv3.weight'):  # so that the ReLU passes something
            parameter.data.abs_()
    torch.save(dict(state_dict=model.state_dict(), meta={}), checkpoint)
    (tmp_path / 'hf').mkdir()
    write_folder(model, model.state_dict(), tmp_path / 'hf')

    photograph = data_root / 'demo_images' / PHOTOGRAPH
    ours = torch.from_numpy(
        DPTInferencer(str(config), str(checkpoint), device='cpu')(photograph).map
    )
    expected = pipeline('depth-estimation', model=str(tmp_path / 'hf'))(str(photograph))
    expected = expected['predicted_depth']
    with Image.open(photograph) as image:
        assert ours.shape == expected.shape == image.size[::-1]
    assert 0 < expected.min() < 0.9 * expected.max()
    assert (ours - expected).abs().max() <= 1e-4 * expected.abs().max()

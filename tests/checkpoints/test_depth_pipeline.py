"""A model exported to transformers gives the same depth through its pipeline."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import init_default_scope
from PIL import Image
from torchvision.transforms.v2.functional import InterpolationMode, pil_to_tensor, resize
from transformers import pipeline

from mmdpt.checkpoints.transformers_folder import write_folder
from mmdpt.registry import MODELS

SIDE = 96


def build(state):
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
            arch=dict(embed_dims=48, num_layers=5, num_heads=3, feedforward_channels=192),
            img_size=SIDE,
            out_indices=(0, 1, 3, 4),
        ),
        decode_head=dict(
            type='DepthDPTHead',
            embed_dims=48,
            reassemble_channels=(16, 32, 48, 64),
            channels=32,
        ),
        test_cfg=dict(mode='whole'),
    )
    model = MODELS.build(cfg)
    model.load_state_dict(state, strict=False)
    return model.eval()


@pytest.mark.parity
def test_the_pipeline_predicts_our_depth_of_a_photograph(tmp_path, data_root, build_model):
    """The processor squeezes the picture to a square and brings the depth back bicubically."""
    state = build_model('depth').state_dict()
    state['decode_head.predictor.conv3.weight'].abs_()  # so that the ReLU passes something
    model = build(state)
    write_folder(model, state, tmp_path)
    photograph = min((data_root / 'demo_images').glob('*.jpg'))
    with Image.open(photograph) as image:
        pixels = pil_to_tensor(image.convert('RGB'))
    predicted = pipeline('depth-estimation', model=str(tmp_path))(str(photograph))

    square = resize(pixels, [SIDE, SIDE], interpolation=InterpolationMode.BICUBIC, antialias=True)
    bgr = square.flip(0)  # as mmcv reads files
    with torch.no_grad():
        inputs = model.data_preprocessor(dict(inputs=[bgr]), training=False)['inputs']
        depth = model.predict(inputs)[0].pred_depth_map.data
    ours = F.interpolate(depth[None], pixels.shape[1:], mode='bicubic', align_corners=False)[0, 0]
    expected = predicted['predicted_depth']
    assert ours.shape == expected.shape and expected.min() < 0.9 * expected.max()
    assert (ours - expected).abs().max() <= 1e-4 * expected.abs().max()

"""Depth equals that of transformers' Depth Anything with the same weights, relative and metric."""

import pytest
import torch
from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

from mmdpt.models.backbones.vision_transformer_dpt import VisionTransformerDPT
from mmdpt.models.decode_heads.depth_dpt_head import DepthDPTHead

pytestmark = pytest.mark.parity
DIMS, PATCH, SIDE, CHANNELS = 48, 14, 70, 16
WIDTHS = (8, 16, 32, 48)
OUT_INDICES = (0, 1, 3, 4)
OUTPUTS = {  # ours; theirs
    'relative': (dict(output='relative'), dict(depth_estimation_type='relative')),
    'indoor': (
        dict(output='depth', max_depth=20.0),
        dict(depth_estimation_type='metric', max_depth=20),
    ),
    'outdoor': (
        dict(output='depth', max_depth=80.0),
        dict(depth_estimation_type='metric', max_depth=80),
    ),
}
SIZES = [(70, 70), (126, 126), (70, 112), (154, 56)]


def reference(**kwargs):
    torch.manual_seed(0)
    backbone = Dinov2Config(
        hidden_size=DIMS,
        num_hidden_layers=5,
        num_attention_heads=3,
        image_size=SIDE,
        patch_size=PATCH,
        out_indices=[index + 1 for index in OUT_INDICES],
        reshape_hidden_states=False,
    )
    config = DepthAnythingConfig(
        backbone_config=backbone,
        patch_size=PATCH,
        reassemble_hidden_size=DIMS,
        neck_hidden_sizes=list(WIDTHS),
        fusion_hidden_size=CHANNELS,
        **kwargs,
    )
    model = DepthAnythingForDepthEstimation(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    model.head.conv3.weight.data.abs_().mul_(10)  # positive before the ReLU, and varied
    return model


def build(**kwargs):
    arch = dict(embed_dims=DIMS, num_layers=5, num_heads=3, feedforward_channels=4 * DIMS)
    backbone = VisionTransformerDPT(
        arch,
        img_size=SIDE,
        patch_size=PATCH,
        out_indices=OUT_INDICES,
        norm_taps=True,
        interpolate_mode='bicubic',
        layer_scale_init_value=1.0,
    )
    head = DepthDPTHead(
        embed_dims=DIMS,
        reassemble_channels=WIDTHS,
        readout_type='ignore',
        patch_size=PATCH,
        channels=CHANNELS,
        **kwargs,
    )
    return torch.nn.ModuleDict(dict(backbone=backbone, head=head)).eval()


@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize('kind', OUTPUTS)
def test_depth_equals_transformers(from_transformers, kind, size):
    """Grids of 5 x 5, 9 x 9, 5 x 8 and 11 x 4 patches: odd sides halve to the larger half."""
    settings, their_settings = OUTPUTS[kind]
    theirs, ours = reference(**their_settings), build(**settings)
    ours.load_state_dict(from_transformers(theirs.state_dict(), 'depth'))
    image = torch.randn(2, 3, *size)
    with torch.no_grad():
        expected = theirs(image).predicted_depth
        depth = ours['head'](ours['backbone'](image))
    assert depth.shape == (2, 1, *size) and expected.min() < 0.9 * expected.max()
    assert (depth[:, 0] - expected).abs().max() / expected.abs().max() <= 1e-5


@pytest.mark.parametrize('size', [(83, 61), (13, 29)])
def test_image_off_the_patch_is_padded_and_cropped_back(size):
    model = build().eval()
    height, width = size
    image = torch.randn(1, 3, height, width)
    padded = torch.nn.functional.pad(image, (0, -width % PATCH, 0, -height % PATCH))
    with torch.no_grad():
        meta = dict(img_shape=(height, width))
        depth = model['head'].predict(model['backbone'](image), [meta], None)
        expected = model['head'](model['backbone'](padded))[..., :height, :width]
    torch.testing.assert_close(depth, expected)

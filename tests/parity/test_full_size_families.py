"""Releases' own configs, at their size, equal transformers' models of the published sizes."""

import pytest
import torch
import torch.nn.functional as F
from transformers import (
    BeitConfig,
    CHMv2Config,
    CHMv2ForDepthEstimation,
    Dinov2Config,
    DINOv3ViTConfig,
    DPTConfig,
    DPTForDepthEstimation,
    Swinv2Config,
    Tipsv2DptConfig,
    Tipsv2DptForDepthEstimation,
)
from transformers.models.tipsv2.configuration_tipsv2 import Tipsv2VisionConfig

from mmdpt.checkpoints import to_ours
from mmdpt.inference.model import build_model

pytestmark = [pytest.mark.parity, pytest.mark.nightly]


def with_even_scale(model):
    """Draw weights that keep the scale from layer to layer."""
    random = torch.Generator().manual_seed(0)
    for name, parameter in model.named_parameters():
        bound = (3 / parameter[0].numel()) ** 0.5 if parameter.ndim in (2, 4) else 0.5
        torch.nn.init.uniform_(parameter, -bound, bound, generator=random)
        if parameter.ndim == 1 and name.endswith('weight'):
            parameter.data += 1
        if name == 'head.head.4.weight':
            parameter.data.abs_()  # positive before the ReLU
    return model


RELEASED = {  # of a family its smallest: options for transformers' numbers, and its config
    'dpt-dinov2-small-nyu': (
        ['model.backbone.interpolate_mode=bicubic', 'model.decode_head.min_depth=None'],
        lambda: DPTForDepthEstimation(
            DPTConfig(
                backbone_config=Dinov2Config(
                    hidden_size=384,
                    num_attention_heads=6,
                    image_size=518,
                    patch_size=14,
                    out_indices=[3, 6, 9, 12],
                    apply_layernorm=False,
                    reshape_hidden_states=False,
                ),
                neck_hidden_sizes=[48, 96, 192, 384],
                add_projection=True,
                use_bias_in_fusion_residual=False,
                is_hybrid=False,
            )
        ),
        [(518, 518), (392, 518)],
    ),
    'midas-beit-base-384': (
        ['model.decode_head.resized=skip'],
        lambda: DPTForDepthEstimation(
            DPTConfig(
                backbone_config=BeitConfig(
                    image_size=384,
                    out_indices=[3, 6, 9, 12],
                    layer_norm_eps=1e-6,
                    layer_scale_init_value=0.1,
                    use_absolute_position_embeddings=False,
                    use_mask_token=False,
                    use_relative_position_bias=True,
                    reshape_hidden_states=False,
                ),
                neck_hidden_sizes=[96, 192, 384, 768],
                is_hybrid=False,
            )
        ),
        [(384, 384), (272, 400)],
    ),
    'midas-swin2-tiny-256': (
        [],
        lambda: DPTForDepthEstimation(
            DPTConfig(
                backbone_config=Swinv2Config(
                    image_size=256,
                    window_size=16,
                    out_features=['stage1', 'stage2', 'stage3', 'stage4'],
                ),
                neck_hidden_sizes=[96, 192, 384, 768],
                is_hybrid=False,
            )
        ),
        [(256, 256)],
    ),
    'dpt-tipsv2-base-nyu': (
        [],
        lambda: Tipsv2DptForDepthEstimation(
            Tipsv2DptConfig(
                backbone_config=Tipsv2VisionConfig(
                    hidden_size=768,
                    num_hidden_layers=12,
                    num_attention_heads=12,
                    image_size=448,
                    patch_size=14,
                    out_indices=[3, 6, 9, 12],
                    apply_layernorm=True,
                    reshape_hidden_states=False,
                )
            )
        ),
        [(448, 448), (350, 518)],
    ),
    'chmv2-large': (
        [],
        lambda: CHMv2ForDepthEstimation(
            CHMv2Config(
                backbone_config=DINOv3ViTConfig(
                    hidden_size=1024,
                    num_hidden_layers=24,
                    num_attention_heads=16,
                    intermediate_size=4096,
                    num_register_tokens=4,
                    key_bias=False,
                    out_indices=[6, 12, 18, 24],
                    apply_layernorm=True,
                    reshape_hidden_states=True,
                    return_class_token=True,
                )
            )
        ),
        [(416, 416), (272, 400)],
    ),
}


@pytest.mark.parametrize('name', RELEASED)
@torch.no_grad()
def test_a_released_config_equals_transformers(name):
    """Square and not, with an odd number of patches a side."""
    options, build, sizes = RELEASED[name]
    theirs = with_even_scale(build().eval())
    ours = build_model(name, options)
    ours.load_state_dict(to_ours(theirs.state_dict())[0])
    ours.eval()
    for size in sizes:
        image = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(1)) * 2 - 1
        expected = F.interpolate(theirs(image).predicted_depth[:, None], size, mode='bilinear')
        depth = ours.decode_head(ours.backbone(image))
        error = ((depth - expected).abs().max() / expected.max()).item()
        print(f'{name} {size}: {error:.1e}')
        assert expected.std() > 1e-3 * expected.max() > 0 and error <= 1e-4

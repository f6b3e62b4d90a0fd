"""DPT-Large and DPT-Hybrid at the size of the released checkpoints equal transformers'."""

import pytest
import torch
from mmengine.registry import init_default_scope
from transformers import BitConfig, DPTConfig, DPTForDepthEstimation

from mmdpt.config import load_config
from mmdpt.registry import MODELS

pytestmark = [pytest.mark.parity, pytest.mark.nightly]

SIZES = [(384, 384), (384, 512)]
LARGE = dict(
    hidden_size=1024,
    num_hidden_layers=24,
    num_attention_heads=16,
    intermediate_size=4096,
    backbone_out_indices=[5, 11, 17, 23],
    neck_hidden_sizes=[256, 512, 1024, 1024],
)
HYBRID = dict(
    is_hybrid=True,
    backbone_config=BitConfig(
        depths=[3, 4, 9],
        hidden_sizes=[256, 512, 1024],
        layer_type='bottleneck',
        global_padding='same',
        embedding_dynamic_padding=True,
        out_features=['stage1', 'stage2', 'stage3'],
    ),
    backbone_featmap_shape=[1, 1024, 24, 24],
    backbone_out_indices=[0, 1, 8, 11],
    neck_hidden_sizes=[256, 512, 768, 768],
    reassemble_factors=[1, 1, 1, 0.5],
)


def reference(settings):
    """Build transformers' model with random weights that keep the scale from layer to layer."""
    with torch.device('meta'):
        model = DPTForDepthEstimation(DPTConfig(layer_norm_eps=1e-6, **settings))
    model = model.to_empty(device='cpu').eval()
    random = torch.Generator().manual_seed(0)
    for name, parameter in model.named_parameters():
        bound = (3 / parameter[0].numel()) ** 0.5 if parameter.ndim in (2, 4) else 0.5
        torch.nn.init.uniform_(parameter, -bound, bound, generator=random)
        if parameter.ndim == 1 and name.endswith('weight'):
            parameter.data += 1
    assert not list(model.buffers())
    model.head.head[4].weight.data.abs_()  # positive before the ReLU
    return model


def ours_with(config, state_dict):
    """Build a config's model around these very tensors."""
    cfg = load_config(config)
    init_default_scope(cfg.default_scope)
    cfg.model.backbone.init_cfg = None
    if 'stem' in cfg.model.backbone:
        cfg.model.backbone.stem.standardization = 'var'
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
    model.load_state_dict(state_dict, assign=True)
    return model.eval()


@pytest.mark.parametrize(
    ('config', 'settings'),
    [('dpt_vit-l16_mix6', LARGE), ('dpt_hybrid_mix6', HYBRID)],
    ids=['large', 'hybrid'],
)
def test_depth_equals_transformers(from_transformers, maps_of, config, settings):
    theirs = reference(settings)
    converted = from_transformers(theirs.state_dict(), 'depth')
    ours = ours_with(
        config, {key.replace('head.', 'decode_head.', 1): v for key, v in converted.items()}
    )
    for size in SIZES:
        image = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(1)) * 2 - 1
        with torch.no_grad():
            square = size[0] == size[1]  # as its own forward takes an image to be
            expected = (
                theirs(image).predicted_depth if square else theirs.head(maps_of(theirs, image)[1])
            )
            depth = ours.decode_head(ours.backbone(image))[:, 0]
        assert depth.shape == expected.shape == (1, *size)
        spread = expected.max() - expected.min()
        assert spread > 0.5 * expected.mean() > 0
        assert (depth - expected).abs().max() <= 1e-4 * spread

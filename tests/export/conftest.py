"""Tiny models of each kind, with weights under which every part of the output counts."""

from pathlib import Path

import pytest
import torch

from mmdpt.inference.model import build_model

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
ARCH = dict(_delete_=True, embed_dims=24, num_layers=4, num_heads=2, feedforward_channels=48)
TAPS = (0, 1, 2, 3)
HEAD = dict(embed_dims=24, reassemble_channels=(4, 8, 12, 16), channels=8)
STEM_HEAD = dict(reassemble_channels=(None, None, 12, 16), channels=8)
DINOV2 = dict(arch=ARCH, img_size=70, out_indices=TAPS)
MODELS = {
    'vit': (
        'dpt/dpt_vit-b16_ade20k.py',
        dict(
            backbone=dict(arch=ARCH, img_size=64, out_indices=TAPS),
            decode_head=dict(HEAD, num_classes=150),
        ),
    ),
    'relative': (
        'dpt/dpt_vit-b16_mix6.py',
        dict(backbone=dict(arch=ARCH, img_size=64, out_indices=TAPS), decode_head=HEAD),
    ),
    'hybrid': (
        'dpt/dpt_hybrid_nyu.py',
        dict(
            backbone=dict(
                stem=dict(depths=(1, 1, 1), base_channels=32),
                arch=ARCH,
                img_size=64,
                out_indices=(2, 3),
            ),
            decode_head=dict(
                STEM_HEAD, embed_dims=(128, 256, 24, 24), inversion=(0.3, 0.1378), clamp=(0.1, 10)
            ),
        ),
    ),
    'small-hybrid': (
        'dpt/dpt_hybrid-ti16_scenes-depth.py',  # averaged with its mirror image
        dict(
            backbone=dict(
                stem=dict(base_channels=8, stem_channels=8),
                arch=ARCH,
                img_size=64,
                out_indices=(2, 3),
            ),
            decode_head=dict(STEM_HEAD, embed_dims=(8, 16, 24, 24)),
        ),
    ),
    'depth-anything': (
        'depth_anything/depth-anything_vits14_relative.py',
        dict(backbone=DINOV2, decode_head=HEAD),
    ),
    'registers': (
        'depth_anything/depth-anything_vits14_hypersim.py',
        dict(
            backbone=dict(DINOV2, num_register_tokens=4, interpolate_mode='bicubic-antialias'),
            decode_head=HEAD,
        ),
    ),
    'joint': (
        'dpt/dpt_vit-ti16_scenes-joint.py',
        dict(
            backbone=dict(arch=ARCH, img_size=64, out_indices=TAPS),
            decode_head=HEAD,
            depth_head=HEAD,
        ),
    ),
}


@pytest.fixture(scope='session')
def write_config(tmp_path_factory):
    """Write the config of a tiny model, give its path."""

    def write(kind):
        base, changes = MODELS[kind]
        path = tmp_path_factory.mktemp('configs') / f'{kind}.py'
        path.write_text(f"_base_ = '{CONFIGS / base}'\nmodel = {changes!r}\n")
        return path

    return write


@pytest.fixture(scope='session')
def build_tiny(write_config):
    """Build a tiny model whose position, readout and residual branches are not near zero."""

    def build(kind):
        torch.manual_seed(0)
        model = build_model(str(write_config(kind))).eval()
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if name.endswith(('pos_embed', 'cls_token', 'register_tokens')):
                    parameter.normal_(std=0.5)
                elif name.endswith(('gamma1.weight', 'gamma2.weight')):
                    parameter.fill_(1)
                elif name.endswith('predictor.conv3.bias'):
                    parameter.fill_(0.5)  # relu(x) > 0 somewhere
        return model

    return build

"""Tiny models of each kind, with weights under which every part of the output counts."""

import shutil
from contextlib import contextmanager

import pytest
import tiny
import torch

from mmdpt.export import onnx_file
from mmdpt.inference.model import build_model

VIT = dict(arch=tiny.ARCH, img_size=64, out_indices=tiny.TAPS)
HYBRID = dict(VIT, out_indices=(2, 3))
DINOV2 = dict(VIT, img_size=70)
TIMM = {kind: dict(model_name=name, model_args=args) for kind, (name, args) in tiny.TIMM.items()}
STEM_HEAD = dict(reassemble_channels=(None, None, 12, 16), channels=8)
MODELS = {  # base config, changes of the backbone and of the head
    'vit': ('dpt/dpt_vit-b16_ade20k', VIT, dict(tiny.HEAD, num_classes=150)),
    'relative': ('dpt/dpt_vit-b16_mix6', VIT, tiny.HEAD),
    'hybrid': (
        'dpt/dpt_hybrid_nyu',
        dict(HYBRID, stem=dict(depths=(1, 1, 1), base_channels=32)),
        dict(
            STEM_HEAD,
            embed_dims=(128, 256, 24, 24),
            max_depth=None,
            inversion=(0.3, 0.1378),
            clamp=(0.1, 10),
        ),
    ),
    'small-hybrid': (  # averaged with its mirror image
        'dpt/dpt_hybrid-ti16_scenes-depth',
        dict(HYBRID, stem=dict(base_channels=8, stem_channels=8)),
        dict(STEM_HEAD, embed_dims=(8, 16, 24, 24), max_depth=None, median_depth=5.0),
    ),
    'depth-anything': ('depth_anything/depth-anything_vits14_relative', DINOV2, tiny.HEAD),
    'registers': (
        'depth_anything/depth-anything_vits14_hypersim',
        dict(DINOV2, num_register_tokens=4, interpolate_mode='bicubic-antialias'),
        tiny.HEAD,
    ),
    'dinov3': ('dinov3/dpt_dinov3-b16_nyu', TIMM['dinov3'], dict(channels=8)),
    'beit': (
        'dpt/dpt_beit-b16_mix6',
        dict(TIMM['beit'], out_indices=tiny.TAPS),
        dict(channels=8, reassemble_channels=(4, 8, 12, 16)),
    ),
    'swinv2': ('dpt/dpt_swin2-t_mix6', TIMM['swinv2'], dict(channels=8)),
    'convnext': ('dpt/dpt_convnext-b_ade20k', TIMM['convnext'], dict(channels=8)),
    'normals': ('dpt/dpt_tipsv2-b14_nyu-normals', DINOV2, tiny.HEAD),
    'joint': ('dpt/dpt_vit-ti16_scenes-joint', VIT, tiny.HEAD),
}


@pytest.fixture(scope='session')
def write_config(tmp_path_factory):
    """Write the config of a tiny model, give its path."""

    def write(kind):
        base, backbone, head = MODELS[kind]
        model = dict(backbone=backbone, decode_head=head)
        if kind == 'joint':
            model['depth_head'] = head
        path = tmp_path_factory.mktemp('configs') / f'{kind}.py'
        path.write_text(f"_base_ = '{tiny.REPO}/configs/{base}.py'\nmodel = {model!r}\n")
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


@pytest.fixture(scope='session')
def copying():
    """Within a block, copy an ONNX file in place of exporting one."""

    @contextmanager
    def instead(path):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(onnx_file, 'write', lambda *given: shutil.copy(path, given[2]))
            yield

    return instead

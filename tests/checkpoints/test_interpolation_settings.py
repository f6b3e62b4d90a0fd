"""The settings of a report: modes of the position embedding by numbers, and options that paste.

The modes are compared away from the pretraining size, where every mode is another.
"""

import re
import shlex
from types import SimpleNamespace

import pytest
import torch
from mmseg.models.backbones import VisionTransformer as MMSegVisionTransformer
from timm.layers import resample_abs_pos_embed
from transformers import Dinov2Config, Dinov2WithRegistersConfig
from transformers.models.dinov2.modeling_dinov2 import Dinov2Embeddings
from transformers.models.dinov2_with_registers.modeling_dinov2_with_registers import (
    Dinov2WithRegistersEmbeddings,
)
from transformers.models.dpt.modeling_dpt import DPTViTEmbeddings, DPTViTHybridEmbeddings

from mmdpt.apis import build_model
from mmdpt.checkpoints.detect import LAYOUTS
from mmdpt.checkpoints.layouts import depth_anything, dinov2, mmseg, smp, timm, transformers
from mmdpt.models.backbones.vit_blocks import INTERPOLATIONS, resize_position_embedding

SIDE, PATCH, DIMS = 6, 14, 24
CONFIG = dict(hidden_size=DIMS, image_size=SIDE * PATCH, patch_size=PATCH)
NAMED = re.compile(r'interpolate_mode=([\w-]+)')
WITH_REGISTERS = re.compile(r"'([\w-]+)' with registers")
AS_TIMM = re.compile(r"; '([\w-]+)' with registers, and as timm")


def of_dpt(embeddings):
    return lambda embedding, grid: embeddings._resize_pos_embed(SimpleNamespace(), embedding, *grid)


def of_dinov2(embeddings):
    def resize(embedding, grid):
        embeddings.position_embeddings.data = embedding
        tokens = embedding.new_zeros(1, 1 + grid[0] * grid[1], DIMS)
        return embeddings.interpolate_pos_encoding(tokens, *(PATCH * side for side in grid))

    return resize


def of_timm(embedding, grid):
    return resample_abs_pos_embed(embedding, list(grid))


def of_mmseg(embedding, grid):
    """By its ViT's default."""
    mode = MMSegVisionTransformer(img_size=32, embed_dims=DIMS, num_layers=1).interpolate_mode
    return MMSegVisionTransformer.resize_pos_embed(embedding, grid, (SIDE, SIDE), mode)


DINOV2 = of_dinov2(Dinov2Embeddings(Dinov2Config(**CONFIG)))
REGISTERS = of_dinov2(Dinov2WithRegistersEmbeddings(Dinov2WithRegistersConfig(**CONFIG)))


def of_source(layouts, source):
    (layout,) = (layout for layout in layouts if layout.source == source)
    return layout.settings


REFERENCES = {
    'DPT ViT': (of_dpt(DPTViTEmbeddings), transformers.LAYOUTS[-1].settings, NAMED),
    'DPT hybrid': (of_dpt(DPTViTHybridEmbeddings), transformers.LAYOUTS[0].settings, NAMED),
    'Depth Anything': (DINOV2, of_source(depth_anything.LAYOUTS, 'huggingface'), NAMED),
    'DINOv2': (DINOV2, of_source(dinov2.LAYOUTS, 'huggingface'), NAMED),
    'registers': (REGISTERS, of_source(dinov2.LAYOUTS, 'huggingface'), WITH_REGISTERS),
    'timm': (of_timm, timm.LAYOUTS[0].settings, NAMED),
    'timm DINOv2': (of_timm, of_source(dinov2.LAYOUTS, 'timm'), AS_TIMM),
    'SMP': (of_timm, smp.LAYOUTS[0].settings, NAMED),
    'mmseg': (of_mmseg, mmseg.LAYOUTS[0].settings, NAMED),
}


@pytest.mark.parity
@pytest.mark.parametrize('grid', [(4, 9), (3, 4), (10, 13)])
@pytest.mark.parametrize('name', REFERENCES)
@torch.no_grad()
def test_the_mode_that_is_named_is_the_reference_s_and_no_other(name, grid):
    reference, settings, pattern = REFERENCES[name]
    named = pattern.search(settings)[1]
    embedding = torch.randn(1, 1 + SIDE * SIDE, DIMS, generator=torch.Generator().manual_seed(0))
    expected = reference(embedding, grid)
    for mode in INTERPOLATIONS:
        ours = resize_position_embedding(embedding, (SIDE, SIDE), grid, mode)
        error = (ours - expected).abs().max() / expected.abs().max()
        grows = min(grid) >= SIDE  # where antialiasing leaves bilinear values as they are
        same = mode == named or (grows and mode == f'{named}-antialias' and named == 'bilinear')
        assert (error <= 1e-6) if same else (error > 1e-2), mode


def test_the_offset_of_their_own_code_is_named():
    """parity/test_dinov2.py checks its numbers."""
    own = [layout for layout in depth_anything.LAYOUTS if layout.source == 'depth-anything']
    named = {NAMED.search(layout.settings)[1] for layout in (*own, dinov2.LAYOUTS[0])}
    assert named == {'bicubic-offset'}


FITTING = {  # configs by a part that only their models have, or one and the task
    ('backbone.ln1.weight', 'segmentation'): 'dpt_tipsv2-b14_ade20k',
    ('backbone.ln1.weight', 'normals'): 'dpt_tipsv2-b14_nyu-normals',
    'decode_head.predictor.sky.0.weight': 'depth-anything-3_vitl14_mono',
    'backbone.timm_model.patch_embed.norm.weight': 'dpt_swin2-t_mix6',
    'decode_head.predictor.project.weight': 'dpt_dinov2-s14_nyu',
    'backbone.timm_model.reg_token': 'dpt_dinov3-s16_nyu',
    'backbone.ln1.weight': 'depth-anything_vits14_relative',
    'backbone.stem.conv.weight': 'dpt_hybrid_{}',
    '': 'dpt_vit-b16_{}',
}


@pytest.mark.parametrize('layout', LAYOUTS, ids=lambda layout: f'{layout.source}-{layout.task}')
def test_the_options_of_a_report_can_be_pasted(layout):
    """Behind a config that has the file's parts; a remark follows after a semicolon."""
    pasted = re.findall(r'--cfg-options ([^;]+)', layout.settings)
    assert pasted or not layout.settings
    parts = ['', *(pair.ours for pair in layout.pairs)]
    parts += [(part, layout.task) for part in parts]
    config = next(config for part, config in FITTING.items() if part in parts)
    for line in pasted:
        options = shlex.split(line)
        assert all(re.fullmatch(r'model(\.\w+)+=\S+', option) for option in options)
        data = 'ade20k' if layout.task == 'segmentation' else 'mix6'
        with torch.device('meta'):
            build_model(config.format(data), options)

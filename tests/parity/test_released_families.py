"""Depth of released families equals transformers' with the same weights, on any grid."""

import copy
from types import SimpleNamespace

import numpy as np
import pytest
import tiny
import torch
import torch.nn.functional as F
from transformers import (
    AutoImageProcessor,
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

from mmdpt.checkpoints import to_foreign, to_ours
from mmdpt.checkpoints.layouts.transformers_folder import write_folder
from mmdpt.checkpoints.pretrained_init import PretrainedInit
from mmdpt.models import DepthDataPreProcessor, DepthDPTHead, TimmDPTBackbone, VisionTransformerDPT

pytestmark = pytest.mark.parity
DIMS, WIDTHS, TAPS, CHANNELS = 48, (16, 32, 48, 64), (0, 1, 3, 4), 256
ARCH = dict(embed_dims=DIMS, num_layers=5, num_heads=3, feedforward_channels=4 * DIMS)
THEIR_ARCH = dict(
    hidden_size=DIMS,
    num_hidden_layers=5,
    num_attention_heads=3,
    out_indices=[tap + 1 for tap in TAPS],
)
OF_TIMM = dict(embed_dim=DIMS, depth=5, num_heads=3)


def dinov2(swiglu=False):
    """facebook/dpt-dinov2-*: raw taps with class token, a projection before the output."""
    backbone = Dinov2Config(
        **THEIR_ARCH,
        image_size=70,
        patch_size=14,
        use_swiglu_ffn=swiglu,
        apply_layernorm=False,
        reshape_hidden_states=False,
    )
    theirs = DPTForDepthEstimation(
        DPTConfig(
            backbone_config=backbone,
            neck_hidden_sizes=list(WIDTHS),
            readout_type='project',
            add_projection=True,
            use_bias_in_fusion_residual=False,
            is_hybrid=False,
        )
    )
    ours = dict(
        backbone=VisionTransformerDPT(
            ARCH,
            img_size=70,
            patch_size=14,
            out_indices=TAPS,
            interpolate_mode='bicubic',
            layer_scale_init_value=1.0,
            layer_cfgs=dict(ffn_type='swiglu_fused') if swiglu else {},
        ),
        decode_head=DepthDPTHead(
            embed_dims=DIMS,
            reassemble_channels=WIDTHS,
            patch_size=14,
            conv_bias=False,
            resized='skip',
            project=True,
        ),
    )
    return theirs, ours


def beit():
    """Intel/dpt-beit-*: relative positions of any grid."""
    backbone = BeitConfig(
        **THEIR_ARCH,
        intermediate_size=4 * DIMS,
        image_size=80,
        patch_size=16,
        layer_norm_eps=1e-6,
        layer_scale_init_value=0.1,
        use_absolute_position_embeddings=False,
        use_mask_token=False,
        use_relative_position_bias=True,
        reshape_hidden_states=False,
    )
    theirs = DPTForDepthEstimation(
        DPTConfig(
            backbone_config=backbone,
            neck_hidden_sizes=list(WIDTHS),
            fusion_hidden_size=32,
            readout_type='project',
            is_hybrid=False,
        )
    )
    encoder = TimmDPTBackbone(
        'beit_base_patch16_384',
        out_indices=TAPS,
        img_size=80,
        model_args=OF_TIMM,
    )
    head = dict(encoder.head_cfg, reassemble_channels=WIDTHS)
    return theirs, dict(
        backbone=encoder, decode_head=DepthDPTHead(channels=32, resized='skip', **head)
    )


def swin2():
    """Intel/dpt-swinv2-*: maps of four strides, with windows pretrained at another size."""
    dims, depths, heads = 24, (2, 2, 4, 2), (1, 2, 3, 6)
    backbone = Swinv2Config(
        image_size=64,
        patch_size=4,
        embed_dim=dims,
        depths=list(depths),
        num_heads=list(heads),
        window_size=8,
        pretrained_window_sizes=[6, 6, 6, 3],
        out_features=['stage1', 'stage2', 'stage3', 'stage4'],
    )
    theirs = DPTForDepthEstimation(
        DPTConfig(
            backbone_config=backbone,
            neck_hidden_sizes=[dims * 2**stage for stage in range(4)],
            fusion_hidden_size=32,
            is_hybrid=False,
        )
    )
    encoder = TimmDPTBackbone(
        'swinv2_large_window12to24_192to384',
        img_size=64,
        model_args=dict(
            embed_dim=dims,
            depths=depths,
            num_heads=heads,
            window_size=8,
            pretrained_window_sizes=(6, 6, 6, 3),
        ),
    )
    head = DepthDPTHead(channels=32, resized='skip', **encoder.head_cfg)
    return theirs, dict(backbone=encoder, decode_head=head)


def chmv2():
    """facebook/dinov3-vitl16-chmv2-dpt-head: DINOv3, bins from logarithmic to linear."""
    backbone = DINOv3ViTConfig(
        **THEIR_ARCH,
        intermediate_size=4 * DIMS,
        patch_size=16,
        num_register_tokens=4,
        key_bias=False,
        layer_norm_eps=1e-5,
        apply_layernorm=True,
        reshape_hidden_states=True,
        return_class_token=True,
    )
    theirs = CHMv2ForDepthEstimation(
        CHMv2Config(
            backbone_config=backbone,
            post_process_channels=list(WIDTHS),
            fusion_hidden_size=32,
            head_hidden_size=24,
            number_output_channels=16,
        )
    )
    encoder = TimmDPTBackbone(
        'vit_small_patch16_dinov3_qkvb',
        out_indices=TAPS,
        norm_taps=True,
        model_args=OF_TIMM,
    )
    head = DepthDPTHead(
        output='depth',
        channels=32,
        hidden_channels=24,
        resized='skip',
        bins=dict(low=0.008, high=96, number=16, spacing='mixed-log', epsilon=1e-8),
        **dict(encoder.head_cfg, reassemble_channels=WIDTHS),
    )
    return theirs, dict(backbone=encoder, decode_head=head)


def tips():
    """google/tipsv2-*-dpt: two class tokens, bins without upsampling in the head."""
    backbone = Tipsv2VisionConfig(
        **THEIR_ARCH,
        image_size=70,
        patch_size=14,
        apply_layernorm=True,
        reshape_hidden_states=False,
    )
    theirs = Tipsv2DptForDepthEstimation(
        Tipsv2DptConfig(
            backbone_config=backbone,
            neck_hidden_sizes=list(WIDTHS),
            fusion_hidden_size=32,
            num_depth_bins=16,
        )
    )
    ours = dict(
        backbone=VisionTransformerDPT(
            ARCH,
            img_size=70,
            patch_size=14,
            out_indices=TAPS,
            norm_taps=True,
            interpolate_mode='bilinear-antialias',
            num_register_tokens=1,
            layer_scale_init_value=1.0,
        ),
        decode_head=DepthDPTHead(
            output='depth',
            embed_dims=DIMS,
            reassemble_channels=WIDTHS,
            readout_type='project-tanh',
            patch_size=14,
            channels=32,
            conv_bias=False,
            resized='skip',
            project=True,
            hidden_channels=None,
            bins=dict(low=0.001, high=10, number=16, epsilon=0.001),
        ),
    )
    return theirs, ours


FAMILIES = {
    'DINOv2': (dinov2, 14),
    'DINOv2 with SwiGLU': (lambda: dinov2(swiglu=True), 14),
    'BEiT': (beit, 16),
    'Swin2': (swin2, 32),
    'CHMv2': (chmv2, 16),
    'TIPSv2': (tips, 14),
}
GRIDS = [(5, 5), (8, 8), (4, 7), (3, 6)]


@pytest.fixture(scope='module', params=FAMILIES)
def family(request):
    """The reference, ours with its weights, and the side of a patch [px]."""
    build, patch = FAMILIES[request.param]
    theirs, ours = build()
    theirs, ours = tiny.draw_weights(theirs), torch.nn.ModuleDict(ours).eval()
    if isinstance(theirs, DPTForDepthEstimation):
        theirs.head.head[4].weight.data.abs_()  # positive before the ReLU
    state = theirs.state_dict()
    ours.load_state_dict(to_ours(state)[0])
    back, report = to_foreign(ours.state_dict(), 'huggingface')
    same = [key for key in state if key not in report.filled]
    assert back.keys() == state.keys() and all(torch.equal(back[k], state[k]) for k in same)
    return theirs, ours, patch


@pytest.mark.parametrize('grid', GRIDS)
@torch.no_grad()
def test_depth_equals_transformers(family, grid):
    theirs, ours, patch = family
    size = [side * patch for side in grid]
    image = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(1))
    expected = F.interpolate(theirs(image).predicted_depth[:, None], size, mode='bilinear')
    depth = ours['decode_head'](ours['backbone'](image))
    assert expected.std() > 1e-3 * expected.max() > 0
    assert (depth - expected).abs().max() <= 1e-5 * expected.max()


@torch.no_grad()
def test_the_folder_gives_the_same_numbers(family, tmp_path):
    theirs, ours, patch = family
    preprocessor = DepthDataPreProcessor(mean=[127.5] * 3, std=[51.0] * 3)
    model = SimpleNamespace(data_preprocessor=preprocessor, **ours)
    model.named_modules = ours.named_modules
    assert write_folder(model, ours.state_dict(), tmp_path).settings == ''
    again, info = type(theirs).from_pretrained(tmp_path, output_loading_info=True)
    assert not any(info[kind] for kind in ('missing_keys', 'unexpected_keys', 'mismatched_keys'))
    for grid in GRIDS:
        image = torch.randn(2, 3, *(side * patch for side in grid))
        expected, depth = (model(image).predicted_depth for model in (theirs, again.eval()))
        assert (depth - expected).abs().max() <= 1e-5 * expected.max()
    white = np.full((5 * patch, 8 * patch, 3), 255, np.uint8)
    pixels = AutoImageProcessor.from_pretrained(tmp_path)(images=white, return_tensors='pt')
    assert not [side % patch for side in pixels['pixel_values'].shape[2:] if side % patch]
    assert pixels['pixel_values'].max() == pytest.approx(2.5, abs=1e-5)  # (255 - 127.5) / 51


def test_every_parameter_trains(family):
    _, ours, patch = family
    ours = copy.deepcopy(ours).train()
    image = torch.randn(2, 3, 4 * patch, 7 * patch, generator=torch.Generator().manual_seed(1))
    ours['decode_head'](ours['backbone'](image)).square().mean().backward()
    for name, parameter in ours.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name


def test_a_head_file_of_dinov2_gives_the_head(tmp_path):
    """Its names and numbers were compared with facebookresearch/dinov2@b8931f7 itself."""
    ours = torch.nn.ModuleDict(dinov2()[1])
    head = {k: v for k, v in ours.state_dict().items() if k.startswith('decode_head.')}
    whole = to_foreign(ours.state_dict(), 'dinov2')[0].items()
    file = {key: value for key, value in whole if key.startswith('decode_head.')}
    assert {
        'decode_head.reassemble_blocks.readout_projects.3.0.weight',
        'decode_head.fusion_blocks.0.res_conv_unit2.conv1.conv.weight',
        'decode_head.project.conv.bias',
        'decode_head.conv_depth.head.4.weight',
    } < file.keys()
    assert to_ours(file)[0].keys() == head.keys()
    fresh, path = dinov2()[1]['decode_head'], str(tmp_path / 'head.pth')
    torch.save(file, path)
    PretrainedInit(path, prefix='decode_head')(fresh)
    assert all(torch.equal(head[f'decode_head.{k}'], v) for k, v in fresh.state_dict().items())


def test_older_names_of_beit_are_read():
    """Intel/dpt-beit-* were written before transformers 5."""
    state = tiny.draw_weights(beit()[0]).state_dict()
    older = {}
    for key, value in state.items():
        for new, old in (
            ('beit.embeddings', 'embeddings'),
            ('beit.layers', 'encoder.layer'),
            ('attention.q_proj', 'attention.attention.query'),
            ('attention.k_proj', 'attention.attention.key'),
            ('attention.v_proj', 'attention.attention.value'),
            ('attention.o_proj', 'attention.output.dense'),
            ('relative_position_bias.', 'attention.attention.relative_position_bias.'),
            ('mlp.fc1', 'intermediate.dense'),
            ('mlp.fc2', 'output.dense'),
        ):
            key = key.replace(new, old)
        older[key] = value
    expected, converted = to_ours(state)[0], to_ours(older)[0]
    assert older.keys() != state.keys() and converted.keys() == expected.keys()
    assert all(torch.equal(converted[k], v) for k, v in expected.items())


def test_released_files_of_tips_are_read():
    """Names by transformers' conversion_mapping.py (5.23) of google/tipsv2-*-dpt."""
    ours = torch.nn.ModuleDict(tips()[1])
    file, _ = to_foreign(ours.state_dict(), 'tips')
    released = {}
    for key, value in file.items():
        for ours_, theirs in (
            ('.unit1.', '.residual_unit.'),
            ('.unit2.', '.main_unit.'),
            ('.mlp.fc1.', '.mlp.c_fc.'),
            ('.mlp.fc2.', '.mlp.c_proj.'),
        ):
            key = key.replace(ours_, theirs)
        released[key] = value
    released['normals_head.project.weight'] = torch.zeros(1)
    assert released['depth_head.depth_head.weight'].shape == (16, 32)
    assert 'depth_head.reassemble.readout_projects.2.weight' in released
    converted, report = to_ours(released)
    assert report.source == 'tips' and converted.keys() == ours.state_dict().keys()
    assert all(torch.equal(converted[k], v) for k, v in ours.state_dict().items())

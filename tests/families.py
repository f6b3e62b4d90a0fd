"""Tiny models of released families: transformers' and ours, without common weights."""

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
    Tipsv2DptForNormalEstimation,
    Tipsv2DptForSemanticSegmentation,
)
from transformers.models.tipsv2.configuration_tipsv2 import Tipsv2VisionConfig

from mmdpt.models import (
    DepthDPTHead,
    DPTHead,
    NormalsDPTHead,
    TimmDPTBackbone,
    VisionTransformerDPT,
)

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


def tips(task='depth'):
    """google/tipsv2-*-dpt: two class tokens; bins without upsampling, or classes, or normals."""
    backbone = Tipsv2VisionConfig(
        **THEIR_ARCH,
        image_size=70,
        patch_size=14,
        apply_layernorm=True,
        reshape_hidden_states=False,
    )
    config = Tipsv2DptConfig(
        backbone_config=backbone,
        neck_hidden_sizes=list(WIDTHS),
        fusion_hidden_size=32,
        num_depth_bins=16,
        num_labels=7,
    )
    head = dict(
        embed_dims=DIMS,
        reassemble_channels=WIDTHS,
        readout_type='project-tanh',
        patch_size=14,
        channels=32,
        conv_bias=False,
        resized='skip',
    )
    if task == 'depth':
        theirs = Tipsv2DptForDepthEstimation(config)
        bins = dict(low=0.001, high=10, number=16, epsilon=0.001)
        ours = DepthDPTHead(output='depth', project=True, hidden_channels=None, bins=bins, **head)
    elif task == 'normals':
        theirs, ours = Tipsv2DptForNormalEstimation(config), NormalsDPTHead(**head)
    else:
        theirs = Tipsv2DptForSemanticSegmentation(config)
        ours = DPTHead(num_classes=7, act_cfg=None, align_corners=False, **head)
    encoder = VisionTransformerDPT(
        ARCH,
        img_size=70,
        patch_size=14,
        out_indices=TAPS,
        norm_taps=True,
        interpolate_mode='bilinear-antialias',
        num_register_tokens=1,
        layer_scale_init_value=1.0,
    )
    return theirs, dict(backbone=encoder, decode_head=ours)

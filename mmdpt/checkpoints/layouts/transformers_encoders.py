"""Encoders for the config.json of transformers (5.23), from modules of ours."""

from typing import Any

from mmdpt.errors import InputError

MLP_RATIO = 4
"""Width of the feed-forward layers over that of the tokens, in DINOv2's encoders."""


def dinov2(backbone: Any, model_type: str) -> dict[str, Any]:
    """Describe an encoder of DINOv2's kind.

    Raises:
        InputError: If its feed-forward layers have another width than theirs.
    """
    layer, dims = backbone.layers[0], backbone.embed_dims
    width, expected = mlp_width(layer.ffn), MLP_RATIO * dims
    gated = hasattr(layer.ffn, 'w12')
    ratio: float = MLP_RATIO
    if gated:  # models/dinov2: two thirds, rounded up to a multiple of 8
        expected = (int(expected * 2 / 3) + 7) // 8 * 8
    elif model_type == 'tipsv2_vision_model' and width != expected:
        ratio, expected = (width + 0.5) / dims, width  # SO400m's; they round down
    if width != expected:
        raise InputError(
            f'transformers has no {model_type} of feed-forward width {width}, it is {expected}: '
            'its numbers would differ'
        )
    return {
        'model_type': model_type,
        'hidden_size': dims,
        'num_hidden_layers': len(backbone.layers),
        'num_attention_heads': layer.attn.num_heads,
        'mlp_ratio': ratio,
        'layer_norm_eps': layer.ln1.eps,
        'image_size': backbone.img_size[0],
        'patch_size': patch_size(backbone),
        'qkv_bias': layer.attn.qkv.bias is not None,
        'use_swiglu_ffn': gated,
        'out_indices': [index + 1 for index in backbone.out_indices],
        'apply_layernorm': backbone.norm_taps,
        'reshape_hidden_states': False,
    }


def of_timm(backbone: Any, model_type: str) -> dict[str, Any]:
    """Describe a plain encoder of timm."""
    encoder = backbone.timm_model
    block = encoder.blocks[0]
    return {
        'model_type': model_type,
        'hidden_size': encoder.embed_dim,
        'num_hidden_layers': len(encoder.blocks),
        'num_attention_heads': block.attn.num_heads,
        'intermediate_size': block.mlp.fc1.out_features,
        'layer_norm_eps': block.norm1.eps,
        'image_size': backbone.img_size[0],
        'patch_size': encoder.patch_embed.patch_size[0],
        'out_indices': [index + 1 for index in backbone.out_indices],
    }


def stem(backbone: Any) -> dict[str, Any]:
    stem, side = backbone.stem, backbone.patch_resolution[0]
    return {
        'backbone_featmap_shape': [1, stem.channels[-1], side, side],
        'backbone_config': {
            'model_type': 'bit',
            'global_padding': 'same',
            'layer_type': 'bottleneck',
            'embedding_dynamic_padding': True,
            'embedding_size': stem.conv.out_channels,
            'hidden_sizes': list(stem.channels),
            'depths': [len(stage) for stage in stem.stages],
            'num_groups': stem.norm.num_groups,
            'out_features': [f'stage{i + 1}' for i in range(len(stem.stages))],
        },
    }


def mlp_width(ffn: Any) -> int:
    return ffn.w3.in_features if hasattr(ffn, 'w12') else ffn.layers[0][0].out_features


def patch_size(backbone: Any) -> int:
    return backbone.img_size[0] // backbone.patch_resolution[0]


def is_even(backbone: Any) -> bool:
    """Whether the pretraining grid has an even number of patches a side."""
    return backbone.patch_resolution[0] % 2 == 0


def beit(backbone: Any) -> dict[str, Any]:
    """Describe a BEiT of timm."""
    return {
        **of_timm(backbone, 'beit'),
        'layer_scale_init_value': 0.1,  # it has layer scales
        'use_relative_position_bias': True,
        'reshape_hidden_states': False,
    }


def dinov3(backbone: Any) -> dict[str, Any]:
    """Describe a DINOv3 of timm, whose taps are normed."""
    encoder = backbone.timm_model
    return {
        **of_timm(backbone, 'dinov3_vit'),
        'num_register_tokens': encoder.reg_token.shape[1],
        'rope_theta': encoder.rope.temperature,
        'key_bias': False,
        'apply_layernorm': True,
        'reshape_hidden_states': True,
        'return_class_token': True,
    }


def swin2(backbone: Any) -> dict[str, Any]:
    """Describe a SwinV2 of timm."""
    encoder = backbone.timm_model
    blocks = [stage.blocks[0] for stage in encoder.layers]
    return {
        'model_type': 'swinv2',
        'image_size': backbone.img_size[0],
        'patch_size': encoder.patch_embed.patch_size[0],
        'embed_dim': encoder.embed_dim,
        'depths': [len(stage.blocks) for stage in encoder.layers],
        'num_heads': [block.attn.num_heads for block in blocks],
        'window_size': blocks[0].window_size[0],
        'pretrained_window_sizes': [block.attn.pretrained_window_size[0] for block in blocks],
        'mlp_ratio': blocks[0].mlp.fc1.out_features / encoder.embed_dim,
        'layer_norm_eps': blocks[0].norm1.eps,
        'out_features': [f'stage{index + 1}' for index in backbone.out_indices],
    }

"""A folder that transformers loads.

It holds a DPTForDepthEstimation, a DPTForSemanticSegmentation or, if the encoder norms its taps, a
DepthAnythingForDepthEstimation.
"""

import json
from pathlib import Path
from typing import Any

import torch.nn as nn

from mmdpt.checkpoints.convert import Report, task_of, to_foreign
from mmdpt.errors import InputError
from mmdpt.models.backbones.lora import merge_updates
from mmdpt.models.backbones.vision_transformer_dpt import VisionTransformerDPT

from .layout import StateDict

BICUBIC = 3
"""PIL's number, which image processors store."""
MLP_RATIO = 4
"""Width of the feed-forward layers over that of the tokens, in DINOv2's encoders."""
CLASSES = {'depth': 'DPTForDepthEstimation', 'segmentation': 'DPTForSemanticSegmentation'}


def write_folder(model: Any, state_dict: StateDict, folder: Path) -> Report:
    """Write config.json, model.safetensors and preprocessor_config.json into an empty folder.

    transformers' DPT assumes square images, so its image processor squeezes every image to a
    square. That of Depth Anything keeps the aspect ratio. The model's modules say what its tensors
    do not; ``dataset_meta`` names the classes. Updates of LoRA are folded in.

    Raises:
        InputError: If transformers has no such model. It names the setting.
    """
    from safetensors.torch import save_file

    state_dict = merge_updates(model, state_dict)
    config = describe(model, state_dict)
    tensors, report = to_foreign(state_dict, 'huggingface')
    tensors = {key: value.contiguous() for key, value in tensors.items()}
    save_file(tensors, folder / 'model.safetensors', metadata={'format': 'pt'})
    _write(folder / 'config.json', config)
    _write(folder / 'preprocessor_config.json', describe_preprocessing(model))
    report.settings = _lost(model)
    return report


def describe(model: Any, state_dict: StateDict) -> dict[str, Any]:
    """Give the content of config.json.

    Raises:
        InputError: If transformers has no such model.
    """
    encoder = type(model.backbone)
    _refuse('DPT', (not issubclass(encoder, VisionTransformerDPT), f'backbone {encoder.__name__}'))
    if _is_depth_anything(model, state_dict):
        return _describe_depth_anything(model)
    _check(model)
    backbone, head = model.backbone, model.decode_head
    layer, task = backbone.layers[0], task_of(state_dict)
    blocks = head.reassemble.blocks
    unit = head.fusion.blocks[0].residual_unit2
    hybrid = getattr(backbone, 'stem', None) is not None
    config = {
        'architectures': [CLASSES[task]],
        'model_type': 'dpt',
        'hidden_size': backbone.embed_dims,
        'num_hidden_layers': len(backbone.layers),
        'num_attention_heads': layer.attn.num_heads,
        'intermediate_size': layer.ffn.layers[0][0].out_features,
        'layer_norm_eps': layer.ln1.eps,
        'qkv_bias': layer.attn.qkv.bias is not None,
        'image_size': backbone.img_size[0],
        'patch_size': _patch_size(backbone),
        'backbone_out_indices': ([0, 1] if hybrid else []) + list(backbone.out_indices),
        'is_hybrid': hybrid,
        'readout_type': blocks[-1].readout_type,
        'reassemble_factors': [_factor(block) for block in blocks],
        'neck_hidden_sizes': [block.to_fusion.in_channels for block in blocks],
        'neck_ignore_stages': [0, 1] if hybrid else [],
        'fusion_hidden_size': head.fusion.blocks[0].project.in_channels,
        'use_batch_norm_in_fusion_residual': not isinstance(unit.norm1, nn.Identity),
        'use_bias_in_fusion_residual': unit.conv1.bias is not None,
    }
    if hybrid:
        config |= _describe_stem(backbone)
    if task == 'segmentation':
        meta = getattr(model, 'dataset_meta', None) or {}
        names = meta.get('classes') or [f'LABEL_{i}' for i in range(head.num_classes)]
        config |= {
            'id2label': {str(i): name for i, name in enumerate(names)},
            'label2id': {name: i for i, name in enumerate(names)},
            'use_auxiliary_head': any(
                key.startswith('decode_head.auxiliary.') for key in state_dict
            ),
            'auxiliary_loss_weight': float(head.auxiliary_weight),
            'semantic_loss_ignore_index': head.ignore_index,
            'semantic_classifier_dropout': head.dropout.p,
        }
    return config


def describe_preprocessing(model: Any) -> dict[str, Any]:
    """Give the content of preprocessor_config.json.

    A DPT's images are resized to a square of the pretraining size. Depth Anything keeps the ratio:
    the side that changes the image less gets the size (the shorter one of a larger image, as in its
    own code), and both sides are whole patches. ``ResizeAsTransformers`` does the same here.
    """
    height, width = model.backbone.img_size
    keeps_ratio = model.backbone.norm_taps
    return {
        'image_processor_type': 'DPTImageProcessor',
        'do_resize': True,
        'size': {'height': height, 'width': width},
        'keep_aspect_ratio': keeps_ratio,
        'ensure_multiple_of': _patch_size(model.backbone) if keeps_ratio else 1,
        'resample': BICUBIC,
        'do_rescale': True,
        'rescale_factor': 1 / 255,
        'do_normalize': True,
        'image_mean': [v / 255 for v in model.data_preprocessor.mean.flatten().tolist()],
        'image_std': [v / 255 for v in model.data_preprocessor.std.flatten().tolist()],
        'do_pad': False,
    }


def _check(model: Any) -> None:
    """Refuse what transformers' DPT does not compute."""
    backbone, head = model.backbone, model.decode_head
    stem = getattr(backbone, 'stem', None)
    mode = backbone.interpolate_mode
    _refuse(
        'DPT',
        (backbone.norm_taps, 'backbone.norm_taps=True'),
        (mode != 'bilinear', f'backbone.interpolate_mode={mode!r}'),
        _not_square(backbone),
        *_parametrisations(head),
        (
            stem is not None and stem.conv.standardization != 'var',
            "stem standardization='std' (transformers has 'var')",
        ),
    )


def _parametrisations(head: Any, known: tuple[str, ...] = ()) -> list[tuple[bool, str]]:
    """List how a depth head departs from relu(x), upsampled, beside ``known`` ways."""
    given = dict(getattr(head, 'parametrised', {}))
    if getattr(head, 'upsampling', 'bilinear') != 'bilinear':
        given['upsampling'] = head.upsampling
    if getattr(getattr(head, 'predictor', None), 'project', None) is not None:
        given['project'] = True
    return [(name not in known, f'decode_head.{name}={value}') for name, value in given.items()]


def _not_square(backbone: Any) -> tuple[bool, str]:
    height, width = backbone.img_size
    return height != width, f'position embedding of {backbone.img_size}, not square'


def _refuse(model: str, *checks: tuple[bool, str]) -> None:
    for wrong, what in checks:
        if wrong:
            raise InputError(f"transformers' {model} has no {what}: its numbers would differ")


def _is_depth_anything(model: Any, state_dict: StateDict) -> bool:
    return model.backbone.norm_taps and task_of(state_dict) == 'depth'


def _describe_depth_anything(model: Any) -> dict[str, Any]:
    """Give the config.json of DepthAnythingForDepthEstimation (transformers 5.23)."""
    backbone, head = model.backbone, model.decode_head
    layer, blocks = backbone.layers[0], head.reassemble.blocks
    swiglu = hasattr(layer.ffn, 'w12')
    width = layer.ffn.w3.in_features if swiglu else layer.ffn.layers[0][0].out_features
    _check_depth_anything(model, width, swiglu)
    return {
        'architectures': ['DepthAnythingForDepthEstimation'],
        'model_type': 'depth_anything',
        'backbone_config': {
            'model_type': 'dinov2',
            'hidden_size': backbone.embed_dims,
            'num_hidden_layers': len(backbone.layers),
            'num_attention_heads': layer.attn.num_heads,
            'mlp_ratio': MLP_RATIO,
            'layer_norm_eps': layer.ln1.eps,
            'image_size': backbone.img_size[0],
            'patch_size': _patch_size(backbone),
            'qkv_bias': layer.attn.qkv.bias is not None,
            'use_swiglu_ffn': swiglu,
            'out_indices': [index + 1 for index in backbone.out_indices],
            'apply_layernorm': True,
            'reshape_hidden_states': False,
        },
        'patch_size': _patch_size(backbone),
        'reassemble_hidden_size': backbone.embed_dims,
        'reassemble_factors': [_factor(block) for block in blocks],
        'neck_hidden_sizes': [block.to_fusion.in_channels for block in blocks],
        'fusion_hidden_size': head.fusion.blocks[0].project.in_channels,
        'head_hidden_size': head.predictor.conv3.in_channels,
        'depth_estimation_type': 'metric' if 'max_depth' in head.parametrised else 'relative',
        'max_depth': int(head.parametrised.get('max_depth', 1)),
    }


def _check_depth_anything(model: Any, width: int, swiglu: bool) -> None:
    """Refuse what transformers' Depth Anything does not compute."""
    backbone, head = model.backbone, model.decode_head
    mode, readout = backbone.interpolate_mode, head.reassemble.blocks[0].readout_type
    max_depth = head.parametrised.get('max_depth', 1)
    expected = MLP_RATIO * backbone.embed_dims
    if swiglu:  # transformers, models/dinov2: two thirds, rounded up to a multiple of 8
        expected = (int(expected * 2 / 3) + 7) // 8 * 8
    _refuse(
        'Depth Anything',
        (backbone.stem is not None, 'convolutional stem'),
        (not mode.startswith('bicubic') or 'antialias' in mode, f'interpolate_mode={mode!r}'),
        (backbone.num_register_tokens > 0, 'register tokens'),
        _not_square(backbone),
        (width != expected, f'feed-forward width {width}, it is {expected}'),
        (readout != 'ignore', f'decode_head.readout_type={readout!r}'),
        (
            not isinstance(head.fusion.blocks[0].residual_unit2.norm1, nn.Identity),
            'normalisation in the fusion',
        ),
        *_parametrisations(head, known=('max_depth',)),
        (int(max_depth) != max_depth, f'decode_head.max_depth={max_depth}, it is a whole number'),
    )


def _patch_size(backbone: Any) -> int:
    return backbone.img_size[0] // backbone.patch_resolution[0]


def _describe_stem(backbone: Any) -> dict[str, Any]:
    stem = backbone.stem
    side = backbone.patch_resolution[0]
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


def _factor(block: Any) -> float:
    """Recover a reassemble scale from its module."""
    resample = getattr(block, 'resample', None)
    if isinstance(resample, nn.ConvTranspose2d):
        return resample.stride[0]
    return 1 / resample.stride[0] if isinstance(resample, nn.Conv2d) else 1


def _lost(model: Any) -> str:
    lost = []
    low, high = getattr(model.decode_head, 'clamp', (None, None))
    if low is not None or high is not None:
        lost.append(f'clamp the depth to {low}..{high} yourself: transformers does not')
    if model.backbone.interpolate_mode == 'bicubic-offset':
        lost.append(
            f'images of {model.backbone.img_size} pixels; at other sizes transformers interpolates '
            'the position embedding without the 0.1 offset'
        )
    return '; '.join(lost)


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + '\n')

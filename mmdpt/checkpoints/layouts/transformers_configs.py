"""transformers' models with DPT's decoder (5.23): config.json, from modules of ours."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch.nn as nn

from mmdpt.checkpoints.layouts import transformers_encoders as encoders
from mmdpt.errors import InputError
from mmdpt.models.backbones.vision_transformer_dpt import VisionTransformerDPT
from mmdpt.models.decode_heads.parametrisation import PARAMETRISATIONS, Bins

BILINEAR = 2
"""PIL's number, which image processors store."""
CANOPY = 8
"""What CHMv2 divides its greatest bin by, and then multiplies all by."""
PLAIN: dict[str, tuple] = {
    'backbone.norm_taps': (False,),
    'backbone.interpolate_mode': ('bilinear',),
    'backbone.num_register_tokens': (0,),
    'backbone.stem.standardization': (None,),
    'decode_head.project': (False,),
    'decode_head.hidden_channels': (32,),
    'decode_head.upsampling': ('bilinear',),
    'decode_head.canonical_focal': (None,),
    'decode_head.readout_type': (None, 'ignore', 'add', 'project'),
    'decode_head.act_cfg': (True,),
    'decode_head.align_corners': (True,),
    'decode_head.bins.spacing': (None,),
    **{f'decode_head.{name}': (None,) for name in PARAMETRISATIONS if name != 'min_depth'},
}
"""Settings of ours, and the values that every kind has which does not say otherwise."""


class Kind(NamedTuple):
    """A kind of model that transformers has.

    Attributes:
        name: Its name in messages.
        cls: The beginning of its class's name.
        config: What config.json says beside the class.
        has: Settings of ours, and the values of them that it has, where they are not ``PLAIN``.
        processor: What its image processor has beside DPT's.
        resized: What its fusion resizes.
        even_grids: Whether its image processor makes an even number of patches a side.
    """

    name: str
    cls: str
    config: dict[str, Any]
    has: dict[str, tuple] = {}
    processor: dict[str, Any] = {}
    resized: str = 'skip'
    even_grids: bool = False


def settings_of(model: Any) -> dict[str, Any]:
    """Give the settings in which models of ours, or of transformers, differ."""
    backbone, head = model.backbone, model.decode_head
    stem, unit = getattr(backbone, 'stem', None), head.fusion.blocks[0].residual_unit2
    settings = {
        'backbone.norm_taps': backbone.norm_taps,
        'backbone.num_register_tokens': getattr(backbone, 'num_register_tokens', 0),
        'backbone.stem.standardization': None if stem is None else stem.conv.standardization,
        'decode_head.readout_type': getattr(head.reassemble.blocks[-1], 'readout_type', None),
        'decode_head.resized': head.fusion.resized,
        'decode_head.conv_bias': unit.conv1.bias is not None,
        'decode_head.norm_cfg': None if isinstance(unit.norm1, nn.Identity) else type(unit.norm1),
    }
    if hasattr(backbone, 'interpolate_mode'):
        settings['backbone.interpolate_mode'] = backbone.interpolate_mode
    predictor = getattr(head, 'predictor', None)
    if predictor is None:
        settings['decode_head.act_cfg'] = getattr(head, 'act_cfg', None) is not None
        settings['decode_head.align_corners'] = head.align_corners
    else:
        hidden = None if predictor.conv1 is None else predictor.conv3.in_channels
        settings |= {
            'decode_head.project': predictor.project is not None,
            'decode_head.hidden_channels': hidden,
            'decode_head.upsampling': head.upsampling,
            'decode_head.canonical_focal': head.canonical_focal,
        }
        options, given = head.parametrisation, head.parametrised
        if isinstance(options, Bins):
            names = ('spacing', 'normalisation', 'epsilon')
            given = {f'bins.{name}': getattr(options, name) for name in names}
        settings |= {f'decode_head.{name}': value for name, value in given.items()}
    return settings


def kind_of(model: Any) -> Callable[[Any], Kind]:
    """Tell what describes a model whose tensors transformers has.

    Raises:
        InputError: If transformers has no such encoder.
    """
    backbone, predictor = model.backbone, getattr(model.decode_head, 'predictor', None)
    if isinstance(backbone, VisionTransformerDPT):
        normed = backbone.norm_taps
        projects = normed if predictor is None else predictor.project is not None
        return KINDS[normed, projects]
    encoder = type(getattr(backbone, 'timm_model', backbone)).__name__
    if encoder not in OF_TIMM:
        raise InputError(f"transformers' DPT has no backbone {encoder}")
    return OF_TIMM[encoder]


def _dpt(model: Any) -> Kind:
    backbone = model.backbone
    layer, stem = backbone.layers[0], backbone.stem
    direct = [0, 1] if stem is not None else []
    config = {
        **_neck(model),
        'hidden_size': backbone.embed_dims,
        'num_hidden_layers': len(backbone.layers),
        'num_attention_heads': layer.attn.num_heads,
        'intermediate_size': encoders.mlp_width(layer.ffn),
        'layer_norm_eps': layer.ln1.eps,
        'qkv_bias': layer.attn.qkv.bias is not None,
        'image_size': backbone.img_size[0],
        'patch_size': encoders.patch_size(backbone),
        'backbone_out_indices': direct + list(backbone.out_indices),
        'is_hybrid': stem is not None,
        'neck_ignore_stages': direct,
    }
    if stem is not None:
        config |= encoders.stem(backbone)
    has: dict[str, tuple] = {'backbone.stem.standardization': (None, 'var')}
    return Kind('DPT', 'DPT', config, has, even_grids=encoders.is_even(backbone))


def _depth_anything(model: Any) -> Kind:
    head, patch = model.decode_head, encoders.patch_size(model.backbone)
    max_depth = head.parametrised.get('max_depth')
    metric = int(max_depth or 1)
    config = {
        'model_type': 'depth_anything',
        'backbone_config': encoders.dinov2(model.backbone, 'dinov2'),
        'patch_size': patch,
        'reassemble_hidden_size': model.backbone.embed_dims,
        **_widths(model.decode_head),
        'head_hidden_size': head.predictor.conv3.in_channels,
        'depth_estimation_type': 'relative' if max_depth is None else 'metric',
        'max_depth': metric,
    }
    has = {
        'backbone.norm_taps': (True,),
        'backbone.interpolate_mode': ('bicubic', 'bicubic-offset'),
        'decode_head.readout_type': ('ignore',),
        'decode_head.hidden_channels': (head.predictor.conv3.in_channels,),
        'decode_head.norm_cfg': (None,),
        'decode_head.conv_bias': (True,),
        'decode_head.max_depth': (metric,),
    }
    processor = dict(keep_aspect_ratio=True, ensure_multiple_of=patch)
    return Kind('Depth Anything', 'DepthAnything', config, has, processor, resized='path')


def _dpt_on_dinov2(model: Any) -> Kind:
    backbone = encoders.dinov2(model.backbone, 'dinov2')
    config = dict(_dpt_on(model, backbone), add_projection=True)
    has = {
        'backbone.interpolate_mode': ('bicubic', 'bicubic-offset'),
        'decode_head.project': (True,),
    }
    return Kind('DPT on DINOv2', 'DPT', config, has, _padding(backbone['patch_size']))


def _tipsv2(model: Any) -> Kind:
    backbone, head = model.backbone, model.decode_head
    registers = backbone.num_register_tokens
    encoder = encoders.dinov2(backbone, 'tipsv2_vision_model')
    config = {
        **_widths(head),
        'model_type': 'tipsv2_dpt',
        'backbone_config': dict(encoder, num_register_tokens=registers),
    }
    low = None
    if hasattr(head, 'predictor'):
        bins = _bins(model, 'TIPSv2')
        low, high = bins.bounds
        config |= dict(num_depth_bins=bins.channels, min_depth=low, max_depth=high)
    has = {
        'backbone.norm_taps': (True,),
        'backbone.interpolate_mode': ('bilinear-antialias',),
        'backbone.num_register_tokens': (registers,),
        'decode_head.readout_type': ('project-tanh',),
        'decode_head.norm_cfg': (None,),
        'decode_head.conv_bias': (False,),
        'decode_head.project': (True,),
        'decode_head.hidden_channels': (None,),
        'decode_head.bins.spacing': ('linear',),
        'decode_head.bins.normalisation': ('relu',),
        'decode_head.bins.epsilon': (low,),
        'decode_head.act_cfg': (False,),
        'decode_head.align_corners': (False,),
    }
    processor = dict(image_processor_type='Tipsv2DptImageProcessor', resample=BILINEAR)
    return Kind(
        'TIPSv2', 'Tipsv2Dpt', config, has, processor, even_grids=encoders.is_even(backbone)
    )


def _chmv2(model: Any) -> Kind:
    head, bins = model.decode_head, _bins(model, 'CHMv2')
    backbone, widths = encoders.dinov3(model.backbone), _widths(head)
    hidden = head.predictor.conv3.in_channels
    config = {
        'model_type': 'chmv2',
        'backbone_config': backbone,
        'patch_size': backbone['patch_size'],
        'post_process_channels': widths.pop('neck_hidden_sizes'),
        **widths,
        'head_hidden_size': hidden,
        'number_output_channels': bins.channels,
        'min_depth': bins.bounds[0] / CANOPY,
        'max_depth': bins.bounds[1],
    }
    has = {
        'backbone.norm_taps': (True,),
        'decode_head.readout_type': ('project',),
        'decode_head.norm_cfg': (None,),
        'decode_head.conv_bias': (True,),
        'decode_head.hidden_channels': (hidden,),
        'decode_head.bins.spacing': ('mixed-log',),
        'decode_head.bins.normalisation': ('relu',),
        'decode_head.bins.epsilon': (1e-8,),
    }
    name = 'CHMv2ImageProcessor'
    processor = dict(_padding(backbone['patch_size']), image_processor_type=name)
    return Kind('CHMv2', 'CHMv2', config, has, processor)


def _dpt_on_beit(model: Any) -> Kind:
    backbone = encoders.beit(model.backbone)
    processor = dict(keep_aspect_ratio=True, ensure_multiple_of=2 * backbone['patch_size'])
    config = _dpt_on(model, backbone)
    return Kind('DPT on BEiT', 'DPT', config, processor=processor, even_grids=True)


def _dpt_on_swin2(model: Any) -> Kind:
    config = _dpt_on(model, encoders.swin2(model.backbone))
    return Kind('DPT on SwinV2', 'DPT', config, even_grids=True)


KINDS = {
    (False, False): _dpt,
    (True, False): _depth_anything,
    (False, True): _dpt_on_dinov2,
    (True, True): _tipsv2,
}
"""By whether taps are normed, and whether the output of depth begins with a projection."""
OF_TIMM = {'Beit': _dpt_on_beit, 'SwinTransformerV2': _dpt_on_swin2, 'Eva': _chmv2}
"""By the class of timm's encoder."""


def _widths(head: Any) -> dict[str, Any]:
    blocks = head.reassemble.blocks
    return {
        'reassemble_factors': [_factor(block) for block in blocks],
        'neck_hidden_sizes': [block.to_fusion.in_channels for block in blocks],
        'fusion_hidden_size': head.fusion.blocks[0].project.in_channels,
    }


def _neck(model: Any) -> dict[str, Any]:
    settings = settings_of(model)
    return {
        'model_type': 'dpt',
        **_widths(model.decode_head),
        'readout_type': settings['decode_head.readout_type'] or 'ignore',
        'use_batch_norm_in_fusion_residual': settings['decode_head.norm_cfg'] is not None,
        'use_bias_in_fusion_residual': settings['decode_head.conv_bias'],
    }


def _dpt_on(model: Any, backbone: dict[str, Any]) -> dict[str, Any]:
    return {**_neck(model), 'backbone_config': backbone, 'is_hybrid': False}


def _padding(patch_size: int) -> dict[str, Any]:
    return dict(do_resize=False, do_pad=True, size_divisor=patch_size)


def _bins(model: Any, name: str) -> Bins:
    """Give the parametrisation, or raise InputError if it is another."""
    bins = model.decode_head.parametrisation
    if not isinstance(bins, Bins):
        raise InputError(f"transformers' {name} has no depth without decode_head.bins")
    return bins


def _factor(block: Any) -> float:
    """Recover a reassemble scale from its module."""
    resample = getattr(block, 'resample', None)
    if isinstance(resample, nn.ConvTranspose2d):
        return resample.stride[0]
    return 1 / resample.stride[0] if isinstance(resample, nn.Conv2d) else 1

"""Released families at any size: transformers' models, and ours, narrow."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from tiny_dpt import ARCH, CHANNELS, DIMS, TAPS, WIDTHS, changed
from transformers import (
    BeitConfig,
    BitConfig,
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
    Tipsv2DptImageProcessor,
)
from transformers.models.tipsv2.configuration_tipsv2 import Tipsv2VisionConfig

VIT = dict(tiny=(48, 5, 3), small=(384, 12, 6), base=(768, 12, 12), large=(1024, 24, 16))
"""Width, blocks, heads."""
TAPS_OF = {5: TAPS, 12: (2, 5, 8, 11), 24: (5, 11, 17, 23)}
"""By the number of blocks."""
STAGES = ['stage1', 'stage2', 'stage3', 'stage4']
OLDER_ATTENTION = (
    ('attention.q_proj', 'attention.attention.query'),
    ('attention.k_proj', 'attention.attention.key'),
    ('attention.v_proj', 'attention.attention.value'),
    ('attention.o_proj', 'attention.output.dense'),
)
"""What transformers 5 renamed in DINOv2 and BEiT: its name, the older one."""
CLASSES, NORMALS = Tipsv2DptForSemanticSegmentation, Tipsv2DptForNormalEstimation


def vit(size, taps=None):
    """Give the sizes of a plain encoder, in transformers' words; its taps by number of block."""
    width, blocks, heads = VIT[size]
    return dict(
        hidden_size=width,
        num_hidden_layers=blocks,
        num_attention_heads=heads,
        out_indices=[tap + 1 for tap in taps or TAPS_OF[blocks]],
    )


def widths_of(size):
    return [VIT[size][0] // share for share in (8, 4, 2, 1)]


def dpt(cls=DPTForDepthEstimation, is_hybrid=False, **settings):
    return cls(DPTConfig(is_hybrid=is_hybrid, **settings))


def plain(size='large', widths=(256, 512, 1024, 1024), **settings):
    """isl-org's dpt_large-*."""
    sizes = vit(size)
    sizes |= dict(
        backbone_out_indices=[index - 1 for index in sizes.pop('out_indices')],
        intermediate_size=4 * VIT[size][0],
        layer_norm_eps=1e-6,
        neck_hidden_sizes=list(widths),
    )
    return dpt(**(sizes | settings))


def hybrid(size='base', base=64, depths=(3, 4, 9), taps=(8, 11), widths=(768, 768), **settings):
    """isl-org's dpt_hybrid-*."""
    stages = [4 * base, 8 * base, 16 * base]
    return plain(
        size,
        (*stages[:2], *widths),
        is_hybrid=True,
        backbone_config=BitConfig(
            embedding_size=base,
            hidden_sizes=stages,
            depths=list(depths),
            layer_type='bottleneck',
            global_padding='same',
            embedding_dynamic_padding=True,
            out_features=STAGES[:3],
        ),
        backbone_featmap_shape=[1, stages[-1], 24, 24],
        backbone_out_indices=[0, 1, *taps],
        reassemble_factors=[1, 1, 1, 0.5],
        **settings,
    )


def dinov2(size, taps=None, image_size=518, swiglu=False):
    """facebook/dpt-dinov2-*: raw taps with class token, a projection before the output."""
    return dpt(
        backbone_config=Dinov2Config(
            **vit(size, taps),
            image_size=image_size,
            patch_size=14,
            use_swiglu_ffn=swiglu,
            apply_layernorm=False,
            reshape_hidden_states=False,
        ),
        neck_hidden_sizes=widths_of(size),
        add_projection=True,
        use_bias_in_fusion_residual=False,
    )


def beit(size, image_size, widths, **settings):
    """Intel/dpt-beit-*: relative positions of any grid."""
    return dpt(
        backbone_config=BeitConfig(
            **vit(size),
            intermediate_size=4 * VIT[size][0],
            image_size=image_size,
            layer_norm_eps=1e-6,
            layer_scale_init_value=0.1,
            use_absolute_position_embeddings=False,
            use_mask_token=False,
            use_relative_position_bias=True,
            reshape_hidden_states=False,
        ),
        neck_hidden_sizes=list(widths),
        **settings,
    )


def swin2(width, heads, depth=18, channels=256, **settings):
    """Intel/dpt-swinv2-*: maps of four strides, with windows pretrained at another size."""
    return dpt(
        backbone_config=Swinv2Config(
            embed_dim=width,
            depths=[2, 2, depth, 2],
            num_heads=[heads * 2**stage for stage in range(4)],
            out_features=STAGES,
            **settings,
        ),
        neck_hidden_sizes=[width * 2**stage for stage in range(4)],
        fusion_hidden_size=channels,
    )


def tips(size, kind=Tipsv2DptForDepthEstimation, image_size=448, num_labels=150, **settings):
    """google/tipsv2-*-dpt: two class tokens; bins without upsampling, or classes, or normals."""
    return kind(
        Tipsv2DptConfig(
            backbone_config=Tipsv2VisionConfig(
                **vit(size),
                image_size=image_size,
                patch_size=14,
                apply_layernorm=True,
                reshape_hidden_states=False,
            ),
            neck_hidden_sizes=widths_of(size),
            num_labels=num_labels,
            **settings,
        )
    )


def chmv2(size='large', **settings):
    """facebook/dinov3-vitl16-chmv2-dpt-head: DINOv3, bins from logarithmic to linear."""
    backbone = DINOv3ViTConfig(
        **vit(size),
        intermediate_size=4 * VIT[size][0],
        num_register_tokens=4,
        key_bias=False,
        apply_layernorm=True,
        reshape_hidden_states=True,
        return_class_token=True,
    )
    return CHMv2ForDepthEstimation(CHMv2Config(backbone_config=backbone, **settings))


class Narrow(NamedTuple):
    """A release, what makes its config narrow, its patch [px], and transformers' narrow model."""

    release: str
    backbone: dict
    head: dict
    patch: int
    build: Callable

    def ours(self):
        """Build our model by the release's config."""
        settings = {'data_preprocessor.mean': [127.5] * 3, 'data_preprocessor.std': [51.0] * 3}
        settings |= {f'backbone.{key}': value for key, value in self.backbone.items()}
        settings |= {f'decode_head.{key}': value for key, value in self.head.items()}
        return changed(self.release, settings)


_VIT = dict(arch=dict(_delete_=True, **ARCH), img_size=70, out_indices=TAPS)
_TIMM = dict(model_args=dict(embed_dim=DIMS, depth=5, num_heads=3), out_indices=TAPS)
_WINDOWS = dict(window_size=8, pretrained_window_sizes=(6, 6, 6, 3))
_SWIN2 = dict(_WINDOWS, embed_dim=24, depths=(2, 2, 4, 2), num_heads=(1, 2, 4, 8))
_SKIP = dict(channels=CHANNELS, resized='skip')
_HEAD = dict(embed_dims=DIMS, reassemble_channels=widths_of('tiny'), channels=CHANNELS)
_RAW = dict(channels=256, min_depth=None, clamp=(None, None))
_DINOV2 = (dict(_VIT, interpolate_mode='bicubic'), _HEAD | _RAW)
_CHMV2 = {**_SKIP, 'hidden_channels': 24, 'reassemble_channels': WIDTHS, 'bins.number': 16}
_dinov2 = partial(dinov2, 'tiny', image_size=70)
_beit = partial(beit, 'tiny', 80, WIDTHS, fusion_hidden_size=CHANNELS)
_chmv2 = partial(chmv2, 'tiny', post_process_channels=list(WIDTHS), fusion_hidden_size=CHANNELS)
_tips = partial(tips, 'tiny', image_size=70, fusion_hidden_size=CHANNELS, num_depth_bins=16)
NARROW = {
    'DINOv2': Narrow('dpt-dinov2-small-nyu', *_DINOV2, 14, _dinov2),
    'DINOv2 with SwiGLU': Narrow(
        'dpt-dinov2-giant-nyu', *_DINOV2, 14, partial(_dinov2, swiglu=True)
    ),
    'BEiT': Narrow(
        'midas-beit-base-384',
        dict(_TIMM, img_size=80),
        dict(_SKIP, reassemble_channels=WIDTHS),
        16,
        _beit,
    ),
    'Swin2': Narrow(
        'midas-swin2-large-384',
        dict(img_size=64, model_args=_SWIN2),
        _SKIP,
        32,
        partial(swin2, 24, 1, 4, CHANNELS, image_size=64, **_WINDOWS),
    ),
    'CHMv2': Narrow(
        'chmv2-large',
        _TIMM,
        _CHMV2,
        16,
        partial(_chmv2, head_hidden_size=24, number_output_channels=16),
    ),
    'TIPSv2': Narrow('dpt-tipsv2-base-nyu', _VIT, {**_HEAD, 'bins.number': 16}, 14, _tips),
    'TIPSv2, classes': Narrow(
        'dpt-tipsv2-base-ade20k',
        _VIT,
        dict(_HEAD, num_classes=7),
        14,
        partial(_tips, CLASSES, num_labels=7),
    ),
    'TIPSv2, normals': Narrow(
        'dpt-tipsv2-base-nyu-normals', _VIT, _HEAD, 14, partial(_tips, NORMALS)
    ),
}


def renamed(state, *names):
    """Replace parts of a state dict's keys; ``names`` are pairs of a part and its replacement."""
    result = {}
    for key, value in state.items():
        for part, replacement in names:
            key = key.replace(part, replacement)
        result[key] = value
    return result


def maps_of(model, image):
    """Run encoder and neck of transformers' DPT; its own forward takes an image to be square."""
    settings = dict(interpolate_pos_encoding=True) if model.config.is_hybrid else {}
    embedded = model.dpt.embeddings(image, **settings)
    tokens, maps = embedded.last_hidden_states, list(embedded.intermediate_activations or ())
    blocks = model.config.backbone_out_indices[len(maps) :]
    for index, layer in enumerate(model.dpt.encoder.layer):
        tokens = layer(tokens)
        maps += [tokens] if index in blocks else []
    return maps, model.neck(maps, image.shape[-2] // 16, image.shape[-1] // 16)


def predict(theirs, image):
    """Give their depth or logits at the image's size, or their normals with our axes."""
    if hasattr(theirs, 'dpt'):
        raw = theirs.head(maps_of(theirs, image)[1])
    else:
        output = theirs(image)
        if 'normals' in output:
            size = [image.shape[2:]] * len(image)
            found = Tipsv2DptImageProcessor().post_process_normal_estimation(output, size)
            return -F.normalize(torch.stack([each['normals'] for each in found]), dim=1)
        raw = output['logits'] if 'logits' in output else output['predicted_depth']
    return F.interpolate(raw if raw.ndim == 4 else raw[:, None], image.shape[2:], mode='bilinear')


def predict_ours(model, image):
    """Give the depth that training compares, logits or normals at the image's size."""
    head, taps = model.decode_head, model.backbone(image)
    if hasattr(head, 'predictor'):
        return head(taps)
    return head.predict(taps, [dict(img_shape=image.shape[2:])], model.test_cfg)

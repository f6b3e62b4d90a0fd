"""DINOv3 with DPT's depth head: SYNTHMIX's and CHMv2's (facebookresearch/dinov3@6876159,
eval/depth/models/dpt_head.py), and transformers' CHMv2ForDepthEstimation (5.23, models/chmv2).

DINOv3's own files hold the head alone.
"""

import re

from torch import Tensor

from mmdpt.checkpoints.layouts import decoder, dinov3, mmseg

from .layout import AFFINE, NUM_TAPS, Layout, StateDict, modules

BLOCK = 'head.fusion_layers.{k}'
EPS = 1e-5
"""PyTorch's, of a BatchNorm."""
CHMV2 = (
    'model.decode_head.hidden_channels=128; model.decode_head.bins is dict(low=0.008, high=96, '
    "spacing='mixed-log', epsilon=1e-8); mean and std as of dpt_dinov3-l16_canopy"
)


def _fold_batch_norm(state_dict: StateDict) -> dict[str, Tensor]:
    """Fold the normalisation of each tap, by statistics that stay, into its 1x1 convolution."""
    folded = dinov3.split_bias(state_dict)
    for key in [key for key in folded if '.batchnorm_layers.' in key]:
        value = folded.pop(key)
        if not key.endswith('.running_var'):
            continue
        norm = key.removesuffix('running_var')
        conv = re.sub(r'batchnorm_layers\.(\d+)\.', r'projects.\1.conv.', norm)
        factor = state_dict[f'{norm}weight'] / (value + EPS).sqrt()
        shift = state_dict[f'{norm}bias'] - state_dict[f'{norm}running_mean'] * factor
        weight = state_dict[f'{conv}weight']
        folded[f'{conv}weight'] = weight * factor[None, :, None, None]
        folded[f'{conv}bias'] = state_dict[f'{conv}bias'] + weight.flatten(1) @ shift
    return folded


LAYOUTS = (
    Layout(
        source='dinov3',
        marks=(r'^(decoder\.)?reassemble_blocks\.', r'^(decoder\.)?conv_depth\.head\.4\.'),
        pairs=(
            *dinov3.own('encoder.backbone.', gated=True),
            *mmseg.neck('reassemble', 'fusion', 'fusion bias', theirs='decoder'),
            *modules('project', ('decode_head.predictor.project', 'decoder.project.conv', AFFINE)),
            *decoder.depth_head('decoder.conv_depth.head'),
        ),
        required=('reassemble', 'fusion', 'depth head'),
        task='depth',
        dead=dinov3.masking('encoder.backbone.mask_token'),
        aliases=((r'^(?!encoder\.|decoder\.)', 'decoder.'),),
        prepare=_fold_batch_norm,
        settings='--cfg-options model.backbone.norm_taps=True model.decode_head.resized=skip; of '
        'SYNTHMIX: config dpt_dinov3-7b16_synthmix; of CHMv2: ' + CHMV2,
    ),
    Layout(
        source='huggingface',
        marks=(
            r'^backbone\.(model\.)?layer\.0\.',
            r'^head\.fusion_layers\.',
            r'^head\.conv_depth\.',
        ),
        pairs=(
            *dinov3.huggingface('backbone.', layer='model.layer'),
            *decoder.reassemble(
                range(NUM_TAPS),
                'head.reassemble_stage.readout_projects.{k}.0',
                'head.reassemble_stage.layers.{k}.projection',
                'head.reassemble_stage.layers.{k}.resize',
            ),
            *decoder.fusion(
                'head.convs.{k}',
                f'{BLOCK}.projection',
                f'{BLOCK}.residual_layer{{u}}',
                'convolution{i}',
                'norm{i}',
            ),
            *decoder.depth_head('head.conv_depth.head'),
        ),
        required=('encoder', 'reassemble', 'fusion', 'fusion bias', 'depth head'),
        task='depth',
        dead=dinov3.masking('backbone.embeddings.mask_token'),
        aliases=((r'^backbone\.layer\.', 'backbone.model.layer.'),),
        settings='--cfg-options model.backbone.norm_taps=True model.decode_head.resized=skip; '
        'model.backbone.model_name is vit_large_patch16_dinov3_qkvb; ' + CHMV2,
    ),
)

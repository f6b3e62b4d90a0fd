"""segmentation-models-pytorch's DPT (0.6, decoders/dpt/decoder.py, encoders/timm_vit.py)."""

import torch

from mmdpt.checkpoints.layouts import decoder, isl_org, timm
from mmdpt.errors import InputError

from .layout import AFFINE, NUM_TAPS, Layout, Pair, StateDict

COARSEST_UNIT = 'decoder.fusion_blocks.0.residual_conv_block1'


def _decoder() -> list[Pair]:
    tap, block = 'decoder.reassemble_blocks.{k}', 'decoder.fusion_blocks.{k}'
    return [
        *decoder.reassemble(
            range(NUM_TAPS),
            'decoder.projection_blocks.{k}.project.0',
            f'{tap}.project_to_out_channel',
            f'{tap}.upsample',
            part='decoder',
        ),
        *decoder.fusion(
            f'{tap}.project_to_feature_dim',
            f'{block}.project',
            f'{block}.residual_conv_block{{u}}',
            'conv_{i}',
            'batch_norm_{i}',
            part='decoder',
            bias_part=None,
            norm_part='decoder',
        ),
    ]


def _check(state_dict: StateDict) -> None:
    """Refuse files whose coarsest map is refined twice, unless that unit adds exactly zero.

    SMP runs the first unit of the coarsest block, which isl-org/DPT has and skips.
    """
    for leaf in AFFINE:
        key = f'{COARSEST_UNIT}.batch_norm_2.{leaf}'
        if key in state_dict and torch.count_nonzero(state_dict[key]) > 0:
            raise InputError(
                f'{key} is not zero: SMP runs {COARSEST_UNIT} on the coarsest map, which DPT and '
                'this model do not have, so the numbers would differ'
            )
    if 'classification_head.3.weight' in state_dict:
        raise InputError('classification_head.3.weight: this model has no classification output')


LAYOUTS = (
    Layout(
        source='smp',
        marks=(r'^encoder\.model\.blocks\.', r'^decoder\.fusion_blocks\.'),
        pairs=(
            *timm.vit('encoder.model.'),
            *_decoder(),
            *decoder.segmentation_head('segmentation_head.head'),
        ),
        required=timm.parts(False, 'decoder', 'segmentation head'),
        task='segmentation',
        dead=(
            *timm.unused('encoder.model.'),
            *isl_org.unused_unit(COARSEST_UNIT, 'conv_', 'batch_norm_'),
        ),
        check=_check,
        settings='--cfg-options model.backbone.interpolate_mode=bicubic-antialias; '
        'model.backbone.img_size is that of its encoder',
    ),
)

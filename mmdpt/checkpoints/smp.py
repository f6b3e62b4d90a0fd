"""segmentation-models-pytorch's DPT (0.6, decoders/dpt/decoder.py, encoders/timm_vit.py)."""

import torch

from mmdpt.checkpoints import isl_org, timm
from mmdpt.checkpoints.layout import (
    AFFINE,
    BATCH_NORM,
    NUM_TAPS,
    WEIGHT,
    Layout,
    Pair,
    StateDict,
    modules,
)
from mmdpt.errors import InputError

COARSEST_UNIT = 'decoder.fusion_blocks.0.residual_conv_block1'


def _decoder() -> list[Pair]:
    pairs = []
    for k in range(NUM_TAPS):
        ours, theirs = f'decode_head.reassemble.blocks.{k}', f'decoder.reassemble_blocks.{k}'
        block, fused = f'decode_head.fusion.blocks.{k}', f'decoder.fusion_blocks.{k}'
        pairs += modules(
            'readout', (f'{ours}.read.project', f'decoder.projection_blocks.{k}.project.0', AFFINE)
        )
        pairs += modules(
            'decoder',
            (f'{ours}.project', f'{theirs}.project_to_out_channel', AFFINE),
            *(((f'{ours}.resample', f'{theirs}.upsample', AFFINE),) if k != 2 else ()),
            (f'{ours}.to_fusion', f'{theirs}.project_to_feature_dim', WEIGHT),
            (f'{block}.project', f'{fused}.project', AFFINE),
        )
        for unit in (1, 2)[k == 0 :]:
            for i in (1, 2):
                ours_unit = f'{block}.residual_unit{unit}'
                unit_name = f'{fused}.residual_conv_block{unit}'
                pairs += modules(
                    'decoder',
                    (f'{ours_unit}.conv{i}', f'{unit_name}.conv_{i}', WEIGHT),
                    (f'{ours_unit}.norm{i}', f'{unit_name}.batch_norm_{i}', BATCH_NORM),
                )
    return pairs


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
            *modules(
                'segmentation head',
                ('decode_head.project.conv', 'segmentation_head.head.0', WEIGHT),
                ('decode_head.project.bn', 'segmentation_head.head.1', BATCH_NORM),
                ('decode_head.conv_seg', 'segmentation_head.head.4', AFFINE),
            ),
        ),
        required=timm.parts(False, 'decoder', 'segmentation head'),
        task='segmentation',
        dead=(
            *timm.unused('encoder.model.'),
            *isl_org.unused_unit(COARSEST_UNIT, 'conv_', 'batch_norm_'),
        ),
        check=_check,
        settings="img_size of its encoder; timm interpolates the position embedding by 'bicubic'",
    ),
)

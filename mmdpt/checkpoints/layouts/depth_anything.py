"""Depth Anything: its own files (Depth-Anything-V2 @a561b84, depth_anything_v2/dpt.py; V1 has the
same names) and transformers' (5.23, models/depth_anything), relative and metric."""

from mmdpt.checkpoints.layouts import decoder, dinov2, isl_org, transformers

from .layout import AFFINE, NUM_TAPS, Layout, Pair, modules

REQUIRED = ('encoder', 'reassemble', 'fusion', 'depth head')
MODE = "backbone: interpolate_mode='{}'; "
SETTINGS = 'metric models need decode_head.max_depth (20 indoor, 80 outdoor); ImageNet mean and std'


def _own_head() -> list[Pair]:
    theirs = 'depth_head'
    return [
        *isl_org.fusion(f'{theirs}.scratch'),
        *modules(
            'depth head',
            ('decode_head.predictor.conv1', f'{theirs}.scratch.output_conv1', AFFINE),
            ('decode_head.predictor.conv2', f'{theirs}.scratch.output_conv2.0', AFFINE),
            ('decode_head.predictor.conv3', f'{theirs}.scratch.output_conv2.2', AFFINE),
        ),
        *decoder.reassemble(
            range(NUM_TAPS),
            f'{theirs}.readout_projects.{{k}}.0',
            f'{theirs}.projects.{{k}}',
            f'{theirs}.resize_layers.{{k}}',
        ),
    ]


LAYOUTS = (
    Layout(
        source='depth-anything',
        marks=(r'^pretrained\.blocks\.', r'^depth_head\.scratch\.'),
        pairs=(*dinov2.own('pretrained.'), *_own_head()),
        required=REQUIRED,
        either=dinov2.EITHER,
        task='depth',
        dead=(
            dinov2.masking('pretrained.mask_token'),
            *isl_org.unused_unit('depth_head.scratch.refinenet4.resConfUnit1', 'conv', 'bn'),
        ),
        settings=MODE.format('bicubic-offset') + SETTINGS,
    ),
    Layout(
        source='huggingface',
        marks=(r'^backbone\.encoder\.layer\.', r'^neck\.fusion_stage\.', r'^head\.conv1\.'),
        pairs=(
            *dinov2.huggingface('backbone.'),
            *transformers.neck(range(NUM_TAPS)),
            *modules(
                'depth head',
                *((f'decode_head.predictor.conv{i}', f'head.conv{i}', AFFINE) for i in (1, 2, 3)),
            ),
        ),
        required=REQUIRED,
        either=dinov2.EITHER,
        task='depth',
        dead=(
            dinov2.masking('backbone.embeddings.mask_token'),
            *isl_org.unused_unit(
                'neck.fusion_stage.layers.0.residual_layer1', 'convolution', 'batch_norm'
            ),
        ),
        aliases=dinov2.ALIASES,
        settings=MODE.format('bicubic') + SETTINGS,
    ),
)

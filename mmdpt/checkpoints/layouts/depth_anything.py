"""Depth Anything, relative and metric: its own files (Depth-Anything-V2 @a561b84,
depth_anything_v2/dpt.py, whose names V1 has too; Depth-Anything-3 @2c21ea8, model/dpt.py) and
transformers' (5.23, models/depth_anything)."""

from mmdpt.checkpoints.layouts import decoder, dinov2, isl_org, transformers

from .layout import AFFINE, NUM_TAPS, Layout, Pair, modules

REQUIRED = ('encoder', 'reassemble', 'fusion', 'depth head')
SKY = 'decode_head.predictor.sky'
SETTINGS = (
    '--cfg-options model.backbone.interpolate_mode={0}; of a metric model '
    '--cfg-options model.backbone.interpolate_mode={0} model.decode_head.output=depth '
    'model.decode_head.max_depth=20.0; outdoors 80.0'
)
MODEL_3 = (
    '--cfg-options model.backbone.interpolate_mode=bicubic-offset '
    'model.backbone.norm_cfg.type=LN model.backbone.norm_cfg.eps=1e-5 '
    'model.backbone.layer_cfgs.norm_cfg.type=LN model.backbone.layer_cfgs.norm_cfg.eps=1e-6 '
    'model.decode_head.median_depth=1.0 model.decode_head.sky=True'
)
SETTINGS_3 = (
    f'{MODEL_3}; of the metric model {MODEL_3} model.decode_head.output=depth '
    'model.decode_head.canonical_focal=300.0'
)


def _own_head(theirs: str) -> list[Pair]:
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
        pairs=(*dinov2.own('pretrained.'), *_own_head('depth_head')),
        required=REQUIRED,
        either=dinov2.EITHER,
        task='depth',
        dead=(
            dinov2.masking('pretrained.mask_token'),
            *isl_org.unused_unit('depth_head.scratch.refinenet4.resConfUnit1', 'conv', 'bn'),
        ),
        settings=SETTINGS.format('bicubic-offset'),
    ),
    Layout(
        source='depth-anything',
        marks=(r'backbone\.pretrained\.blocks\.', r'head\.scratch\.sky_output_conv2\.'),
        pairs=(
            *dinov2.own('model.backbone.pretrained.'),
            *_own_head('model.head'),
            *modules(
                'sky',
                *(
                    (f'{SKY}.{i}', f'model.head.scratch.sky_output_conv2.{i}', AFFINE)
                    for i in (0, 2)
                ),
            ),
        ),
        required=(*REQUIRED, 'sky'),
        either=dinov2.EITHER,
        task='depth',
        aliases=((r'^(backbone\.pretrained|head)\.', r'model.\1.'),),
        settings=SETTINGS_3,
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
            *transformers.UNUSED_UNIT,
        ),
        aliases=dinov2.ALIASES,
        settings=SETTINGS.format('bicubic'),
    ),
)

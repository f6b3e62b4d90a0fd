"""TIPSv2 with DPT's depth head: the released files (google-deepmind/tips@4db271d) and transformers'
Tipsv2DptForDepthEstimation (5.23, models/tipsv2_dpt).

A released file also holds heads of normals and classes, which are left out.
"""

from torch import Tensor

from mmdpt.checkpoints.layouts import decoder, dinov2

from .layout import NUM_TAPS, Layout, Pair, StateDict, modules

OTHER_HEADS = ('normals_head.', 'segmentation_head.')
REQUIRED = ('encoder', 'registers', 'readout', 'reassemble', 'fusion', 'depth head')
SETTINGS = (
    '--cfg-options model.backbone.interpolate_mode=bilinear-antialias '
    'model.backbone.norm_taps=True model.backbone.num_register_tokens=1 '
    'model.backbone.layer_scale_init_value=1.0 '
    'model.decode_head.readout_type=project-tanh model.decode_head.conv_bias=False '
    'model.decode_head.resized=skip model.decode_head.project=True '
    'model.decode_head.hidden_channels=None model.data_preprocessor.mean=0,0,0 '
    'model.data_preprocessor.std=255,255,255; '
    'model.decode_head.bins=dict(low=0.001, high=10, epsilon=0.001)'
)


def _head(
    reassemble: tuple[str, str, str],
    convs: str,
    block: tuple[str, str, str],
    project: str,
    last: str,
) -> list[Pair]:
    out, unit, conv = block
    return [
        *decoder.reassemble(range(NUM_TAPS), *reassemble),
        *decoder.fusion(convs, out, unit, conv, 'norm{i}', bias_part=None),
        *modules('depth head', ('decode_head.predictor.project', project, ('weight', 'bias'))),
        *modules('depth head', ('decode_head.predictor.conv3', last, ('weight', 'bias'))),
    ]


def _as_convolution(state_dict: StateDict) -> dict[str, Tensor]:
    """Give the last linear layer the shape of a convolution, and leave other heads out."""
    return {
        key: value[:, :, None, None] if value.ndim == 2 and key.endswith('head.weight') else value
        for key, value in state_dict.items()
        if not key.startswith(OTHER_HEADS)
    }


def _as_linear(state_dict: StateDict) -> dict[str, Tensor]:
    """Give it back the shape of a linear layer."""
    return {
        key: value.flatten(1) if key.endswith('head.weight') else value
        for key, value in state_dict.items()
    }


LAYOUTS = (
    Layout(
        source='tips',
        marks=(r'^vision_encoder\.blocks\.', r'^depth_head\.reassemble\.'),
        pairs=(
            *dinov2.own('vision_encoder.'),
            *_head(
                (
                    'depth_head.reassemble.readout_projects.{k}',
                    'depth_head.reassemble.out_projections.{k}',
                    'depth_head.reassemble.resize_layers.{k}',
                ),
                'depth_head.convs.{k}',
                (
                    'depth_head.fusion_blocks.{k}.out_conv',
                    'depth_head.fusion_blocks.{k}.unit{u}',
                    'conv{i}',
                ),
                'depth_head.project',
                'depth_head.depth_head',
            ),
        ),
        required=REQUIRED,
        either=dinov2.EITHER,
        task='depth',
        dead=(dinov2.masking('vision_encoder.mask_token'),),
        aliases=(
            (r'\.residual_unit\.', '.unit1.'),
            (r'\.main_unit\.', '.unit2.'),
            (r'\.mlp\.c_fc\.', '.mlp.fc1.'),
            (r'\.mlp\.c_proj\.', '.mlp.fc2.'),
        ),
        prepare=_as_convolution,
        restore=_as_linear,
        settings=SETTINGS,
    ),
    Layout(
        source='huggingface',
        marks=(r'^backbone\.embeddings\.register_tokens$', r'^decoder\.project\.'),
        pairs=(
            *dinov2.huggingface('backbone.'),
            *_head(
                (
                    'neck.reassemble_stage.readout_projects.{k}.layers.0',
                    'neck.reassemble_stage.layers.{k}.projection',
                    'neck.reassemble_stage.layers.{k}.resize',
                ),
                'neck.convs.{k}',
                (
                    'neck.fusion_stage.layers.{k}.projection',
                    'neck.fusion_stage.layers.{k}.residual_layer{u}',
                    'convolution{i}',
                ),
                'decoder.project',
                'decoder.head',
            ),
        ),
        required=REQUIRED,
        either=dinov2.EITHER,
        task='depth',
        dead=(dinov2.masking('backbone.embeddings.mask_token'),),
        prepare=_as_convolution,
        restore=_as_linear,
        settings=SETTINGS,
    ),
)

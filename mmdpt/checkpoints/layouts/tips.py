"""TIPSv2 with DPT's heads of depth, classes and normals: the released files
(google-deepmind/tips@4db271d), and transformers' Tipsv2DptForDepthEstimation,
Tipsv2DptForSemanticSegmentation and Tipsv2DptForNormalEstimation (5.23).

A released file holds all three heads, and one of them is read. Its normals have x left, y up, z
towards the camera, as the pictures in the source's TIPS_decoder_inference.ipynb show: (n + 1) / 2
is red where a wall faces left, green on floors, blue on what faces the camera. Ours are the
opposite in every axis, and so is the last layer.
"""

from collections.abc import Callable

from torch import Tensor

from mmdpt.checkpoints.layouts import decoder, dinov2

from .layout import AFFINE, NUM_TAPS, Layout, Pair, StateDict, modules

HEADS = ('depth_head.', 'segmentation_head.', 'normals_head.')
SETTINGS = (
    '--cfg-options model.backbone.interpolate_mode=bilinear-antialias '
    'model.backbone.norm_taps=True model.backbone.num_register_tokens=1 '
    'model.backbone.layer_scale_init_value=1.0 '
    'model.decode_head.readout_type=project-tanh model.decode_head.conv_bias=False '
    'model.decode_head.resized=skip model.data_preprocessor.mean=0,0,0 '
    'model.data_preprocessor.std=255,255,255 '
)
OF_HEAD = {
    'depth': 'model.decode_head.project=True model.decode_head.hidden_channels=None; '
    'model.decode_head.bins=dict(low=0.001, high=10, epsilon=0.001)',
    'segmentation': 'model.decode_head.norm_cfg=None model.decode_head.act_cfg=None '
    'model.decode_head.align_corners=False model.decode_head.auxiliary_weight=0',
    'normals': 'model.type=NormalsEstimator model.decode_head.type=NormalsDPTHead',
}
LAST = {
    'depth': ('decode_head.predictor.project', 'decode_head.predictor.conv3'),
    'segmentation': ('decode_head.project.conv', 'decode_head.conv_seg'),
    'normals': ('decode_head.project', 'decode_head.conv_normals'),
}
"""Our names of the last two convolutions."""


def _head(
    task: str,
    reassemble: tuple[str, str, str],
    convs: str,
    block: tuple[str, str, str],
    last: tuple[str, str],
) -> list[Pair]:
    out, unit, conv = block
    return [
        *decoder.reassemble(range(NUM_TAPS), *reassemble),
        *decoder.fusion(convs, out, unit, conv, 'norm{i}', bias_part=None),
        *modules(
            f'{task} head',
            *((ours, theirs, AFFINE) for ours, theirs in zip(LAST[task], last, strict=True)),
        ),
    ]


def _with_head(task: str) -> Callable[[StateDict], dict[str, Tensor]]:
    """Leave out all heads but one, whose last linear layer gets the shape of a convolution."""
    others = tuple(head for head in HEADS if head != f'{task}_head.')

    def prepare(state_dict: StateDict) -> dict[str, Tensor]:
        return {
            key: value[:, :, None, None] if key.endswith('head.weight') else value
            for key, value in _turned(state_dict, task).items()
            if not key.startswith(others)
        }

    return prepare


def _as_linear(task: str) -> Callable[[StateDict], dict[str, Tensor]]:
    """Give the last layer back the shape of a linear one."""

    def restore(state_dict: StateDict) -> dict[str, Tensor]:
        return {
            key: value.flatten(1) if key.endswith('head.weight') else value
            for key, value in _turned(state_dict, task).items()
        }

    return restore


def _turned(state_dict: StateDict, task: str) -> StateDict:
    """Bring the last layer of normals from their axes to ours, or back."""
    last = ('head.weight', 'head.bias') if task == 'normals' else ()
    return {key: -value if key.endswith(last) else value for key, value in state_dict.items()}


def _layout(
    task: str,
    source: str,
    marks: tuple[str, ...],
    encoder: list[Pair],
    mask: str,
    head: list[Pair],
    aliases: tuple[tuple[str, str], ...] = (),
) -> Layout:
    return Layout(
        source=source,
        marks=marks,
        pairs=(*encoder, *head),
        required=('encoder', 'registers', 'readout', 'reassemble', 'fusion', f'{task} head'),
        either=dinov2.EITHER,
        task=task,
        dead=(dinov2.masking(mask),),
        aliases=aliases,
        prepare=_with_head(task),
        restore=_as_linear(task),
        settings=SETTINGS + OF_HEAD[task],
    )


def _own(task: str) -> Layout:
    head = f'{task}_head'
    return _layout(
        task,
        'tips',
        (r'^vision_encoder\.blocks\.', rf'^{head}\.reassemble\.'),
        dinov2.own('vision_encoder.'),
        'vision_encoder.mask_token',
        _head(
            task,
            (
                f'{head}.reassemble.readout_projects.{{k}}',
                f'{head}.reassemble.out_projections.{{k}}',
                f'{head}.reassemble.resize_layers.{{k}}',
            ),
            f'{head}.convs.{{k}}',
            (
                f'{head}.fusion_blocks.{{k}}.out_conv',
                f'{head}.fusion_blocks.{{k}}.unit{{u}}',
                'conv{i}',
            ),
            (f'{head}.project', f'{head}.{head}'),
        ),
        aliases=(
            (r'\.residual_unit\.', '.unit1.'),
            (r'\.main_unit\.', '.unit2.'),
            (r'\.mlp\.c_fc\.', '.mlp.fc1.'),
            (r'\.mlp\.c_proj\.', '.mlp.fc2.'),
        ),
    )


def _huggingface(task: str) -> Layout:
    return _layout(
        task,
        'huggingface',
        (r'^backbone\.embeddings\.register_tokens$', r'^decoder\.project\.'),
        dinov2.huggingface('backbone.'),
        'backbone.embeddings.mask_token',
        _head(
            task,
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
            ('decoder.project', 'decoder.head'),
        ),
    )


LAYOUTS = tuple(layout(task) for layout in (_own, _huggingface) for task in LAST)

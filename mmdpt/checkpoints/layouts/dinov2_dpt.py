"""DINOv2 with DPT's depth head: facebookresearch/dinov2@b8931f7, hub/depth/decode_heads.py, and
transformers' DPTForDepthEstimation (5.23).

DINOv2's own files hold the head alone.
"""

from mmdpt.checkpoints.layouts import decoder, dinov2, mmseg, timm, transformers

from .layout import AFFINE, NUM_TAPS, Layout, Pair, modules

FINAL_NORM = 'backbone.ln1'
HEAD = ('reassemble', 'fusion', 'depth head')
SETTINGS = (
    '--cfg-options model.backbone.interpolate_mode={} model.backbone.layer_scale_init_value=1.0 '
    'model.decode_head.project=True model.decode_head.resized=skip '
    'model.decode_head.conv_bias=False{} model.data_preprocessor.mean=123.675,116.28,103.53 '
    'model.data_preprocessor.std=58.395,57.12,57.375'
)


def without_norm(encoder: list[Pair]) -> tuple[Pair, ...]:
    """Leave out the final norm, which taps do not have here."""
    return tuple(pair for pair in encoder if not pair.ours.startswith(FINAL_NORM))


def _head(project: str, layers: str) -> list[Pair]:
    return [
        *modules('depth head', ('decode_head.predictor.project', project, AFFINE)),
        *decoder.depth_head(layers),
    ]


LAYOUTS = (
    Layout(
        source='dinov2',
        marks=(r'^decode_head\.reassemble_blocks\.', r'^decode_head\.conv_depth\.head\.4\.'),
        pairs=(
            *without_norm(dinov2.own('backbone.')),
            *mmseg.neck('reassemble', 'fusion'),
            *_head('decode_head.project.conv', 'decode_head.conv_depth.head'),
        ),
        required=HEAD,
        task='depth',
        dead=(dinov2.masking('backbone.mask_token'), *timm.unused_norm('backbone.norm')),
        settings=SETTINGS.format('bicubic-offset', ' model.decode_head.min_depth=0.001'),
    ),
    Layout(
        source='huggingface',
        marks=(r'^backbone\.encoder\.layer\.', r'^neck\.fusion_stage\.', r'^head\.projection\.'),
        pairs=(
            *without_norm(dinov2.huggingface('backbone.')),
            *transformers.neck(range(NUM_TAPS)),
            *_head('head.projection', 'head.head'),
        ),
        required=('encoder', *HEAD),
        either=dinov2.EITHER,
        task='depth',
        dead=(
            dinov2.masking('backbone.embeddings.mask_token'),
            *timm.unused_norm('backbone.layernorm'),
            *transformers.UNUSED_UNIT,
        ),
        aliases=dinov2.ALIASES,
        settings=SETTINGS.format('bicubic', ''),
    ),
)

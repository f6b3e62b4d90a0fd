"""CHMv2, canopy heights on DINOv3: transformers' CHMv2ForDepthEstimation (5.23, models/chmv2)."""

from mmdpt.checkpoints.layouts import decoder, dinov3

from .layout import NUM_TAPS, Layout

BLOCK = 'head.fusion_layers.{k}'

LAYOUTS = (
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
        settings='--cfg-options model.backbone.norm_taps=True model.decode_head.resized=skip '
        'model.decode_head.hidden_channels=128; model.backbone.model_name is '
        'vit_large_patch16_dinov3_qkvb, model.decode_head.bins dict(low=0.008, high=96, '
        "spacing='mixed-log', epsilon=1e-8); mean and std as of dpt_dinov3-l16_canopy",
    ),
)

"""Our tiny DPT, on ViT and hybrid: five layers of 48 channels, seven classes, images of 96 px."""

import tiny
from torch import nn

from mmdpt.apis import build_model
from mmdpt.checkpoints import to_ours
from mmdpt.models import DepthDPTHead, DPTHead, VisionTransformerDPT

DIMS, CLASSES, CHANNELS, WIDTHS, TAPS = 48, 7, 32, (16, 32, 48, 64), (0, 1, 3, 4)
ARCH = dict(embed_dims=DIMS, num_layers=5, num_heads=3, feedforward_channels=4 * DIMS)
STEM = dict(type='ResNetV2', depths=(1, 2, 2), base_channels=32, standardization='var')
STAGES = (128, 256, 512)
"""Channels of the stem's maps."""


def encoder(**settings):
    """Build the backbone."""
    return VisionTransformerDPT(**(dict(arch=ARCH, img_size=96, out_indices=TAPS) | settings))


def build(task, hybrid=False, img_size=96, auxiliary=True, backbone=(), head=()):
    """Build backbone and head with random weights; the last two change their arguments."""
    settings = dict(img_size=img_size)
    head_settings = dict(embed_dims=DIMS, reassemble_channels=WIDTHS, channels=CHANNELS)
    if hybrid:
        settings |= dict(stem=STEM, out_indices=TAPS[2:])
        head_settings |= dict(
            embed_dims=(*STAGES[:2], DIMS, DIMS),
            reassemble_channels=(None, None, *WIDTHS[2:]),
            reassemble_scales=(1, 1, 1, 0.5),
            patch_size=4,
        )
    if task == 'segmentation':
        head_settings |= dict(
            num_classes=CLASSES,
            norm_cfg=dict(type='BN'),
            auxiliary_weight=0.2 if auxiliary else 0,
            loss_decode=dict(type='mmseg.CrossEntropyLoss', avg_non_ignore=True),
        )
    head_class = DepthDPTHead if task == 'depth' else DPTHead
    modules = dict(
        backbone=encoder(**(settings | dict(backbone))),
        decode_head=head_class(**(head_settings | dict(head))),
    )
    return tiny.draw_weights(nn.ModuleDict(modules), seed=1)


def changed(name, settings):
    """Build the model of a config or release with other settings: {'backbone.img_size': 96}."""
    return build_model(name, [f'model.{key}={value}' for key, value in settings.items()]).eval()


def narrow(name, recorded, layers, widths, settings):
    """Build the model of a config or release with the sizes of a recorded one, and settings."""
    dims = recorded['DIMS']
    arch = dict(embed_dims=dims, num_layers=layers, num_heads=recorded['HEADS'])
    sizes = {
        'backbone.arch': dict(_delete_=True, feedforward_channels=4 * dims, **arch),
        'backbone.img_size': recorded['SIDE'],
        'decode_head.embed_dims': dims,
        'decode_head.reassemble_channels': widths,
        'decode_head.channels': recorded['CHANNELS'],
    }
    return changed(name, sizes | settings)


def converted(state_dict, source, task='backbone'):
    """Convert a state dict of a known task; an encoder's is for the backbone alone."""
    weights, report = to_ours(state_dict, source)
    assert report.task == task
    prefix = 'backbone.' if task == 'backbone' else ''
    return {key.removeprefix(prefix): value for key, value in weights.items()}

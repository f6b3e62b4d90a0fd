"""Tiny models of ours, and what isl-org/DPT's state dicts hold."""

import json
import runpy
import zlib
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch

from mmdpt.models import DepthDPTHead, DPTHead, VisionTransformerDPT

DIMS, HEADS, LAYERS, CLASSES, CHANNELS = 48, 3, 5, 7, 32
WIDTHS = (16, 32, 48, 64)
OUT_INDICES = (0, 1, 3, 4)
REFERENCE = runpy.run_path(str(Path(__file__).with_name('record_isl_org.py')))
STAGES, DEPTHS, BASE = (128, 256, 512), (1, 2, 2), 32


def build(task, hybrid=False, img_size=96, auxiliary=True, backbone=(), head=()):
    settings = dict(
        arch=dict(
            embed_dims=DIMS, num_layers=LAYERS, num_heads=HEADS, feedforward_channels=4 * DIMS
        ),
        img_size=img_size,
        out_indices=OUT_INDICES[2:] if hybrid else OUT_INDICES,
    )
    head_settings = dict(embed_dims=DIMS, reassemble_channels=WIDTHS, channels=CHANNELS)
    if hybrid:
        settings['stem'] = dict(
            type='ResNetV2', depths=DEPTHS, base_channels=BASE, standardization='var'
        )
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
    return tiny.draw_weights(
        torch.nn.ModuleDict(
            dict(
                backbone=VisionTransformerDPT(**(settings | dict(backbone))),
                decode_head=head_class(**(head_settings | dict(head))),
            )
        ),
        seed=1,
    )


@pytest.fixture(scope='session')
def build_model():
    """Build a tiny model of ours, with random weights."""
    return build


@pytest.fixture(scope='session')
def isl_org():
    """What record_isl_org.py recorded: commits, versions and shapes, and outputs by name."""
    with np.load(REFERENCE['OUTPUTS']) as file:
        about = json.loads(zlib.decompress(file['about'].tobytes()))
        return about, {name: torch.from_numpy(file[name]) for name in file if name != 'about'}


@pytest.fixture(scope='session')
def isl_org_state(isl_org):
    """Give the state dict of one of isl-org's own models, such as 'base-midas', narrow."""
    return lambda name: {
        key: REFERENCE['fill'](key, shape) for key, shape in isl_org[0]['shapes'][name].items()
    }

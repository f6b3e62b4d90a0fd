"""Releases' own configs, at their size, equal transformers' models of the published sizes."""

import re
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import families
import pytest
import timm
import torch
import torch.nn.functional as F
from families import CLASSES, NORMALS, beit, chmv2, dinov2, hybrid, plain, swin2, tips
from mmengine.registry import init_default_scope
from mmseg.models.decode_heads.dpt_head import DPTHead
from torch import nn

from mmdpt.checkpoints import to_ours
from mmdpt.checkpoints.convert import task_of
from mmdpt.checkpoints.filling import ParametersUnset
from mmdpt.config import load_config
from mmdpt.inference.model import build_model
from mmdpt.registry import MODELS

pytestmark = [pytest.mark.parity, pytest.mark.nightly]
WIDE_WINDOWS = dict(image_size=384, window_size=24, pretrained_window_sizes=[12, 12, 12, 6])


class Swin(nn.Module):
    """timm's own Swin, whose maps are not normed, before transformers' neck and head."""

    def __init__(self):
        super().__init__()
        self.decoder = swin2(192, 6, depth=2)
        name = 'swin_large_patch4_window12_384'
        self.encoder = timm.create_model(name, features_only=True, strict_img_size=False)

    def ours(self):
        """Give its weights under this project's names."""
        names = (re.sub(r'^layers_', 'layers.', key) for key in self.encoder.state_dict())
        values = self.encoder.state_dict().values()
        converted, _ = to_ours(self.decoder.state_dict())
        return {
            **{f'backbone.timm_model.{k}': v for k, v in zip(names, values, strict=True)},
            **{key: v for key, v in converted.items() if key.startswith('decode_head.')},
        }

    def forward(self, image):
        maps = [feature.permute(0, 3, 1, 2) for feature in self.encoder(image)]
        return dict(predicted_depth=self.decoder.head(self.decoder.neck(maps)))


class Row(NamedTuple):
    """A release, its reference, sizes [px], and options for the reference's numbers."""

    name: str
    build: Callable
    sizes: tuple
    options: tuple = ()


SKIP = 'model.decode_head.resized=skip'
DINOV2 = ('model.backbone.interpolate_mode=bicubic', 'model.decode_head.min_depth=None')
OF_14, OF_16, OF_32 = ((518, 518), (392, 518)), ((384, 384), (272, 512)), ((384, 384), (288, 416))
OF_WINDOWS = ((384, 384), (192, 576))
TIPS = ((448, 448), (350, 518))
ROWS = (
    Row('dpt-large-midas', plain, OF_16, (SKIP,)),
    Row('dpt-hybrid-midas', hybrid, OF_16, (SKIP, 'model.backbone.stem.standardization=var')),
    Row('dpt-dinov2-small-nyu', partial(dinov2, 'small'), OF_14, DINOV2),
    Row('dpt-dinov2-base-kitti', partial(dinov2, 'base'), OF_14, DINOV2),
    Row('dpt-dinov2-large-nyu', partial(dinov2, 'large', (4, 11, 17, 23)), OF_14, DINOV2),
    Row('midas-beit-base-384', partial(beit, 'base', 384, [96, 192, 384, 768]), OF_16, (SKIP,)),
    Row(
        'midas-beit-large-512',
        partial(beit, 'large', 512, [256, 512, 1024, 1024]),
        ((512, 512), (272, 400)),
        (SKIP,),
    ),
    Row(
        'midas-swin2-tiny-256',
        partial(swin2, 96, 3, 6, image_size=256, window_size=16),
        ((256, 256), (128, 384)),
        (SKIP,),
    ),
    Row('midas-swin2-base-384', partial(swin2, 128, 4, **WIDE_WINDOWS), OF_WINDOWS, (SKIP,)),
    Row('midas-swin2-large-384', partial(swin2, 192, 6, **WIDE_WINDOWS), OF_WINDOWS, (SKIP,)),
    Row('midas-swin-large-384', Swin, OF_32, (SKIP,)),
    Row('dpt-tipsv2-base-nyu', partial(tips, 'base'), TIPS),
    Row('dpt-tipsv2-large-nyu', partial(tips, 'large'), TIPS),
    Row('dpt-tipsv2-base-nyu-normals', partial(tips, 'base', NORMALS), TIPS),
    Row('dpt-tipsv2-large-nyu-normals', partial(tips, 'large', NORMALS), TIPS),
    Row('dpt-tipsv2-base-ade20k', partial(tips, 'base', CLASSES), TIPS),
    Row('dpt-tipsv2-large-ade20k', partial(tips, 'large', CLASSES), TIPS),
    Row('chmv2-large', chmv2, ((416, 416), (272, 400))),
)


def draw_weights(model):
    """Draw weights that keep the scale from layer to layer."""
    random = torch.Generator().manual_seed(0)
    for name, parameter in model.named_parameters():
        bound = (3 / parameter[0].numel()) ** 0.5 if parameter.ndim in (2, 4) else 0.5
        nn.init.uniform_(parameter, -bound, bound, generator=random)
        if parameter.ndim == 1 and name.endswith('weight'):
            parameter.data += 1
        if name.endswith('head.head.4.weight'):
            parameter.data.abs_()  # positive before the ReLU
        if name.endswith('decoder.head.bias') and len(parameter) == 3:
            parameter.data += 9  # no normal is the direction of next to nothing
    return model.eval()


def draw(*shape, seed=1):
    return torch.rand(1, *shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def assert_equal(name, output, expected):
    spread, size = expected.max() - expected.min(), tuple(expected.shape[2:])
    error = ((output - expected).abs().max() / torch.min(spread, expected.abs().max())).item()
    print(f'{name} {size}: {error:.1e}')
    assert expected.std() > 1e-3 * expected.abs().max() > 0 and error <= 1e-4


@pytest.mark.parametrize('row', ROWS, ids=lambda row: row.name)
@torch.no_grad()
def test_a_released_config_equals_its_reference(row):
    """Square and not; where the windows allow, with an odd number of patches a side."""
    with ParametersUnset():
        theirs, ours = row.build(), build_model(row.name, row.options).eval()
    state, task = draw_weights(theirs).state_dict(), task_of(ours.state_dict())
    ours.load_state_dict(theirs.ours() if row.build is Swin else to_ours(state, task=task)[0])
    print(f'{row.name}: {sum(p.numel() for p in ours.parameters()) / 1e6:.1f} M')
    for size in row.sizes:
        image = draw(3, *size)
        assert_equal(row.name, families.predict_ours(ours, image), families.predict(theirs, image))


@torch.no_grad()
def test_the_head_of_synthmix_equals_mmsegs():
    """DINOv3's was made from it. The encoder, a 7B, is left out: taps are random."""
    width, channels, bins = 4096, 512, 256
    with ParametersUnset():
        theirs = DPTHead(
            in_channels=[width] * 4,
            in_index=[0, 1, 2, 3],
            input_transform='multiple_select',
            channels=channels,
            num_classes=bins,
            embed_dims=width,
            post_process_channels=[2048] * 4,
            norm_cfg=None,
        )
        theirs.conv_seg = nn.Sequential(
            nn.Conv2d(channels, channels // 2, 3, padding=1),
            nn.Upsample(scale_factor=2, mode='bilinear', align_corners=True),
            nn.Conv2d(channels // 2, 32, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, bins, 1),
        )
        theirs.reassemble_blocks.batchnorm_layers = norms = nn.ModuleList(
            nn.BatchNorm2d(width) for _ in range(4)
        )
        cfg = load_config('dpt_dinov3-7b16_synthmix')
        init_default_scope(cfg.default_scope)
        sizes = dict(embed_dims=(width,) * 4, patch_size=16)
        head = MODELS.build(dict(cfg.model.decode_head, **sizes)).eval()
    for norm in norms:
        norm.running_mean.uniform_(-0.5, 0.5)
        norm.running_var.uniform_(0.5, 1.5)
    state = draw_weights(theirs).state_dict()
    converted, report = to_ours(
        {key.replace('conv_seg.', 'conv_depth.head.'): v for key, v in state.items()}
    )
    assert report.source == 'dinov3'
    head.load_state_dict({k.removeprefix('decode_head.'): v for k, v in converted.items()})
    print(f'SYNTHMIX: {sum(p.numel() for p in head.parameters()) / 1e6:.1f} M')
    for grid in ((24, 24), (17, 32)):
        taps = [(draw(width, *grid, seed=tap), draw(width)) for tap in range(4)]
        shares = theirs(
            [[norm(tap), token] for norm, (tap, token) in zip(norms, taps, strict=True)]
        )
        shares = shares.relu() + 0.1
        depths = torch.linspace(0.001, 100, bins)[:, None, None]
        expected = (shares * depths).sum(1, keepdim=True) / shares.sum(1, keepdim=True)
        size = [16 * side for side in grid]
        assert_equal('SYNTHMIX', head(taps), F.interpolate(expected, size, mode='bilinear'))

"""MiDaS 3.1 on Swin-L and Next-ViT-L become ours without remainder and give their disparity."""

import runpy
from pathlib import Path

import pytest
import torch

from mmdpt.checkpoints import to_foreign, to_ours
from mmdpt.checkpoints.filling import ParametersUnset
from mmdpt.models import DepthDPTHead, TimmDPTBackbone

REFERENCE = runpy.run_path(str(Path(__file__).with_name('record_midas.py')))
ISL_ORG = REFERENCE['REFERENCE']
SWIN = dict(REFERENCE['ENCODER'])
ENCODERS = dict(
    swin=dict(
        model_name='swin_large_patch4_window12_384',
        img_size=SWIN.pop('img_size'),
        model_args=SWIN,
    ),
    next_vit=dict(model_name='nextvit_large'),
)


@pytest.mark.parity
@pytest.mark.parametrize('kind', ENCODERS)
def test_disparity_equals_its_own(kind):
    outputs, about = ISL_ORG['load'](REFERENCE['outputs'](kind))
    expected, shapes = outputs['depth'], about['shapes']
    theirs = ISL_ORG['filled'](shapes, REFERENCE['fill'])
    with ParametersUnset():
        encoder = TimmDPTBackbone(**ENCODERS[kind])
    head = DepthDPTHead(channels=REFERENCE['CHANNELS'], **encoder.head_cfg)
    ours = torch.nn.ModuleDict(dict(backbone=encoder, decode_head=head)).eval()
    converted, report = to_ours(theirs)
    assert (report.source, report.task) == ('isl-org', 'depth')
    ours.load_state_dict(converted)
    back, _ = to_foreign(ours.state_dict(), 'isl-org')
    assert {key: list(value.shape) for key, value in back.items()} == shapes
    assert all(torch.equal(back[key], theirs[key]) for key in theirs if key not in report.dropped)
    stride, image = REFERENCE['STRIDE'], ISL_ORG['image'](REFERENCE['SIZES'][kind])
    with torch.no_grad():
        disparity = head(encoder(image))[0, 0, ::stride, ::stride]
    assert (disparity - expected).abs().max() <= 1e-5 * expected.max()

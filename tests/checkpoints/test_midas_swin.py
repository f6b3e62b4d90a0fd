"""MiDaS 3.1 on Swin-L becomes ours without remainder and gives its own network's disparity."""

import json
import runpy
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from mmdpt.checkpoints import to_foreign, to_ours
from mmdpt.models import DepthDPTHead, TimmDPTBackbone

REFERENCE = runpy.run_path(str(Path(__file__).with_name('record_midas_swin.py')))


@pytest.mark.parity
def test_disparity_equals_its_own():
    with np.load(REFERENCE['OUTPUTS']) as file:
        shapes = json.loads(zlib.decompress(file['about'].tobytes()))['shapes']
        expected = torch.from_numpy(file['depth'])
    fill, image = (REFERENCE['REFERENCE'][name] for name in ('fill', 'image'))
    theirs = {key: fill(key, tuple(shape)) for key, shape in shapes.items()}
    settings = dict(REFERENCE['ENCODER'])
    size = settings.pop('img_size')
    encoder = TimmDPTBackbone('swin_large_patch4_window12_384', img_size=size, model_args=settings)
    head = DepthDPTHead(channels=REFERENCE['CHANNELS'], **encoder.head_cfg)
    ours = torch.nn.ModuleDict(dict(backbone=encoder, decode_head=head)).eval()
    converted, report = to_ours(theirs)
    assert (report.source, report.task) == ('isl-org', 'depth')
    ours.load_state_dict(converted)
    back, _ = to_foreign(ours.state_dict(), 'isl-org')
    assert all(torch.equal(back[key], theirs[key]) for key in theirs if key not in report.dropped)
    stride = REFERENCE['STRIDE']
    with torch.no_grad():
        disparity = head(encoder(image((size, size))))[0, 0, ::stride, ::stride]
    assert (disparity - expected).abs().max() <= 1e-5 * expected.max()

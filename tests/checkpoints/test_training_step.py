"""A converted model of every family trains further: one step moves every parameter."""

import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from tiny_dpt import STEM, build

from mmdpt.checkpoints import compare, to_foreign, to_ours

SIZE = (64, 96)
DINOV2 = dict(norm_taps=True, layer_scale_init_value=1.0)
RELATIVE = dict(output='relative', loss_decode=[dict(type='SSITrimmedLoss')])
METRIC = dict(output='depth', loss_decode=[dict(type='SiLogLoss')])
INVERTED = METRIC | dict(inversion=(0.000305, 0.1378))
BOUNDED = METRIC | dict(max_depth=20.0)
ANYTHING = dict(readout_type='ignore')
STD = dict(stem=STEM | dict(standardization='std'))
FAMILIES = [  # source, task, hybrid, and settings of backbone and head
    ('isl-org', 'depth', False, dict(head=RELATIVE)),
    ('isl-org', 'depth', True, dict(backbone=STD, head=INVERTED)),
    ('isl-org', 'segmentation', False, {}),
    ('isl-org', 'segmentation', True, dict(backbone=STD)),
    ('huggingface', 'depth', False, dict(head=RELATIVE)),
    ('huggingface', 'depth', True, dict(head=RELATIVE)),
    ('huggingface', 'segmentation', False, {}),
    ('huggingface', 'segmentation', True, {}),
    ('huggingface', 'depth', False, dict(backbone=DINOV2, head=ANYTHING | BOUNDED)),
    ('depth-anything', 'depth', False, dict(backbone=DINOV2, head=ANYTHING | RELATIVE)),
    ('mmseg', 'segmentation', False, dict(auxiliary=False)),
    ('smp', 'segmentation', False, dict(auxiliary=False)),
]


def loss_of(model, task):
    """Of two images with random targets."""
    samples = []
    for _ in range(2):
        sample = SegDataSample(metainfo=dict(img_shape=SIZE))
        if task == 'depth':
            sample.gt_depth_map = PixelData(data=1 + 9 * torch.rand(1, *SIZE))
        else:
            sample.gt_sem_seg = PixelData(data=torch.randint(0, 7, (1, *SIZE)))
        samples.append(sample)
    taps = model['backbone'](torch.randn(2, 3, *SIZE))
    losses = model['decode_head'].loss(taps, samples, {})
    return sum(value for name, value in losses.items() if 'loss' in name)


@pytest.mark.parametrize(('source', 'task', 'hybrid', 'settings'), FAMILIES)
def test_one_step_moves_every_parameter(source, task, hybrid, settings):
    theirs, _ = to_foreign(build(task, hybrid, **settings).state_dict(), source)
    unused = 'decoder.fusion_blocks.0.residual_conv_block1.'  # SMP runs it; zero, it adds nothing
    theirs.update({k: torch.zeros_like(v) for k, v in theirs.items() if k.startswith(unused)})
    converted, report = to_ours(theirs)
    assert report.source == source
    model = build(task, hybrid, **settings).train()
    assert compare(model, converted).fills
    model.load_state_dict(converted)
    if task == 'depth':  # so that the last ReLU passes something
        model['decode_head'].predictor.conv3.bias.data.fill_(2.0)
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.0)
    loss = loss_of(model, task)
    loss.backward()
    optimizer.step()
    assert loss.isfinite()
    for name, value in model.named_parameters():
        assert value.grad is not None and value.grad.abs().max() > 0, name
        assert not torch.equal(value, before[name]), name

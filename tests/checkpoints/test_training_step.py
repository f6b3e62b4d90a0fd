"""A converted model of every family trains further: one step moves every parameter."""

import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmdpt.checkpoints import compare, to_foreign, to_ours

SIZE = (64, 96)
DINOV2 = dict(
    backbone=dict(norm_taps=True, layer_scale_init_value=1.0), head=dict(readout_type='ignore')
)
RELATIVE = dict(output='relative', loss_decode=[dict(type='SSITrimmedLoss')])
METRIC = dict(output='depth', loss_decode=[dict(type='SiLogLoss')])
INVERTED = METRIC | dict(inversion=(0.000305, 0.1378))
RELATIVE_DINOV2 = DINOV2 | dict(head=DINOV2['head'] | RELATIVE)
METRIC_DINOV2 = DINOV2 | dict(head=DINOV2['head'] | METRIC | dict(max_depth=20.0))
STD = dict(stem=dict(type='ResNetV2', depths=(1, 2, 2), base_channels=32, standardization='std'))
FAMILIES = {  # source, task, hybrid, and settings of backbone and head
    'isl-org, depth': ('isl-org', 'depth', False, dict(head=RELATIVE)),
    'isl-org, hybrid depth': (
        'isl-org',
        'depth',
        True,
        dict(backbone=STD, head=INVERTED),
    ),
    'isl-org, segmentation': ('isl-org', 'segmentation', False, {}),
    'isl-org, hybrid segmentation': (
        'isl-org',
        'segmentation',
        True,
        dict(backbone=STD),
    ),
    'transformers, depth': ('huggingface', 'depth', False, dict(head=RELATIVE)),
    'transformers, hybrid depth': ('huggingface', 'depth', True, dict(head=RELATIVE)),
    'transformers, segmentation': ('huggingface', 'segmentation', False, {}),
    'transformers, hybrid segmentation': ('huggingface', 'segmentation', True, {}),
    'transformers, Depth Anything': ('huggingface', 'depth', False, METRIC_DINOV2),
    'Depth Anything': ('depth-anything', 'depth', False, RELATIVE_DINOV2),
    'mmseg': ('mmseg', 'segmentation', False, dict(auxiliary=False)),
    'smp': ('smp', 'segmentation', False, dict(auxiliary=False)),
}


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


@pytest.mark.parametrize('family', FAMILIES)
def test_one_step_moves_every_parameter(build_model, family):
    source, task, hybrid, settings = FAMILIES[family]
    theirs, _ = to_foreign(build_model(task, hybrid, **settings).state_dict(), source)
    unused = 'decoder.fusion_blocks.0.residual_conv_block1.'  # SMP runs it; zero, it adds nothing
    theirs.update({k: torch.zeros_like(v) for k, v in theirs.items() if k.startswith(unused)})
    converted, report = to_ours(theirs)
    assert report.source == source
    model = build_model(task, hybrid, **settings).train()
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

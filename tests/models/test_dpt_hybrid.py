"""The backbone with a stem, and the taps that reassemble leaves as they are."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmdpt.models import DepthDPTHead, DPTHead, Reassemble, VisionTransformerDPT

ARCH = dict(embed_dims=24, num_layers=4, num_heads=2, feedforward_channels=48)
STEM = dict(type='ResNetV2', depths=(1, 1, 2), base_channels=32)
HEAD = dict(
    embed_dims=(128, 256, 24, 24),
    reassemble_channels=(None, None, 12, 12),
    reassemble_scales=(1, 1, 1, 0.5),
    patch_size=4,
    readout_type='project',
    channels=8,
)


def build(**kwargs):
    torch.manual_seed(0)
    model = VisionTransformerDPT(
        **{'arch': ARCH, 'img_size': 64, 'out_indices': (1, 3), 'stem': STEM, **kwargs}
    )
    for name, parameter in model.named_parameters():
        if not name.startswith('stem.norm') and '.norm' not in name:
            torch.nn.init.normal_(parameter, std=0.1)
    return model


def build_head(cls, **kwargs):
    return cls(**{**HEAD, **kwargs})


@pytest.mark.parametrize('size', [(64, 64), (1, 1), (37, 81), (48, 80), (33, 128)])
def test_taps_have_strides_4_8_16_16_of_the_padded_image(size):
    height, width = (-(-side // 16) for side in size)
    with torch.no_grad():
        taps = build().eval()(torch.randn(2, 3, *size))
    for (feature, readout), factor, channels in zip(
        taps, (4, 2, 1, 1), (128, 256, 24, 24), strict=True
    ):
        assert feature.shape == (2, channels, factor * height, factor * width)
        assert readout is None if factor > 1 else readout.shape == (2, 24)


def test_image_is_padded_at_the_bottom_and_right_before_the_stem():
    model = build().eval()
    image = torch.randn(1, 3, 40, 50)
    with torch.no_grad():
        taps, expected = model(image), model(F.pad(image, (0, 14, 0, 8)))
    for (ours, _), (padded, _) in zip(taps, expected, strict=True):
        torch.testing.assert_close(ours, padded, rtol=0, atol=0)


def test_first_two_taps_are_the_stems_maps():
    model = build().eval()
    image = torch.randn(1, 3, 64, 48)
    with torch.no_grad():
        maps, taps = model.stem(image), model(image)
    for (feature, _), expected in zip(taps[:2], maps[:2], strict=True):
        torch.testing.assert_close(feature, expected, rtol=0, atol=0)


def test_position_embedding_has_the_grid_of_the_stems_last_map():
    assert build(img_size=(50, 96)).pos_embed.shape == (1, 1 + 4 * 6, 24)


@pytest.mark.parametrize('out_indices', [(1, 2, 3), (0, 1, 2, 3), (3, 1), (1, 4)])
def test_with_a_stem_two_blocks_are_tapped(out_indices):
    with pytest.raises(ValueError, match=r'2 increasing block numbers in 0\.\.3'):
        build(out_indices=out_indices)


def test_patch_that_is_not_the_stems_stride_is_refused():
    with pytest.raises(ValueError, match="stem's stride 16, got 14"):
        build(patch_size=14)


RESNET = dict(
    type='mmpretrain.ResNet',
    depth=18,
    base_channels=8,
    stem_channels=8,
    num_stages=3,
    strides=(1, 2, 2),
    dilations=(1, 1, 1),
    out_indices=(0, 1, 2),
)


def test_a_network_of_mmpretrain_is_a_stem():
    model = build(stem=RESNET).train()
    assert model.stem.training
    assert all((norm.running_mean == 0).all() for norm in model.stem.modules() if is_norm(norm))
    taps = model(torch.randn(2, 3, 50, 96))
    shapes = [tuple(feature.shape[1:]) for feature, _ in taps]
    assert shapes == [(8, 16, 24), (16, 8, 12), (24, 4, 6), (24, 4, 6)]
    sum(feature.sum() for feature, _ in taps).backward()
    assert all(parameter.grad is not None for parameter in model.stem.parameters())


def is_norm(module):
    return isinstance(module, torch.nn.BatchNorm2d)


@pytest.mark.parametrize(
    'change', [dict(out_indices=(2,)), dict(strides=(2, 2, 1)), dict(out_indices=(1, 2))]
)
def test_stem_whose_maps_do_not_halve_to_the_patch_is_refused(change):
    with pytest.raises(ValueError, match=r'three of strides p/4, p/2, p, got \['):
        build(stem={**RESNET, **change})


@pytest.mark.parametrize('stages', [-1, 0, 2])
def test_frozen_stages_hold_the_stem_fixed(stages):
    model = build(frozen_stages=stages).train()
    frozen = stages >= 0
    assert model.stem.training is not frozen
    for module in (model.stem, model.patch_embed):
        assert all(p.requires_grad is not frozen for p in module.parameters())
    for index, layer in enumerate(model.layers):
        assert all(p.requires_grad is not (index < stages) for p in layer.parameters())


def test_layer_depth_of_the_stem_is_that_of_the_embeddings():
    model = build()
    depths = {n: model.get_layer_depth(f'backbone.{n}', 'backbone.') for n in model.state_dict()}
    assert depths['stem.conv.weight'] == depths['stem.stages.2.1.norm3.bias'] == (0, 6)
    assert depths['patch_embed.projection.weight'] == depths['pos_embed'] == (0, 6)
    assert depths['layers.0.ln1.weight'] == (1, 6)
    assert depths['layers.3.ln1.weight'] == (4, 6)
    assert model.get_layer_depth('decode_head.conv_seg.weight', 'backbone.') == (5, 6)


def test_gradient_checkpointing_gives_the_same_gradients():
    image = torch.randn(2, 3, 48, 32)
    gradients = []
    for with_cp in (False, True):
        model = build(with_cp=with_cp).train()
        sum(feature.square().mean() for feature, _ in model(image)).backward()
        gradients.append([p.grad for p in model.parameters() if p.grad is not None])
    assert model.stem.stages[0].with_cp
    for plain, recomputed in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, recomputed)


def test_tap_without_channels_goes_to_its_convolution_as_it_is():
    reassemble = Reassemble((6, 5), (None, 4), 3, (1, 1), 'project')
    feature = torch.randn(1, 6, 4, 5)
    taps = [(feature, None), (torch.randn(1, 5, 2, 3), torch.randn(1, 5))]
    names = {name for name, _ in reassemble.blocks[0].named_parameters()}
    assert names == {'to_fusion.weight'}
    expected = F.conv2d(feature, reassemble.blocks[0].to_fusion.weight, padding=1)
    torch.testing.assert_close(reassemble(taps)[0], expected)
    torch.testing.assert_close(reassemble([feature, taps[1]])[0], expected)


def test_tap_without_channels_has_no_scale():
    with pytest.raises(ValueError, match='keeps its scale: 1, got 2'):
        Reassemble((6, 5), (None, 4), 3, (2, 1))


@pytest.mark.parametrize('size', [(64, 64), (37, 81), (48, 80), (16, 17)])
def test_heads_predict_at_the_size_of_any_image(size):
    """And what they cut off is the padding: the rest equals the padded image's prediction."""
    backbone, depth = build().eval(), build_head(DepthDPTHead).eval()
    torch.nn.init.constant_(depth.predictor.conv3.bias, 1)
    segmentation = build_head(DPTHead, num_classes=3).eval()
    image = torch.randn(2, 3, *size)
    padded = F.pad(image, (0, -size[1] % 16, 0, -size[0] % 16))
    for head, channels in ((depth, 1), (segmentation, 3)):
        with torch.no_grad():
            prediction = head.predict(backbone(image), [dict(img_shape=size)], None)
            whole = head.predict(backbone(padded), [dict(img_shape=padded.shape[2:])], None)
        assert prediction.shape == (2, channels, *size)
        assert prediction.std() > 0
        torch.testing.assert_close(prediction, whole[..., : size[0], : size[1]])


def test_every_parameter_gets_a_gradient_from_segmentation():
    """So that DDP runs with find_unused_parameters=False."""
    backbone = build()
    head = build_head(
        DPTHead,
        num_classes=3,
        norm_cfg=dict(type='BN'),
        auxiliary_weight=0.2,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    )
    labels = torch.randint(0, 3, (2, 1, 40, 56))
    samples = [SegDataSample(gt_sem_seg=PixelData(data=label)) for label in labels]
    losses = head.loss(backbone(torch.randn(2, 3, 40, 56)), samples, None)
    sum(value for name, value in losses.items() if 'loss' in name).backward()
    assert_every_gradient(backbone, head)


@pytest.mark.parametrize('standardization', ['std', 'var'])
def test_every_parameter_gets_a_gradient_from_depth(standardization):
    backbone = build(stem={**STEM, 'standardization': standardization})
    head = build_head(
        DepthDPTHead,
        output='depth',
        inversion=(0.000305, 0.1378),
        loss_decode=dict(type='SiLogLoss'),
    )
    torch.nn.init.constant_(head.predictor.conv3.bias, 1000)
    target = 1 + torch.rand(2, 1, 40, 56)
    samples = [SegDataSample(gt_depth_map=PixelData(data=depth)) for depth in target]
    losses = head.loss(backbone(torch.randn(2, 3, 40, 56)), samples, None)
    sum(losses.values()).backward()
    assert_every_gradient(backbone, head)


def assert_every_gradient(*modules):
    for module in modules:
        for name, parameter in module.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0, name
            assert parameter.grad.isfinite().all(), name

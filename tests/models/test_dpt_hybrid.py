"""DPT-Hybrid's heads: taps that reassemble leaves as they are, and sizes."""

import pytest
import tiny
import torch
import torch.nn.functional as F

from mmdpt.models import DepthDPTHead, DPTHead, Reassemble, VisionTransformerDPT

STEM = dict(type='ResNetV2', depths=(1, 1, 2), base_channels=32)
HEAD = dict(
    embed_dims=(128, 256, 24, 24),
    reassemble_channels=(None, None, 12, 12),
    reassemble_scales=(1, 1, 1, 0.5),
    patch_size=4,
    readout_type='project',
    channels=8,
)


def build():
    return tiny.randomise(VisionTransformerDPT(tiny.LAYERS, 64, out_indices=(1, 3), stem=STEM))


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
@torch.no_grad()
def test_heads_predict_at_the_size_of_any_image(size):
    """And what they cut off is the padding: the rest equals the padded image's prediction."""
    backbone, depth = build().eval(), DepthDPTHead(**HEAD).eval()
    torch.nn.init.constant_(depth.predictor.conv3.bias, 1)
    segmentation = DPTHead(3, **HEAD).eval()
    image = torch.randn(2, 3, *size)
    padded = F.pad(image, (0, -size[1] % 16, 0, -size[0] % 16))
    for head, channels in ((depth, 1), (segmentation, 3)):
        prediction = head.predict(backbone(image), [dict(img_shape=size)], None)
        whole = head.predict(backbone(padded), [dict(img_shape=padded.shape[2:])], None)
        assert prediction.shape == (2, channels, *size)
        assert prediction.std() > 0
        torch.testing.assert_close(prediction, whole[..., : size[0], : size[1]])

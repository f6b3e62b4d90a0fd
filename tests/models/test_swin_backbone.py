"""A backbone of mmpretrain with four feature maps feeds the heads: Swin."""

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmdpt.config import check_config, load_config
from mmdpt.models.decode_heads.depth_dpt_head import DepthDPTHead
from mmdpt.registry import MODELS

DIMS = (8, 16, 32, 64)
HEAD = dict(
    embed_dims=DIMS, reassemble_scales=(1, 1, 1, 1), readout_type='ignore', patch_size=4, channels=8
)


@pytest.fixture
def model():
    """configs/dpt/dpt_swin-t_ade20k.py in miniature."""
    cfg = load_config('dpt_swin-t_ade20k', ['model.backbone.init_cfg=None'])
    check_config(cfg)
    init_default_scope(cfg.default_scope)
    cfg.model.backbone.update(
        arch=dict(embed_dims=8, depths=[2, 1, 1, 1], num_heads=[1, 2, 2, 4]), drop_path_rate=0.0
    )
    cfg.model.decode_head.update(
        embed_dims=DIMS, reassemble_channels=DIMS, channels=8, num_classes=5
    )
    cfg.model.decode_head.norm_cfg.type = 'BN'
    cfg.model.data_preprocessor.size = (64, 96)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    model.optim_cfg = cfg.optim_wrapper
    return model


@pytest.mark.parametrize('size', [(64, 96), (50, 70), (33, 121)])
def test_each_map_is_half_of_the_finer_one(model, size):
    maps = model.eval().backbone(torch.randn(1, 3, *size))
    assert [tuple(m.shape[2:]) for m in maps] == [
        tuple(-(-side // stride) for side in size) for stride in (4, 8, 16, 32)
    ]
    fused, penultimate = model.decode_head.fusion(model.decode_head.reassemble(maps))
    quarter = maps[0].shape[2:]
    assert penultimate.shape[2:] == quarter
    assert fused.shape[2:] == (2 * quarter[0], 2 * quarter[1])


@torch.no_grad()
def test_predictions_cover_the_image_padded_to_the_patch(model):
    """50 x 70 px are 13 x 18 patches, as 52 x 72 px are."""
    torch.manual_seed(0)
    depth = DepthDPTHead(output='depth', max_depth=10.0, reassemble_channels=DIMS, **HEAD)
    backbone, image = model.eval().backbone, torch.randn(1, 3, 50, 70)
    padded = torch.nn.functional.pad(image, (0, 2, 0, 2))
    for head, channels in ((model.decode_head, 5), (depth, 1)):
        prediction, expected = (
            head.predict(backbone(x), [dict(img_shape=tuple(x.shape[2:]))], None)
            for x in (image, padded)
        )
        assert prediction.shape == (1, channels, 50, 70) and prediction.std() > 0
        torch.testing.assert_close(prediction, expected[..., :50, :70])


def test_a_step_moves_every_parameter(model):
    optim_wrapper = build_optim_wrapper(model, model.optim_cfg)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    samples = [
        SegDataSample(gt_sem_seg=PixelData(data=torch.randint(5, (1, 64, 96)))) for _ in range(2)
    ]
    images = list(torch.randint(256, (2, 3, 64, 96), dtype=torch.uint8))
    losses = model.train().train_step(dict(inputs=images, data_samples=samples), optim_wrapper)
    assert losses['decode.loss_ce'] > 0
    assert [n for n, p in model.named_parameters() if torch.equal(p, before[n])] == []

"""Sizes in the model: every grid, stride and image of 1 to 97 pixels a side, by the definitions."""

import math

import numpy as np
import pytest
import tiny
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from mmdpt.models import DepthDPTHead, DPTHead, Fusion, Reassemble, VisionTransformerDPT
from mmdpt.models.backbones.resnetv2 import pad_same
from mmdpt.models.backbones.vit_blocks import INTERPOLATIONS, resize_position_embedding

SEEDS = st.integers(0, 2**32 - 1)
SIDES = st.integers(1, 97)
SIZES = st.tuples(SIDES, SIDES)
GRIDS = st.tuples(st.integers(1, 13), st.integers(1, 13))
MODES = st.sampled_from(INTERPOLATIONS)
TYPES = st.sampled_from([torch.float16, torch.bfloat16, torch.float32])
FACTORS = st.sampled_from([4, 2, 1, 1 / 2, 1 / 3, 1 / 4])


def randn(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def randomise(module, seed):
    return tiny.randomise(module, seed).eval()


# --- position embedding --------------------------------------------------------------------------


def bilinear_by_hand(image, size):
    """(h, w, C) to (h', w', C): corners not aligned, the border repeated."""
    for axis, new in enumerate(size):
        old = image.shape[axis]
        place = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
        below = np.floor(place).astype(int)
        above = np.minimum(below + 1, old - 1)
        share = np.expand_dims(place - below, tuple({0, 1, 2} - {axis}))
        image = image.take(below, axis) * (1 - share) + image.take(above, axis) * share
    return image


@given(seed=SEEDS, source=SIZES, grid=SIZES, top=st.floats(-30, 30))
def test_bilinear_position_embedding_is_interpolated_as_by_hand(seed, source, grid, top):
    embedding = 10**top * randn(seed, 1, 1 + math.prod(source), 2)
    resized = resize_position_embedding(embedding, source, grid, 'bilinear')
    assert resized[:, 0].equal(embedding[:, 0])
    image = embedding[0, 1:].reshape(*source, 2).double().numpy()
    np.testing.assert_allclose(
        resized[0, 1:].reshape(*grid, 2).numpy(),
        bilinear_by_hand(image, grid),
        rtol=0,
        atol=1e-4 * 10**top,  # the sample's place is rounded in single precision
    )


@given(seed=SEEDS, source=SIZES, grid=SIZES, mode=MODES, top=st.floats(-30, 30), dtype=TYPES)
def test_position_embedding_lies_on_its_side_with_its_grid(seed, source, grid, mode, top, dtype):
    top = min(top, 4) if dtype == torch.float16 else top
    patches = (10**top * randn(seed, 1, *source, 2)).to(dtype)
    resized = resize_position_embedding(patches.flatten(1, 2), source, grid, mode, 0)
    lying = patches.transpose(1, 2).flatten(1, 2)
    turned = resize_position_embedding(lying, source[::-1], grid[::-1], mode, 0)
    assert resized.dtype == dtype and resized.isfinite().all()
    torch.testing.assert_close(
        turned.unflatten(1, grid[::-1]).transpose(1, 2).flatten(1, 2),
        resized,
        rtol=2 * torch.finfo(dtype).eps,
        atol=3e-5 * 10**top,
    )


@given(
    value=st.floats(-1, 1, width=32), source=SIZES, grid=SIZES, mode=MODES, extra=st.integers(0, 3)
)
def test_embedding_that_is_the_same_everywhere_stays_so(value, source, grid, mode, extra):
    embedding = torch.full((1, extra + math.prod(source), 1), value)
    resized = resize_position_embedding(embedding, source, grid, mode, extra)
    assert resized.shape == (1, extra + math.prod(grid), 1)
    torch.testing.assert_close(resized, torch.full_like(resized, value), rtol=0, atol=2e-6)


# --- padding -------------------------------------------------------------------------------------


@given(seed=SEEDS, size=SIZES, kernel=st.integers(1, 9), stride=st.integers(1, 5))
def test_same_padding_is_tensorflows(seed, size, kernel, stride):
    """Total max((ceil(n / s) - 1) s + k - n, 0), its half rounded down on top and left."""
    image = randn(seed, 1, 1, *size) + 9
    padded = pad_same(image, kernel, stride, value=-1)
    if kernel == 1:
        assert padded is image
        return
    tops = []
    for old, new in zip(size, padded.shape[-2:], strict=True):
        total = max((-(-old // stride) - 1) * stride + kernel - old, 0)
        assert new - old == total
        tops.append(total // 2)
    inside = padded[..., tops[0] : tops[0] + size[0], tops[1] : tops[1] + size[1]]
    assert inside.equal(image)
    windows = F.max_pool2d(padded, kernel, stride).shape[-2:]
    assert windows == tuple(-(-n // stride) for n in size)


# --- reassemble and fusion -----------------------------------------------------------------------


@given(
    seed=SEEDS,
    grid=st.tuples(st.integers(1, 24), st.integers(1, 24)),
    factors=st.lists(FACTORS, min_size=1, max_size=4),
    readout=st.sampled_from(['ignore', 'add', 'project']),
    batch=st.integers(1, 3),
)
def test_reassemble_is_its_definition_on_every_grid(seed, grid, factors, readout, batch):
    """Concatenate the readout token, project, resample, convolve; sizes are rounded up."""
    layer = randomise(Reassemble(6, (4,) * len(factors), 5, factors, readout), seed)
    taps = [
        (randn(seed + k, batch, 6, *grid), randn(seed - k, batch, 6)) for k in range(len(factors))
    ]
    for (x, token), block, factor, found in zip(
        taps, layer.blocks, factors, layer(taps), strict=True
    ):
        everywhere = token[:, :, None, None].expand_as(x)
        if readout == 'add':
            x = x + everywhere
        elif readout == 'project':
            both = torch.cat((x, everywhere), dim=1).permute(0, 2, 3, 1)
            x = F.gelu(block.read.project(both)).permute(0, 3, 1, 2)
        expected = block.to_fusion(block.resample(block.project(x)))
        assert found.shape == (batch, 5, *(math.ceil(n * factor - 1e-9) for n in grid))
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@given(
    seed=SEEDS,
    sizes=st.lists(SIZES, min_size=2, max_size=4),
    norm=st.booleans(),
    batch=st.integers(1, 2),
    resized=st.sampled_from(['path', 'skip']),
)
def test_fusion_is_its_definition_on_maps_of_any_sizes(seed, sizes, norm, batch, resized):
    """Upsample, then project: the order of the paper. Maps need not halve, nor shrink."""
    sizes = [tuple(-(-n // 4) for n in size) for size in sizes]
    maps = [randn(seed + k, batch, 4, *size) for k, size in enumerate(sizes)]
    norm_cfg = dict(type='BN') if norm else None
    fusion = randomise(Fusion(4, len(sizes), norm_cfg, resized=resized), seed)

    def unit(layer, x):
        x = x.clone()
        return layer.norm2(layer.conv2(layer.norm1(layer.conv1(x.relu())).relu())) + x

    finer = [*sizes[-2::-1], tuple(2 * n for n in sizes[0])]
    paths = []
    with torch.no_grad():
        for block, skip, size in zip(fusion.blocks, reversed(maps), finer, strict=True):
            if paths and resized == 'skip':
                skip = F.interpolate(skip, size=paths[-1].shape[-2:], mode='bilinear')
            path = paths[-1] + unit(block.residual_unit1, skip) if paths else skip
            path = unit(block.residual_unit2, path)
            if resized == 'skip':
                size = tuple(2 * n for n in path.shape[-2:])
            path = F.interpolate(path, size=size, mode='bilinear', align_corners=True)
            paths.append(block.project(path))
        found = fusion(maps)
    for map_, path in zip(found, paths[:-3:-1], strict=True):
        torch.testing.assert_close(map_, path, rtol=1e-4, atol=1e-4)


# --- the whole model -----------------------------------------------------------------------------

ARCH = dict(embed_dims=12, num_layers=4, num_heads=2, feedforward_channels=16)
WIDTHS = dict(embed_dims=12, reassemble_channels=(4, 4, 6, 6), channels=4)
MODELS = {
    (task, patch): randomise(
        torch.nn.ModuleList(
            [
                VisionTransformerDPT(ARCH, img_size=64, patch_size=patch, out_indices=(0, 1, 2, 3)),
                DPTHead(5, patch_size=patch, norm_cfg=dict(type='BN'), **WIDTHS)
                if task == 'labels'
                else DepthDPTHead(output='depth', patch_size=patch, max_depth=10.0, **WIDTHS),
            ]
        ),
        seed=patch,
    )
    for task in ('labels', 'depth')
    for patch in (14, 16)
}


@torch.no_grad()
def predict(model, images):
    backbone, head = model
    return head.predict(backbone(images), [dict(img_shape=images.shape[-2:])] * len(images), {})


@pytest.mark.parametrize('kind', MODELS)
@given(seed=SEEDS, size=SIZES, batch=st.integers(2, 3))
def test_prediction_is_padded_and_cropped_back_and_ignores_its_batch(kind, seed, size, batch):
    model, (_, patch) = MODELS[kind], kind
    images = randn(seed, batch, 3, *size)
    together = predict(model, images)
    assert together.shape[-2:] == size and together.isfinite().all()
    padded = predict(model, F.pad(images, (0, -size[1] % patch, 0, -size[0] % patch)))
    torch.testing.assert_close(together, padded[..., : size[0], : size[1]])
    singles = torch.cat([predict(model, image[None]) for image in images])
    torch.testing.assert_close(together, singles, rtol=1e-4, atol=1e-5)

"""The tiny models and scenes that tests share: images of 64 x 48 px, four layers of 24 channels."""

from pathlib import Path
from typing import Any

import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import nn

REPO = Path(__file__).resolve().parents[1]
SIZE = (64, 48)
"""Width and height of the images [px]."""
LAYERS = dict(embed_dims=24, num_layers=4, num_heads=2, feedforward_channels=48)
ARCH = dict(_delete_=True, **LAYERS)
"""In place of the base config's architecture."""
TAPS = (0, 1, 2, 3)
ENCODER = dict(type='mmdpt.VisionTransformerDPT', arch=LAYERS, img_size=64, out_indices=TAPS)
BACKBONE = dict(arch=ARCH, img_size=SIZE[::-1], out_indices=TAPS)
HEAD = dict(embed_dims=24, reassemble_channels=(4, 8, 12, 16), channels=8)
_VIT = dict(embed_dim=24, depth=4, num_heads=2)
TIMM = {
    'vit': ('vit_tiny_patch16_224', dict(_VIT, img_size=64)),
    'dinov3': ('vit_small_patch16_dinov3_qkvb', _VIT),
    'dinov3-gated': ('vit_small_plus_patch16_dinov3_qkvb', _VIT),
    'eva02': ('eva02_tiny_patch14_224', dict(_VIT, img_size=56)),
    'beit': ('beit_base_patch16_224', dict(_VIT, img_size=64)),
    'convnext': ('convnext_atto', dict(dims=(8, 12, 16, 24), depths=(1, 1, 2, 1))),
    'swinv2': (
        'swinv2_tiny_window8_256',
        dict(embed_dim=8, depths=(2, 1, 1, 1), num_heads=(1, 2, 2, 4), window_size=2, img_size=64),
    ),
    'hiera': ('sam2_hiera_tiny', dict(embed_dim=8, num_heads=1, stages=(1, 1, 2, 1))),
}
"""Models of timm in miniature: name and arguments."""
BASES = {
    'segmentation': 'dpt_vit-ti16_scenes',
    'depth': 'dpt_vit-ti16_scenes-depth',
    'joint': 'dpt_vit-ti16_scenes-joint',
}
"""The config of each task that the tiny one inherits."""
AUGMENTED = f"""
train_dataloader.dataset.pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomResize', scale={SIZE}, ratio_range=(1.0, 1.5), keep_ratio=True),
    dict(type='RandomCrop', crop_size={SIZE[::-1]}, cat_max_ratio=0.75),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs'),
]
"""
"""Lines of a segmentation config with random samples, none padded: every pixel counts alike."""


def config_text(task: str, scenes: Path | str | None = None, more: str = '') -> str:
    """Give the text of a config as a user would inherit it.

    Args:
        task: 'segmentation', 'depth' or 'joint'.
        scenes: Folder of the ``scenes`` fixture, for training and tests; None: no data is set.
        more: Lines that follow.
    """
    heads = dict(decode_head=HEAD) | (dict(depth_head=HEAD) if task == 'joint' else {})
    model = dict(data_preprocessor=dict(size=SIZE[::-1]), backbone=BACKBONE, **heads)
    text = f"""
_base_ = ['{REPO}/configs/dpt/{BASES[task]}.py']
model = {model!r}
test_pipeline = _base_.test_pipeline
for step in test_pipeline:
    if 'scale' in step:
        step.scale = {SIZE}
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
"""
    if scenes is not None:
        text += _training_text(task, scenes)
    return text + more


def _training_text(task: str, scenes: Path | str) -> str:
    root = Path(scenes) / 'nyu' if task == 'depth' else scenes
    return f"""
data_root = '{root}'
train_dataloader = _base_.train_dataloader
train_dataloader.update(batch_size=2, num_workers=0, persistent_workers=False)
thirds = ([0, 3, 6], [1, 4, 7], [2, 5])  # of eight scenes: both labels, classes, depth
parts = train_dataloader.dataset.get('datasets', [train_dataloader.dataset])
for number, part in enumerate(parts):
    part.data_root = data_root
    if len(parts) > 1:
        part.indices = thirds[number]
    for step in part.pipeline:
        if 'scale' in step:
            step.scale = {SIZE}
val_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(data_root=data_root, pipeline=test_pipeline),
)
test_dataloader = val_dataloader
optim_wrapper = dict(type='OptimWrapper')
train_cfg = dict(max_iters=4, val_interval=4)
default_hooks = dict(logger=dict(interval=1), checkpoint=dict(interval=2, max_keep_ckpts=-1))
randomness = dict(seed=0, deterministic=True)
env_cfg = dict(cudnn_benchmark=False)
"""


def write_config(
    folder: Path, task: str, scenes: Path | str | None = None, more: str = '', name: str = ''
) -> Path:
    """Write ``config_text`` to a file below a folder; give its path."""
    path = Path(folder) / f'{name or task}.py'
    path.write_text(config_text(task, scenes, more))
    return path


def randomise(model: Any, seed: int = 0) -> Any:
    """Give weights and statistics with which every picture gets several labels and depths."""
    torch.manual_seed(seed)
    for name, value in model.state_dict().items():
        if name.endswith('running_var'):
            value.uniform_(0.5, 1.5)
        elif value.is_floating_point():
            value.normal_(std=max(value[0].numel(), 1) ** -0.5 if value.ndim > 1 else 0.2)
    for name, value in model.named_parameters():
        if name.endswith('predictor.conv3.weight'):  # so that the ReLU passes something
            value.data.abs_()
        if name.endswith('conv_seg.weight'):  # so that no class is every pixel's
            value.data -= value.data.mean(dim=1, keepdim=True)
        if name.endswith('conv_seg.bias'):
            nn.init.zeros_(value)
    return model


def draw_weights(model: Any, seed: int = 0, filters: str | None = None, std: float = 0.1) -> Any:
    """Give weights of one deviation, and statistics, to compare with another's network.

    Filters of modules whose names hold ``filters`` go down to 1e-5, where the formulas by which
    they are standardised differ.
    """
    torch.manual_seed(seed)
    for name, parameter in model.named_parameters():
        nn.init.normal_(parameter, std=std)
        if filters is not None and parameter.ndim == 4 and filters in name:
            parameter.data *= torch.logspace(-4, 0, len(parameter))[:, None, None, None]
    for name, buffer in model.named_buffers():
        if name.endswith('running_mean'):
            nn.init.normal_(buffer, std=0.1)
        elif name.endswith('running_var'):
            nn.init.uniform_(buffer, 0.5, 1.5)
    return model.eval()


def taps(
    height: int = 4, width: int = 6, batch: int = 2
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Draw four feature maps with readout tokens, as ``HEAD`` takes them."""
    torch.manual_seed(1)
    shape = (batch, HEAD['embed_dims'])
    return [(torch.randn(*shape, height, width), torch.randn(*shape)) for _ in TAPS]


def sample(
    labels: torch.Tensor | None = None, depth: torch.Tensor | None = None, **meta: Any
) -> SegDataSample:
    """Pack what is known of an image, each (1, H, W)."""
    packed = SegDataSample(metainfo=meta)
    if labels is not None:
        packed.gt_sem_seg = PixelData(data=labels)
    if depth is not None:
        packed.gt_depth_map = PixelData(data=depth)
    return packed


def save(model: Any, path: Path) -> None:
    """Write a model's weights as a checkpoint, with its classes."""
    meta = dict(dataset_meta=getattr(model, 'dataset_meta', None))
    torch.save(dict(state_dict=model.state_dict(), meta=meta), path)


def load_weights(path: Path) -> dict[str, torch.Tensor]:
    """Read the weights of a training's checkpoint, with torch alone."""
    return torch.load(path, weights_only=True)['state_dict']


def assert_close(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    """Compare in parts of the largest number."""
    scale = theirs.abs().max()
    torch.testing.assert_close(ours / scale, theirs / scale, rtol=0, atol=1e-5)


def assert_same(model: nn.Module, expected: nn.Module) -> None:
    """Compare every tensor bit for bit, with its layout and whether it trains."""
    ours, theirs = (dict((*m.named_parameters(), *m.named_buffers())) for m in (model, expected))
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        other = theirs[name]
        assert (value.dtype, value.stride()) == (other.dtype, other.stride()), name
        assert (type(value), value.requires_grad) == (type(other), other.requires_grad), name
        assert torch.equal(value, other), name

"""This project's models and their peers, with the same weights where they convert."""

import copy
import logging
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import timing
import torch
import torch.nn as nn
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from mmdpt.apis import build_model
from mmdpt.checkpoints import to_ours
from mmdpt.checkpoints.layouts.transformers_folder import write_folder
from mmdpt.export import onnx_file
from mmdpt.export.module import ExportableModel
from mmdpt.export.verification import example_shape
from mmdpt.inference.backends import Opened, open_onnx, open_openvino
from mmdpt.inference.devices import store_weights_in
from mmdpt.inference.packing import pack_weights

EXPORTED = ('onnxruntime', 'openvino')
"""Run our exported file on a CPU; onnxruntime in float32 alone."""
CASES = {
    'depth-large': ('dpt_vit-l16_mix6', 384, ('mmdpt', 'transformers', *EXPORTED)),
    'depth-hybrid': ('dpt_hybrid_mix6', 384, ('mmdpt', 'transformers')),
    'depth-base': ('dpt_vit-b16_mix6', 384, ('mmdpt', 'transformers', *EXPORTED)),
    'segmentation-large': ('dpt_vit-l16_ade20k', 480, ('mmdpt', 'transformers')),
    'segmentation-base': ('dpt_vit-b16_ade20k', 512, ('mmdpt', 'transformers', 'mmseg', 'smp')),
}
"""Config of mmdpt, side of its position embedding [px], who takes part."""
UNCOMPARED = ('smp',)
"""SMP runs the coarsest residual unit that the reference leaves out: other numbers."""
NUM_CLASSES = 150


@dataclass
class Rival:
    """A model, and how it maps normalised images (N, 3, H, W) to its output (N, C, H, W)."""

    name: str
    model: nn.Module
    dtype: torch.dtype
    forward: Callable[[nn.Module, Tensor], Tensor]

    def __call__(self, images: Tensor) -> Tensor:
        if self.name == 'mmdpt' and self.dtype != torch.float32:
            with torch.autocast(images.device.type, self.dtype):  # as DPTInferencer
                return self.forward(self.model, images)
        if self.name in EXPORTED:
            return self.forward(self.model, images)
        return self.forward(self.model, images.to(self.dtype))


def build(case: str, names: Sequence[str], dtype: torch.dtype, device: str) -> dict[str, Rival]:
    """Build the named rivals of a case, in evaluation mode, but those that lack device or type."""
    half = dtype != torch.float32
    able = EXPORTED[1 if half else 0 :] if device == 'cpu' and dtype != torch.float16 else ()
    names = [name for name in names if name not in EXPORTED or name in able]
    logging.disable(logging.WARNING)
    torch.manual_seed(0)
    config, side, _ = CASES[case]
    options = [f'model.backbone.img_size={side}']
    if 'hybrid' in case:
        options.append('model.backbone.stem.standardization=var')  # as transformers has it
    ours = build_model(config, options)
    spread(ours)
    if 'mmseg' in names:
        reference = mmseg_model(side)
        spread(reference)
        ours.load_state_dict(to_ours(reference.state_dict(), 'mmseg')[0], strict=False)
    open_here = partial(open_openvino, precision='bf16' if half else 'fp32')
    makers = dict(
        mmdpt=lambda: Rival('mmdpt', ours, dtype, run_mm),
        transformers=lambda: Rival('transformers', transformers_model(ours), dtype, run_hf),
        mmseg=lambda: Rival('mmseg', reference, dtype, run_mm),
        smp=lambda: Rival('smp', smp_model(side), dtype, run_plain),
        onnxruntime=lambda: Rival('onnxruntime', ExportedFile(ours, open_onnx), dtype, run_plain),
        openvino=lambda: Rival('openvino', ExportedFile(ours, open_here), dtype, run_plain),
    )
    rivals = {name: makers[name]() for name in names}
    for rival in rivals.values():
        rival.model.to(device).eval()
        if rival.name == 'mmdpt' and dtype != torch.float32:
            store_weights_in(dtype, rival.model)
        elif dtype != torch.float32:
            rival.model.to(dtype)
        if rival.name == 'mmdpt' and device == 'cpu':
            pack_weights(rival.model.backbone)  # as DPTInferencer
    return rivals


def compiled(rival: Rival) -> Rival:
    """Give a rival whose encoder and head are compiled, as ``DPTInferencer(compile=True)``."""
    model = copy.deepcopy(rival.model)
    for part in (model.backbone, model.decode_head):
        part.forward = torch.compile(part.forward)
    return Rival('mmdpt', model, rival.dtype, rival.forward)


class ExportedFile(nn.Module):
    """Our model as the ONNX file that it is exported to, run by another library."""

    def __init__(self, model: nn.Module, opened_by: Callable[[Path], Opened]) -> None:
        super().__init__()
        module = ExportableModel(model).eval()
        with tempfile.TemporaryDirectory() as folder:
            path, example = Path(folder, 'model.onnx'), torch.randn(example_shape(module))
            onnx_file.write(module, example, path, {})
            with timing.unbound():
                self.run = opened_by(path).run
                self.run(example)

    def forward(self, images: Tensor) -> Tensor:
        return self.run(images)[0]


def spread(model: nn.Module) -> None:
    """Give weights that let a signal through, and running statistics that are not 0 and 1."""
    for module in model.modules():
        weight = getattr(module, 'weight', None)
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
        elif isinstance(weight, Tensor) and weight.ndim > 1:
            nn.init.kaiming_normal_(weight, nonlinearity='linear')


def run_mm(model: nn.Module, images: Tensor) -> Tensor:
    """Run a model of mmdpt or mmseg up to its output at the size of the images."""
    size = tuple(images.shape[-2:])
    meta = dict(img_shape=size, ori_shape=size, pad_shape=size)
    return model.encode_decode(images, [meta] * len(images))


def run_hf(model: nn.Module, images: Tensor) -> Tensor:
    out = model(images)
    depth = getattr(out, 'predicted_depth', None)
    return out.logits if depth is None else depth[:, None]


def run_plain(model: nn.Module, images: Tensor) -> Tensor:
    return model(images)


def transformers_model(ours: nn.Module) -> nn.Module:
    import transformers

    with tempfile.TemporaryDirectory() as folder:
        write_folder(ours, ours.state_dict(), Path(folder))
        (name,) = transformers.AutoConfig.from_pretrained(folder).architectures
        return getattr(transformers, name).from_pretrained(folder)


def mmseg_model(side: int) -> nn.Module:
    """Build mmseg's DPT ViT-B for ``side`` px."""
    from mmengine.registry import DefaultScope
    from mmseg.registry import MODELS

    layer_norm = dict(type='LN', eps=1e-6)
    backbone = dict(
        type='VisionTransformer',
        img_size=side,
        out_indices=(2, 5, 8, 11),
        final_norm=False,
        output_cls_token=True,
        norm_cfg=layer_norm,
    )
    with DefaultScope.overwrite_default_scope('mmseg'):
        return MODELS.build(
            dict(
                type='EncoderDecoder',
                backbone=backbone,
                decode_head=dict(
                    type='DPTHead',
                    in_channels=(768,) * 4,
                    in_index=(0, 1, 2, 3),
                    input_transform='multiple_select',
                    channels=256,
                    embed_dims=768,
                    post_process_channels=[96, 192, 384, 768],
                    num_classes=NUM_CLASSES,
                    readout_type='project',
                    norm_cfg=dict(type='BN'),
                    align_corners=True,  # as the paper's code; mmseg's default differs
                    loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
                ),
                train_cfg=dict(),
                test_cfg=dict(mode='whole'),
            )
        )


def smp_model(side: int) -> nn.Module:
    import segmentation_models_pytorch as smp

    return smp.DPT(
        'tu-vit_base_patch16_384.augreg_in21k_ft_in1k',
        encoder_weights=None,
        encoder_output_indices=[2, 5, 8, 11],
        decoder_intermediate_channels=(96, 192, 384, 768),
        classes=NUM_CLASSES,
        img_size=side,
    )


def labelled_samples(side: int, batch: int, device: str) -> list[SegDataSample]:
    """Give samples of a training step with random labels of 150 classes."""
    labels = torch.randint(0, NUM_CLASSES, (batch, 1, side, side), device=device)
    meta = dict(img_shape=(side, side), ori_shape=(side, side), pad_shape=(side, side))
    samples = [SegDataSample(metainfo=meta) for _ in range(batch)]
    for sample, label in zip(samples, labels, strict=True):
        sample.gt_sem_seg = PixelData(data=label)
    return samples


def build_on_meta(config: str, options: list[str]) -> nn.Module:
    with torch.device('meta'):
        return build_model(config, options).train()


def operations_of_step(model: nn.Module, side: int) -> tuple[int, int]:
    """Count floating-point operations of our model on the meta device, for one image.

    Those of the loss, an interpolation and a cross-entropy, are left out.

    Returns:
        Of the forward and of the backward pass.
    """
    model.decode_head.loss_by_feat = lambda logits, *_: dict(loss=logits.sum())
    images = torch.empty(1, 3, side, side, device='meta')
    with FlopCounterMode(display=False) as counter:
        losses = model.loss(images, labelled_samples(side, 1, 'meta'))
        forward = counter.get_total_flops()
        sum_of_losses(losses).backward()
    return forward, counter.get_total_flops() - forward


def sum_of_losses(losses: dict) -> Tensor:
    return sum(value for name, value in losses.items() if 'loss' in name)

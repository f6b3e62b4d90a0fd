"""DPT's monocular depth head (arXiv:2103.13413, section 3.2 and figure 1)."""

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from mmdpt.errors import InputError, check_choice
from mmdpt.models.layers.reassemble import Tap
from mmdpt.registry import MODELS

from .depth_output import DepthOutput, fill_sky
from .dpt_head import DPTDecoder, build_losses, check_truth, cut_to, input_size, sum_losses
from .parametrisation import UNITS, Exponential, build_parametrisation


@MODELS.register_module()
class DepthDPTHead(DPTDecoder):
    """Reassemble the taps, fuse them coarse to fine, predict depth or disparity.

    What the numbers are, ``output``:

    - 'relative': disparity up to scale and shift, as MiDaS trains it; larger is closer.
    - 'disparity': inverse depth [1/m].
    - 'depth': depth [m].

    How depths come out of the last convolution x, by at most one option; ``relu(x)`` without:

    - ``max_depth``: ``sigmoid(x) * max_depth``, as Depth Anything's metric models. Near depths lie
      in the flat foot of the curve.
    - ``median_depth``: ``exp(x) * median_depth``: x is a logarithm, so that a step of x is the same
      ratio of depths near and far, and an untrained head predicts about the median. A head of
      disparity gives the inverse. ``MedianDepthHook`` estimates the median.
    - ``log_range=(low, high)``: such a logarithm between two depths, by a sigmoid.
    - ``inversion=(scale, shift)``: ``1 / max(scale * relu(x) + shift, 1e-8)``, as the NYU and
      KITTI checkpoints of isl-org/DPT.
    - ``min_depth``: ``relu(x) + min_depth``, as DINOv2's depth heads.
    - ``bins=dict(low=..., high=...)``: a weighted mean of fixed depths, see ``Bins``.

    Ground truth [m] that cannot come out does not train.

    Args:
        output: 'relative', 'disparity' or 'depth'.
        max_depth: Upper end of the sigmoid [m].
        median_depth: Depth at x = 0 [m], best the median of the training set.
        log_range: Lower and upper end [m].
        inversion: Scale and shift before inverting.
        min_depth: Least depth [m].
        bins: Arguments of ``Bins``.
        project: Whether the output begins with a 3x3 convolution and a ReLU.
        hidden_channels: Channels before the last convolution. None: it follows ``project``.
        sky: Whether a branch finds the sky and puts it far away, as Depth Anything 3. It does not
            train.
        canonical_focal: Focal length [px of the network's input] for which the layers predict. The
            depth of an image is that times its own focal length over this (Depth Anything 3's
            metric model: 300). None: depth does not depend on the camera.
        focal: Focal length [px of the image file] of images whose sample has no ``focal`` or
            ``intrinsics``; for ``canonical_focal``.
        upsampling: 'bilinear', the paper's, or 'subpixel': the last convolution predicts all pixels
            of a cell, for a fraction of the time.
        clamp: Least and greatest prediction, in its unit; None for no bound. Not in training.
        loss_decode: One or several losses, called as ``loss(pred, target)`` on (N, 1, H, W) with
            NaN where the target is invalid.
        **kwargs: Arguments of ``DPTDecoder``: ``embed_dims``, ``reassemble_channels``,
            ``readout_type``, ``channels``, ``norm_cfg`` (None, the paper's choice for depth), ...

    Raises:
        ValueError: If ``output`` is none of the three, several or a misplaced parametrisation are
            given, a value of it is out of its range, or a reassemble setting does not fit.
    """

    num_classes = out_channels = 1
    align_corners = False
    """Whether resizing to the original image aligns corners."""

    def __init__(
        self,
        output: str = 'relative',
        *,
        max_depth: float | None = None,
        inversion: tuple[float, float] | None = None,
        clamp: tuple[float | None, float | None] = (None, None),
        loss_decode: dict | Sequence[dict] = (),
        median_depth: float | None = None,
        log_range: tuple[float, float] | None = None,
        min_depth: float | None = None,
        bins: dict | None = None,
        project: bool = False,
        hidden_channels: int | None = 32,
        sky: bool = False,
        canonical_focal: float | None = None,
        focal: float | None = None,
        upsampling: str = 'bilinear',
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        options = dict(
            max_depth=max_depth,
            median_depth=median_depth,
            log_range=log_range,
            inversion=inversion,
            min_depth=min_depth,
            bins=bins,
        )
        self.parametrisation = build_parametrisation(output, options)
        self.parametrised = {name: value for name, value in options.items() if value is not None}
        self.output = output
        low, high = clamp
        # of one type, which torch.onnx needs
        self.clamp = (None if low is None else float(low), None if high is None else float(high))
        if hidden_channels is None and not project:
            raise ValueError('hidden_channels=None needs project=True')
        check_choice('upsampling', upsampling, ('bilinear', 'subpixel'))
        subpixels = self.output_stride if upsampling == 'subpixel' else 1
        if subpixels != int(subpixels) or (subpixels > 1 and (sky or hidden_channels is None)):
            raise ValueError(
                "upsampling='subpixel' needs hidden_channels, no sky and whole pixels in a cell, "
                f'got {hidden_channels}, {sky} and {self.output_stride}'
            )
        self.upsampling = upsampling
        channels = self.parametrisation.channels
        self.predictor = DepthOutput(
            self.channels, channels, hidden_channels, project, sky, int(subpixels)
        )
        if canonical_focal is not None and output != 'depth':
            raise ValueError(f'canonical_focal gives depth [m]: output is {output!r}')
        self.canonical_focal, self.focal = canonical_focal, focal
        self.loss_decode = build_losses(loss_decode)

    @property
    def unit(self) -> str:
        """Unit of the prediction: '' (relative), '1/m' or 'm'."""
        return UNITS[self.output]

    @property
    def is_metric(self) -> bool:
        """Whether the prediction has a unit."""
        return self.output != 'relative'

    @torch.no_grad()
    def start_at(self, depth: float) -> None:
        """Set the last bias so that an untrained head predicts about this depth [m].

        Raises:
            ValueError: If the head predicts no such depth, or its parametrisation has no inverse.
        """
        low, high = self.parametrisation.bounds
        if not (self.is_metric and low < depth < high):
            raise ValueError(f'a head of {self.output} cannot start at {depth} m')
        inverted = self.output != 'depth' and not self.parametrisation.gives_inverse
        x = self.parametrisation.inverse(1 / depth if inverted else depth)
        nn.init.constant_(self._last_bias, x)

    @torch.no_grad()
    def multiply_depth(self, factor: float) -> None:
        """Change the last layer so that every predicted depth is this many times what it was.

        Raises:
            ValueError: If the last layer cannot: the prediction has no unit, or another
                parametrisation than ``median_depth`` or none.
        """
        if self.is_metric and isinstance(self.parametrisation, Exponential):
            self._last_bias.add_(math.log(factor))
        elif self.is_metric and not self.parametrised:
            for parameter in self.predictor.conv3.parameters():
                parameter.mul_(factor if self.output == 'depth' else 1 / factor)
        else:
            options = ', '.join(self.parametrised) or f'output={self.output!r}'
            raise ValueError(f'a head with {options} cannot multiply its depths')

    @property
    def _last_bias(self) -> Tensor:
        bias = self.predictor.conv3.bias
        assert bias is not None
        return bias

    def forward(self, taps: Sequence[Tap]) -> Tensor:
        """Predict (N, 1, H, W) for the image padded to the patch, non-negative."""
        return self.with_sky(taps)[:, :1]

    def with_sky(self, taps: Sequence[Tap]) -> Tensor:
        """Predict as ``forward``; a head with ``sky`` appends the output of its sky branch."""
        fused, _ = self.fuse(taps)
        grid = taps[0] if isinstance(taps[0], Tensor) else taps[0][0]
        size = [side * self.patch_size for side in grid.shape[-2:]]
        fits = self.fusion.resized == 'path' and self.predictor.conv1 is not None
        x = self.predictor(fused, size if fits else None)
        has_sky = self.predictor.sky is not None and not self.training
        if has_sky:
            x, sky = x.split((self.parametrisation.channels, 1), dim=1)
            pred = fill_sky(self.parametrisation(x), sky)
        else:
            pred = self.parametrisation(x)
        if self.output != 'depth' and self.parametrisation.gives_inverse:
            pred = 1 / pred
        if has_sky:
            pred = torch.cat((pred, sky), dim=1)
        return pred if fits else F.interpolate(pred, size=size, mode='bilinear')

    def camera_factors(self, metas: Sequence[dict], like: Tensor) -> Tensor:
        """Give each image's focal length over the canonical one, (N, 1, 1, 1)."""
        assert self.canonical_focal is not None
        factors = [focal_length(meta, self.focal) / self.canonical_focal for meta in metas]
        return like.new_tensor(factors)[:, None, None, None]

    def loss(self, taps: Sequence[Tap], batch_data_samples: list, train_cfg: dict | None) -> dict:
        """Compute the losses against ``gt_depth_map`` [m], inverted for disparity.

        Depth [m] that the head cannot predict is invalid: a pixel whose error cannot vanish would
        draw the others away, through the mean of SiLog.
        """
        check_truth(batch_data_samples, 'gt_depth_map')
        target = torch.stack([sample.gt_depth_map.data for sample in batch_data_samples])
        if self.output != 'depth':
            target = 1 / target
        if self.canonical_focal is not None:
            metas = [sample.metainfo for sample in batch_data_samples]
            target = target / self.camera_factors(metas, target)
        if self.output == 'depth':
            low, high = self.parametrisation.bounds
            target = target.where((target >= low) & (target <= high), torch.nan)
        return sum_losses(self.loss_decode, cut_to(self(taps), target.shape[-2:]), target)

    def predict(
        self, taps: Sequence[Tap], batch_img_metas: list[dict], test_cfg: dict | None
    ) -> Tensor:
        """Predict (N, 1, H, W) at the size of the network's input, in ``unit``.

        A head with ``sky`` appends the output of its sky branch: ``LEAST_SKY`` or more is sky.
        """
        pred = cut_to(self.with_sky(taps), input_size(batch_img_metas[0]))
        pred, sky = pred[:, :1], pred[:, 1:]
        if self.canonical_focal is not None:
            pred = pred * self.camera_factors(batch_img_metas, pred)
        low, high = self.clamp
        pred = pred if low is None and high is None else pred.clamp(low, high)
        return torch.cat((pred, sky), dim=1) if sky.shape[1] else pred


def focal_length(meta: dict, default: float | None) -> float:
    """Give the focal length [px of the network's input], the mean of both directions.

    Args:
        meta: An image's, with ``intrinsics`` (fx, fy, cx, cy) or ``focal`` [px of the file], and
            ``scale_factor`` (w, h) if it was resized.
        default: Focal length of a file that says none.

    Raises:
        InputError: If there is none.
    """
    fx, fy = meta['intrinsics'][:2] if 'intrinsics' in meta else (meta.get('focal', default),) * 2
    if fx is None:
        raise InputError(
            f'{meta.get("img_path", "this image")}: depth in metres needs the focal length of the '
            'camera: list it with the image (intrinsics), give --intrinsics or --field-of-view, or '
            'set model.decode_head.focal to it, in pixels of the image'
        )
    width, height = meta.get('scale_factor', (1, 1))
    return (fx * width + fy * height) / 2

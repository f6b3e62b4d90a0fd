"""DPT's monocular depth head (arXiv:2103.13413, section 3.2 and figure 1)."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from mmdpt.models.layers.fusion import convolve_upsampled, double_size
from mmdpt.models.layers.reassemble import Tap
from mmdpt.registry import MODELS

from .dpt_head import DPTDecoder, check_truth, cut_to, in_float32, input_size
from .parametrisation import UNITS, build_parametrisation


class DepthOutput(nn.Module):
    """Predict ``out_channels`` from the fused map, upsampled before each 3x3 convolution but one.

    Args:
        channels: Channels of the fused map.
        out_channels: Output channels.
        hidden_channels: Channels before the last convolution. None: nothing but that convolution.
        project: Whether a 3x3 convolution and a ReLU come first (DINOv2, TIPSv2).
    """

    def __init__(
        self,
        channels: int,
        out_channels: int = 1,
        hidden_channels: int | None = 32,
        project: bool = False,
    ) -> None:
        super().__init__()
        self.project = nn.Conv2d(channels, channels, 3, padding=1) if project else None
        self.conv1: nn.Conv2d | None = None
        if hidden_channels is not None:
            self.conv1 = nn.Conv2d(channels, channels // 2, kernel_size=3, padding=1)
            self.conv2 = nn.Conv2d(channels // 2, hidden_channels, kernel_size=3, padding=1)
        self.conv3 = nn.Conv2d(hidden_channels or channels, out_channels, kernel_size=1)

    def forward(self, fused: Tensor, size: Sequence[int] | None = None) -> Tensor:
        """Predict (N, out_channels, H, W) from the last fusion map before its upsampling.

        Args:
            fused: (N, C, h, w).
            size: H and W, by default 4 h and 4 w; without hidden channels always 2 h and 2 w.
        """
        x, doubled = fused, double_size(fused)
        if self.project is not None:
            x = F.relu(convolve_upsampled(self.project, x, doubled))
        if self.conv1 is not None:
            x = convolve_upsampled(self.conv1, x, doubled) if x is fused else self.conv1(x)
            x = convolve_upsampled(self.conv2, x, size or double_size(x))
        return convolve_in_float32(self.conv3, F.relu(in_float32(x)))


def convolve_in_float32(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """Convolve float32 maps in float32, under autocast and with weights stored in half precision.

    Of 140,000 depths, an output in bfloat16 leaves a few thousand: layers in a point cloud. At one
    output channel the convolution takes no longer in float32.
    """
    if conv.weight.dtype == x.dtype and not torch.is_autocast_enabled(x.device.type):
        return conv(x)
    with torch.autocast(x.device.type, enabled=False):
        weight, bias = (parameter.to(x.dtype) for parameter in conv.parameters())
        return F.conv2d(x, weight, bias)


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
      ratio of depths near and far, and an untrained head predicts about the median.
    - ``log_range=(low, high)``: such a logarithm between two depths, by a sigmoid.
    - ``inversion=(scale, shift)``: ``1 / max(scale * relu(x) + shift, 1e-8)``, as the NYU and
      KITTI checkpoints of isl-org/DPT.
    - ``min_depth``: ``relu(x) + min_depth``, as DINOv2's depth heads.
    - ``bins=dict(low=..., high=...)``: a weighted mean of fixed depths, see ``Bins``.

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
        self.predictor = DepthOutput(
            self.channels, self.parametrisation.channels, hidden_channels, project
        )
        losses = [loss_decode] if isinstance(loss_decode, dict) else loss_decode
        self.loss_decode = nn.ModuleList(MODELS.build(loss) for loss in losses)

    @property
    def unit(self) -> str:
        """Unit of the prediction: '' (relative), '1/m' or 'm'."""
        return UNITS[self.output]

    @property
    def is_metric(self) -> bool:
        """Whether the prediction has a unit."""
        return self.output != 'relative'

    def forward(self, taps: Sequence[Tap]) -> Tensor:
        """Predict (N, 1, H, W) for the image padded to the patch, non-negative."""
        fused, _ = self.fuse(taps)
        grid = taps[0] if isinstance(taps[0], Tensor) else taps[0][0]
        size = [side * self.patch_size for side in grid.shape[-2:]]
        if self.fusion.resized == 'path' and self.predictor.conv1 is not None:
            return self.parametrisation(self.predictor(fused, size))
        pred = self.parametrisation(self.predictor(fused))
        return F.interpolate(pred, size=size, mode='bilinear')

    def loss(self, taps: Sequence[Tap], batch_data_samples: list, train_cfg: dict | None) -> dict:
        """Compute the losses against ``gt_depth_map`` [m], inverted for disparity."""
        check_truth(batch_data_samples, 'gt_depth_map')
        target = torch.stack([sample.gt_depth_map.data for sample in batch_data_samples])
        if self.output != 'depth':
            target = 1 / target
        pred = cut_to(self(taps), target.shape[-2:])
        losses: dict[str, Tensor] = {}
        for criterion in self.loss_decode:
            name = str(criterion.loss_name)
            losses[name] = losses.get(name, 0) + criterion(pred, target)
        return losses

    def predict(
        self, taps: Sequence[Tap], batch_img_metas: list[dict], test_cfg: dict | None
    ) -> Tensor:
        """Predict (N, 1, H, W) at the size of the network's input, in ``unit``."""
        pred = cut_to(self(taps), input_size(batch_img_metas[0]))
        low, high = self.clamp
        return pred if low is None and high is None else pred.clamp(low, high)

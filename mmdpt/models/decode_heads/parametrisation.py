"""How the output of a depth head's last convolution becomes depth or disparity."""

from math import inf, log
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from mmdpt.errors import check_choice

UNITS = {'relative': '', 'disparity': '1/m', 'depth': 'm'}
MIN_DISPARITY = 1e-8
"""isl-org/DPT clamps the scaled and shifted output here before inverting it."""


class Parametrisation(nn.Module):
    """Turn x (N, channels, H, W), the last convolution's output, into predictions (N, 1, H, W).

    Attributes:
        channels: Output channels of the last convolution.
        bounds: The least and the greatest number that can come out, in the prediction's unit.
        gives_inverse: Whether a head of disparity may invert the depth that comes out.
    """

    channels = 1
    gives_inverse = False
    bounds: tuple[float, float] = (0.0, inf)

    def inverse(self, depth: float) -> float:
        """Give the x of a number inside ``bounds``."""
        raise ValueError(f'{type(self).__name__} has no inverse')


class Rectified(Parametrisation):
    """``relu(x) + min_depth``: DPT and MiDaS at 0, DINOv2's and DINOv3's depth heads above it."""

    def __init__(self, min_depth: float = 0.0) -> None:
        super().__init__()
        if min_depth:
            check_positive('min_depth', min_depth)
        self.bounds = (min_depth, inf)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x) + self.bounds[0]

    def inverse(self, depth: float) -> float:
        return depth - self.bounds[0]


class Sigmoid(Parametrisation):
    """``sigmoid(x) * max_depth``: Depth Anything's metric models."""

    def __init__(self, max_depth: float) -> None:
        super().__init__()
        check_positive('max_depth', max_depth)
        self.bounds = (0.0, max_depth)

    def forward(self, x: Tensor) -> Tensor:
        return x.sigmoid() * self.bounds[1]

    def inverse(self, depth: float) -> float:
        return log(depth / (self.bounds[1] - depth))


class Exponential(Parametrisation):
    """``exp(x) * median_depth``: x is a logarithm; Depth Anything 3 has a median of 1."""

    gives_inverse = True

    def __init__(self, median_depth: float) -> None:
        super().__init__()
        check_positive('median_depth', median_depth)
        self.median_depth = median_depth

    def forward(self, x: Tensor) -> Tensor:
        return x.exp() * self.median_depth

    def inverse(self, depth: float) -> float:
        return log(depth / self.median_depth)


class LogRange(Parametrisation):
    """``low * (high / low) ** sigmoid(x)``: a logarithm that stays between two depths."""

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        check_range('log_range', low, high)
        self.bounds = (low, high)

    def forward(self, x: Tensor) -> Tensor:
        low, high = self.bounds
        return (x.sigmoid() * log(high / low)).exp() * low

    def inverse(self, depth: float) -> float:
        low, high = self.bounds
        return log(log(depth / low) / log(high / depth))


class Inversion(Parametrisation):
    """``1 / max(scale * relu(x) + shift, 1e-8)``: isl-org/DPT's NYU and KITTI models."""

    def __init__(self, scale: float, shift: float) -> None:
        super().__init__()
        self.scale, self.shift = scale, shift
        self.bounds = (0.0, 1 / max(shift, MIN_DISPARITY))

    def forward(self, x: Tensor) -> Tensor:
        return 1 / (self.scale * F.relu(x) + self.shift).clamp(min=MIN_DISPARITY)

    def inverse(self, depth: float) -> float:
        return (1 / depth - self.shift) / self.scale


class Bins(Parametrisation):
    """A weighted mean of fixed depths (AdaBins, arXiv:2011.14141; DINOv3's eval/depth).

    Args:
        low: First depth [m].
        high: Last depth [m].
        number: Number of depths, the channels of x.
        spacing: 'linear', 'log', or 'mixed-log', which goes from logarithmic to linear (CHMv2).
        normalisation: How channels become weights of sum 1: 'relu' with ``epsilon`` added,
            'softmax' or 'sigmoid'.
        epsilon: What 'relu' adds: 0.1 (DINOv3), 1e-3 (TIPSv2), 1e-8 (CHMv2).
    """

    depths: Tensor

    def __init__(
        self,
        low: float,
        high: float,
        number: int = 256,
        spacing: str = 'linear',
        normalisation: str = 'relu',
        epsilon: float = 0.1,
    ) -> None:
        super().__init__()
        check_range('bins', low, high)
        check_choice('spacing', spacing, ('linear', 'log', 'mixed-log'))
        check_choice('normalisation', normalisation, ('relu', 'softmax', 'sigmoid'))
        linear = torch.linspace(low, high, number)
        logarithmic = torch.linspace(log(low), log(high), number).exp()
        start, end = {'linear': (0, 0), 'log': (1, 1), 'mixed-log': (1, 0)}[spacing]
        depths = torch.lerp(linear, logarithmic, torch.linspace(start, end, number))
        self.register_buffer('depths', depths[:, None, None], persistent=False)
        self.spacing, self.normalisation = spacing, normalisation
        self.epsilon = epsilon
        self.channels = number
        self.bounds = (float(low), float(high))

    def forward(self, x: Tensor) -> Tensor:
        if self.normalisation == 'softmax':
            shares = x.softmax(dim=1)
        else:
            shares = x.sigmoid() if self.normalisation == 'sigmoid' else F.relu(x) + self.epsilon
        weighted = shares * self.depths.to(x.dtype)
        return weighted.sum(dim=1, keepdim=True) / shares.sum(dim=1, keepdim=True)


PARAMETRISATIONS: dict[str, type[Parametrisation]] = {
    'min_depth': Rectified,
    'max_depth': Sigmoid,
    'median_depth': Exponential,
    'log_range': LogRange,
    'inversion': Inversion,
    'bins': Bins,
}
"""The head's option for each; a tuple or a dict holds several arguments."""


def build_parametrisation(output: str, options: dict[str, Any]) -> Parametrisation:
    """Build what the one given option names, relu(x) if there is none.

    Args:
        output: 'relative', 'disparity' or 'depth'.
        options: Values of ``PARAMETRISATIONS``, None where not given.

    Raises:
        ValueError: If ``output`` is none of the three, several options are given or one does not
            give ``output``, or a value is out of its range.
    """
    check_choice('output', output, tuple(UNITS))
    given = {name: value for name, value in options.items() if value is not None}
    if len(given) > 1:
        raise ValueError(f'{" and ".join(given)} exclude each other')
    for name, value in given.items():
        if output != 'depth' and not PARAMETRISATIONS[name].gives_inverse:
            raise ValueError(f'{name} gives depth [m]: output is {output!r}')
        if isinstance(value, dict):
            return PARAMETRISATIONS[name](**value)
        return PARAMETRISATIONS[name](*(value if isinstance(value, (tuple, list)) else (value,)))
    return Rectified()


def check_positive(name: str, value: float) -> None:
    """Raise ValueError unless a value is positive."""
    if not value > 0:
        raise ValueError(f'{name} must be positive, got {value}')


def check_range(name: str, low: float, high: float) -> None:
    """Raise ValueError unless 0 < low < high < inf."""
    if not 0 < low < high < inf:
        raise ValueError(
            f'{name} must go from a positive depth to a greater one, got {low}, {high}'
        )

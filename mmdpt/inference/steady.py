"""Numbers of a video that do not flicker: each map in the scale and shift of the one before."""

import dataclasses

import cv2
import numpy as np

from mmdpt.errors import InputError

from .prediction import Prediction

KEPT = 0.9
"""Share of scale and shift that is kept from frame to frame."""
CUT = 27.0
"""Mean change of hue, saturation and value that is a cut, as in PySceneDetect's detect-content."""
THUMBNAIL = (64, 36)
"""Width and height at which frames are compared [px]."""
MOST_PIXELS = 20_000
"""About how many pixels are fitted."""
INLIERS = 0.8
"""Share of the pixels that are fitted again; the others have moved."""


class SceneCuts:
    """Finds cuts between the frames that it is given one after another."""

    def __init__(self) -> None:
        self._before: np.ndarray | None = None

    def __call__(self, image: np.ndarray) -> bool:
        """Say whether a frame, (H, W, 3) uint8 RGB, begins a scene; the first one does not."""
        small = cv2.resize(image, THUMBNAIL, interpolation=cv2.INTER_AREA)
        now = cv2.cvtColor(small, cv2.COLOR_RGB2HSV)
        before, self._before = self._before, now
        return before is not None and float(cv2.absdiff(now, before).mean()) > CUT


class Steady:
    """Keeps scale and shift of the maps steady over the frames that it is given one after another.

    Networks predict each frame alone. Scale and shift of relative disparity are therefore those of
    the frame, and so is, less so, the scale of depth in metres. Here each map is aligned to the
    steady one of the frame before, and ``KEPT`` of that alignment is applied: an exponential mean,
    which follows what lasts. Shape and edges stay as they were predicted.

    - Relative disparity: scale and shift. The mean and the standard deviation become the other
      map's, over the 80 % of the pixels that fit best. Unlike least squares of one map on the
      other, this does not flatten the map by the noise of both.
    - Depth [m] and disparity [1/m]: the scale alone, by the median ratio, averaged in its
      logarithm. A shift would bend space.

    A cut, see ``SceneCuts``, or a frame of another size begins anew. Sky is not fitted.
    """

    def __init__(self) -> None:
        self._cuts = SceneCuts()
        self._before: np.ndarray | None = None

    def __call__(self, prediction: Prediction) -> Prediction:
        """Give the next frame's prediction with a steady map.

        Raises:
            InputError: If it has no map.
        """
        values = prediction.map
        if values is None:
            raise InputError(f'{prediction.name}: the model predicts no depth to keep steady')
        before = None if self._cuts(prediction.image) else self._before
        if before is not None and before.shape == values.shape:
            seen = np.isfinite(values) & np.isfinite(before)
            if prediction.sky is not None:
                seen &= ~prediction.sky
            if prediction.output != 'relative':
                seen &= (values > 0) & (before > 0)
            every = max(1, int(seen.sum() / MOST_PIXELS))
            pair = (each[seen][::every].astype(np.float64) for each in (values, before))
            fit = _scale_and_shift if prediction.output == 'relative' else _scale
            scale, shift = fit(*pair)
            values = (scale * values + shift).astype(np.float32)
        self._before = values
        return dataclasses.replace(prediction, map=values)


def _scale_and_shift(now: np.ndarray, before: np.ndarray) -> tuple[float, float]:
    """Give what brings a map to ``KEPT`` of the way to the other; both (n,)."""
    inliers = np.ones(len(now), bool)
    scale, shift = 1.0, 0.0
    for _ in range(3):
        x, y = now[inliers], before[inliers]
        if len(x) < 2 or not (x.std() > 0 and y.std() > 0):
            break
        scale = y.std() / x.std()
        shift = y.mean() - scale * x.mean()
        away = np.abs(scale * now + shift - before)
        inliers = away <= np.quantile(away, INLIERS)
    return KEPT * scale + 1 - KEPT, KEPT * shift


def _scale(now: np.ndarray, before: np.ndarray) -> tuple[float, float]:
    """Give the scale, with no shift, as ``_scale_and_shift``."""
    return float(np.exp(KEPT * np.median(np.log(before / now)))) if len(now) else 1.0, 0.0

"""What our own pipeline steps share: they show their arguments and note how they resize."""

import inspect
from collections.abc import Sequence

from mmcv.transforms import BaseTransform


class Step(BaseTransform):
    """A step that is shown with its arguments, which are attributes of the same names."""

    def __repr__(self) -> str:
        names = inspect.signature(type(self)).parameters
        shown = ', '.join(f'{name}={getattr(self, name)!r}' for name in names)
        return f'{type(self).__name__}({shown})'


def note_resize(results: dict, before: Sequence[int], keep_ratio: bool) -> None:
    """Note the size of a resized ``img``, which was (height, width) before, as mmcv's steps do.

    These are ``img_shape`` (h, w), ``scale`` and ``scale_factor`` (w, h), and ``keep_ratio``.
    """
    height, width = results['img_shape'] = results['img'].shape[:2]
    results['scale'] = (width, height)
    results['scale_factor'] = (width / before[1], height / before[0])
    results['keep_ratio'] = keep_ratio

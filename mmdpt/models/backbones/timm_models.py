"""Build models of timm for images of any size, and say what their taps are."""

import difflib
import inspect
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from mmdpt.errors import InputError

from .vision_transformer_dpt import NUM_TAPS

ANY_SIZE: tuple[dict[str, bool], ...] = (
    dict(dynamic_img_size=True),
    dict(strict_img_size=False),
    dict(),
)
"""What lets a model take images of any size: ViTs, Swin, and networks that need nothing."""


def create_model(model_name: str, args: dict) -> Any:
    """Build a model of timm that takes images of any size, where it can.

    Raises:
        InputError: If timm is not installed, has no such model, or cannot build it so.
    """
    try:
        import timm
    except ImportError as error:
        raise InputError(
            f"TimmDPTBackbone needs timm: pip install 'mmdpt[timm]' ({error})"
        ) from error
    from .timm_positions import take_any_size

    if not timm.is_model(model_name):
        near = difflib.get_close_matches(model_name, timm.list_models(), n=3)
        raise InputError(f'timm {timm.__version__} has no model {model_name!r}; near: {near}')
    for any_size in ANY_SIZE:
        try:
            model = timm.create_model(model_name, **{**any_size, **args})
        except TypeError as error:
            refused = error
        else:
            return take_any_size(model)
    raise InputError(f'timm cannot build {model_name} with {args}: {refused}') from refused


def set_grid(model: Any, grid: tuple[int, int]) -> None:
    """Tell a BEiT how many patches (h, w) the next images have."""
    for block in getattr(model, 'blocks', ()):
        if hasattr(getattr(block, 'attn', None), 'image_grid'):
            block.attn.image_grid = grid


def arguments(model: Any) -> set[str]:
    """Name the arguments of the method that gives the taps."""
    return set(inspect.signature(model.forward_intermediates).parameters)


def check_taps(out_indices: Sequence[int] | None, strides: Sequence[int]) -> list[int]:
    """Give the blocks, or stages, to tap.

    Args:
        out_indices: As in ``TimmDPTBackbone``.
        strides: Strides of all blocks or stages.

    Raises:
        ValueError: If they are no increasing numbers of blocks or stages.
    """
    number = len(strides)
    if out_indices is None and len(set(strides)) == 1:
        return [number * (tap + 1) // NUM_TAPS - 1 for tap in range(NUM_TAPS)]
    if out_indices is None:
        return list(range(max(0, number - NUM_TAPS), number))
    taps = list(out_indices)
    if not taps or any(a >= b for a, b in pairwise([-1, *taps, number])):
        raise ValueError(f'out_indices must be increasing numbers in 0..{number - 1}, got {taps}')
    return taps


def head_cfg(channels: Sequence[int], strides: Sequence[int], has_readout: bool) -> dict[str, Any]:
    """Give the arguments of ``DPTDecoder`` for taps of these widths and strides.

    Four taps of one stride are reassembled at C/8, C/4, C/2 and C channels, the paper's of ViT-B.
    Those of a pyramid go to the fusion as they are: MiDaS 3.1 (isl-org/MiDaS@4545977,
    midas/backbones/{swin_common,next_vit}.py).
    """
    settings: dict[str, Any] = dict(embed_dims=tuple(channels), patch_size=strides[0])
    if len(set(strides)) > 1:
        return dict(
            settings,
            reassemble_channels=(None,) * len(strides),
            reassemble_scales=(1,) * len(strides),
            readout_type='ignore',
        )
    return dict(
        settings,
        reassemble_channels=tuple(
            width >> (len(channels) - 1 - tap) for tap, width in enumerate(channels)
        ),
        readout_type='project' if has_readout else 'ignore',
    )

"""Which code base a checkpoint comes from, by its keys."""

from collections.abc import Iterable

from mmdpt.checkpoints.layouts.layout import Layout
from mmdpt.errors import InputError

from .layouts import (
    depth_anything,
    dinov2,
    dinov2_dpt,
    dinov3,
    dinov3_dpt,
    isl_org,
    midas,
    mmseg,
    smp,
    timm,
    tips,
    transformers,
)

MAX_NAMED = 8
OURS = 'mmdpt'
LAYOUTS: tuple[Layout, ...] = (
    *midas.LAYOUTS,  # before isl-org's, whose marks BEiT's has too
    *isl_org.LAYOUTS,
    *transformers.LAYOUTS,
    *dinov2_dpt.LAYOUTS,
    *dinov3_dpt.LAYOUTS,
    *tips.LAYOUTS,
    *depth_anything.LAYOUTS,
    *mmseg.LAYOUTS,
    *smp.LAYOUTS,
    *dinov3.LAYOUTS,
    *dinov2.LAYOUTS,  # before timm's, whose marks it has too
    *timm.LAYOUTS,
)
SOURCES = tuple(dict.fromkeys(layout.source for layout in LAYOUTS))


def check_source(source: str) -> None:
    """Raise InputError unless a source is 'auto', 'mmdpt' or one of ``SOURCES``."""
    known = ('auto', OURS, *SOURCES)
    if source not in known:
        raise InputError(f'source must be one of {", ".join(known)}, got {source!r}')


def is_ours(keys: Iterable[str]) -> bool:
    """Whether these are keys of a model of mmdpt."""
    keys = list(keys)
    ours = ('decode_head.fusion.blocks.', 'depth_head.fusion.blocks.')
    return any(key.startswith(ours) for key in keys) and any(
        key.startswith('backbone.') for key in keys
    )


def is_foreign(keys: Iterable[str]) -> bool:
    """Whether these are keys of a known layout that is not ours."""
    keys = list(keys)
    return not is_ours(keys) and any(layout.recognises(keys) for layout in LAYOUTS)


def detect(keys: Iterable[str], source: str = 'auto', task: str | None = None) -> Layout:
    """Find the layout that a checkpoint's keys have, of one of ``SOURCES`` or of any ('auto').

    A file may hold heads of several tasks; ``task`` says which one is asked for.

    Raises:
        InputError: If the source is unknown or the keys are of none of its layouts.
    """
    check_source(source)
    keys = list(keys)
    found = [x for x in LAYOUTS if source in ('auto', x.source) and x.recognises(keys)]
    if not found:
        kind = 'no known layout' if source == 'auto' else f'no layout of {source}'
        raise InputError(f'{kind} (known: {", ".join(SOURCES)}) has these keys: {name_some(keys)}')
    if found[0].task == 'backbone':
        return found[0]
    return next((layout for layout in found if layout.task == task), found[0])


def name_some(keys: list[str]) -> str:
    """Name the first keys and count the others."""
    more = f', and {len(keys) - MAX_NAMED} more' if len(keys) > MAX_NAMED else ''
    return ', '.join(keys[:MAX_NAMED]) + more

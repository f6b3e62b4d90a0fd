"""Convert foreign state dicts into ours and back, with a report of every key."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from mmdpt.checkpoints.layouts.layout import OLDER, Layout, Pair, StateDict, expand
from mmdpt.errors import InputError

from .detect import LAYOUTS, OURS, detect, is_ours, name_some

TELLING = {
    'backbone.stem.conv.weight': 'a convolutional stem',
    'backbone.ln1.weight': 'normed taps',
    'decode_head.predictor.project.weight': 'a projection before the output',
    'backbone.timm_model.cls_token': 'a ViT of timm',
    'backbone.timm_model.reg_token': 'registers of timm',
    'backbone.timm_model.patch_embed.norm.weight': 'a Swin of timm',
    'backbone.timm_model.stages.0.blocks.0.mhca.norm.weight': 'a Next-ViT of timm',
    'backbone.timm_model.layers.{s}.blocks.{b}.attn.logit_scale': 'cosine attention',
    'decode_head.predictor.sky.0.weight': 'a sky branch',
}
"""Keys of ours by which layouts of one task differ, and what they stand for."""
LAYER = re.compile(r'(backbone\.(?:layers|timm_model\.blocks)\.)\d+(\..+)')


@dataclass
class Report:
    """What became of every key.

    Attributes:
        source: The code base whose names came in.
        task: 'depth', 'segmentation', 'normals' or 'backbone'.
        mapped: Each key that went out, and the keys that it was made of.
        dropped: Parameters that no output depends on, with the reason.
        filled: Parameters that the other side has and this one does not, with the reason.
        missing: Keys that the layout demands and the file does not have.
        unexpected: Keys of the file that the layout does not know.
        reshaped: Keys of another shape, as "key: shape, expected shape".
        settings: What a config must say for equal numbers.
    """

    source: str
    task: str
    mapped: dict[str, tuple[str, ...]] = field(default_factory=dict)
    dropped: dict[str, str] = field(default_factory=dict)
    filled: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    reshaped: list[str] = field(default_factory=list)
    settings: str = ''

    def check(self) -> None:
        """Raise InputError naming every key that is not explained."""
        problems = [
            f'{len(keys)} {what}: {name_some(keys)}'
            for what, keys in (
                ('missing', self.missing),
                ('unexpected', self.unexpected),
                ('of another shape', self.reshaped),
            )
            if keys
        ]
        if problems:
            raise InputError(
                f'this {self.source} checkpoint ({self.task}) is not as expected; '
                + '; '.join(problems)
            )

    def __str__(self) -> str:
        lines = [f'{self.source} ({self.task}): {len(self.mapped)} tensors mapped']
        for what, keys in (('dropped', self.dropped), ('filled', self.filled)):
            for reason in dict.fromkeys(keys.values()):
                named = [key for key, why in keys.items() if why == reason]
                lines.append(f'{what}, {reason}: {name_some(named)}')
        if self.settings:
            lines.append(f'for equal numbers: {self.settings}')
        return '\n'.join(lines)


def to_ours(
    state_dict: StateDict, source: str = 'auto', task: str | None = None
) -> tuple[dict[str, Tensor], Report]:
    """Convert a foreign state dict to ours: a whole model's, or ``backbone.`` alone (timm).

    One that is ours already is returned unchanged. With ``source`` 'auto' the keys tell the code
    base that the tensors come from. ``task`` says which head of a file with several is read.

    Raises:
        InputError: If the layout is unknown, a key is missing, unexpected or of another shape, or
            the numbers could not be equal.
    """
    if source in ('auto', OURS) and is_ours(state_dict):
        return dict(state_dict), Report(OURS, task_of(state_dict), {k: (k,) for k in state_dict})
    layout = detect(state_dict, source, task)
    current = layout.prepare({layout.current_name(k): v for k, v in state_dict.items()})
    if layout.check is not None:
        layout.check(current)
    report = Report(layout.source, layout.task, settings=layout.settings)
    pairs = expand(layout.pairs, current, ours=False)
    pairs = _parts_present(pairs, layout, current, lambda pair: pair.theirs)
    converted: dict[str, Tensor] = {}
    for pair in pairs:
        missing = [key for key in pair.theirs if key not in current]
        if missing:
            report.missing += [] if pair.optional else missing
            continue
        pieces = [current[key] for key in pair.theirs]
        if len({piece.shape for piece in pieces}) > 1:
            both = zip(pair.theirs, pieces, strict=True)
            report.reshaped += [f'{key}: {tuple(piece.shape)}' for key, piece in both]
            continue
        converted[pair.ours] = pieces[0] if len(pieces) == 1 else torch.cat(pieces)
        report.mapped[pair.ours] = pair.theirs
    used = {key for pair in pairs for key in pair.theirs}
    reasons = {dead.theirs: dead.reason for dead in layout.dead}
    unused = [key for key in current if key not in used]
    report.dropped = {key: reasons[key] for key in unused if key in reasons}
    report.unexpected = [key for key in unused if key not in reasons]
    for implied in layout.implied:
        if implied.ours not in converted and implied.like in converted:
            like = converted[implied.like]
            converted[implied.ours] = like.new_zeros(len(like))
            report.filled[implied.ours] = implied.reason
    report.reshaped += _unlike_first_layer(converted)
    report.check()
    return converted, report


def to_foreign(state_dict: StateDict, target: str) -> tuple[dict[str, Tensor], Report]:
    """Convert the state dict of a whole model of ours for 'isl-org' or 'huggingface'.

    Raises:
        InputError: If the target has no such model, or a key is missing or unexpected.
    """
    layout = _layout_for(state_dict, target)
    report = Report(OURS, layout.task)
    current = [pair for pair in layout.pairs if not pair.part.endswith(OLDER)]
    pairs = expand(current, state_dict, ours=True)
    pairs = _parts_present(pairs, layout, state_dict, lambda pair: (pair.ours,))
    converted: dict[str, Tensor] = {}
    for pair in pairs:
        if pair.ours not in state_dict:
            report.missing += [] if pair.optional else [pair.ours]
            continue
        value, number = state_dict[pair.ours], len(pair.theirs)
        if number > 1 and (not value.dim() or len(value) % number):
            report.reshaped += [f'{pair.ours}: {tuple(value.shape)}, expected {number} equal parts']
            continue
        pieces = value.chunk(number) if number > 1 else (value,)
        for key, piece in zip(pair.theirs, pieces, strict=True):
            converted[key] = piece.clone()
            report.mapped[key] = (pair.ours,)
    used = {pair.ours for pair in pairs}
    report.unexpected = [key for key in state_dict if key not in used]
    report.check()
    for dead in layout.dead:
        if dead.theirs not in converted and dead.like in state_dict:
            like = state_dict[dead.like]
            shape = like.shape if dead.rows is None else (dead.rows, *like.shape[1:])
            converted[dead.theirs] = like.new_full(shape, dead.value)
            report.filled[dead.theirs] = dead.reason
    return layout.restore(converted), report


def task_of(state_dict: Iterable[str]) -> str:
    """Tell the task of our model from its head."""
    keys = dict(depth='predictor.conv3.weight', normals='conv_normals.weight')
    found = (task for task, key in keys.items() if f'decode_head.{key}' in state_dict)
    return next(found, 'segmentation')


def _layout_for(state_dict: StateDict, target: str) -> Layout:
    if not is_ours(state_dict):
        raise InputError(
            'only a model of mmdpt can be converted to other names: convert the file to mmdpt first'
        )
    task = task_of(state_dict)
    has = [key for key in TELLING if key.format(s=0, b=0) in state_dict]
    for layout in LAYOUTS:
        known = {pair.ours for pair in layout.pairs}
        told = [key for key in TELLING if key in known]
        if (layout.source, layout.task, told) == (target, task, has):
            return layout
    kind = ' and '.join(TELLING[key] for key in has) or 'a ViT backbone'
    raise InputError(f'{target} has no {task} model with {kind}')


def _parts_present(
    pairs: list[Pair],
    layout: Layout,
    state_dict: StateDict,
    keys_of: Callable[[Pair], tuple[str, ...]],
) -> list[Pair]:
    """Leave out optional parts that have no tensor in the state dict."""
    there = {pair.part for pair in pairs if any(key in state_dict for key in keys_of(pair))}
    there |= set(layout.required)
    if layout.either and not there.intersection(layout.either):
        there.add(layout.either[0])
    return [pair for pair in pairs if pair.part in there]


def _unlike_first_layer(state_dict: StateDict) -> list[str]:
    """Name the tensors of encoder layers whose shapes differ from the first layer's."""
    problems = []
    for key, value in state_dict.items():
        found = LAYER.match(key)
        first = state_dict.get(f'{found[1]}0{found[2]}') if found else None
        if first is not None and first.shape != value.shape:
            problems += [f'{key}: {tuple(value.shape)}, layer 0 has {tuple(first.shape)}']
    return problems

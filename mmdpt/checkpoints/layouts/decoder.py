"""DPT's decoder: its parts are the same in every code base, their names are not."""

from collections.abc import Sequence

from .layout import AFFINE, BATCH_NORM, NUM_TAPS, WEIGHT, Pair, modules

SAME_SCALE = 2
"""Index of the tap that keeps its scale and has no resampling."""


def reassemble(
    taps: Sequence[int],
    readout: str,
    projection: str,
    resampling: str,
    part: str = 'reassemble',
) -> list[Pair]:
    """Pair readout, projection and resampling of the taps that have them, by their names of these.

    In the names {k} is the tap's index, and {next} is k + 1. Projection and resampling are of one
    part; the readout is a part of its own.
    """
    pairs = []
    for k in taps:
        ours, number = f'decode_head.reassemble.blocks.{k}', dict(k=k, next=k + 1)
        pairs += modules('readout', (f'{ours}.read.project', readout.format(**number), AFFINE))
        pairs += modules(part, (f'{ours}.project', projection.format(**number), AFFINE))
        if k != SAME_SCALE:
            pairs += modules(part, (f'{ours}.resample', resampling.format(**number), AFFINE))
    return pairs


def fusion(
    to_fusion: str,
    project: str,
    unit: str,
    conv: str,
    norm: str,
    part: str = 'fusion',
    bias_part: str | None = 'fusion bias',
    norm_part: str = 'fusion norm',
) -> list[Pair]:
    """Pair what follows the reassembling. Our block 0 is the coarsest; its first unit is unused.

    Args:
        to_fusion: Their name of the convolution to the fusion width; {k} is the tap's index,
            {next} is k + 1.
        project: Their name of a block's last convolution; {k} is our block, {back} counts blocks
            from the finest, beginning at 1.
        unit: Their name of a block's residual unit; {u} is 1 or 2.
        conv: Their name of a convolution below the unit; {i} is 1 or 2.
        norm: Their name of a normalisation below the unit; {i} is 1 or 2.
        part: Part of what every file has.
        bias_part: Part of the convolutions' biases; None if there are none.
        norm_part: Part of the normalisations.
    """
    pairs = []
    for k in range(NUM_TAPS):
        block, number = f'decode_head.fusion.blocks.{k}', dict(k=k, next=k + 1, back=NUM_TAPS - k)
        tap = f'decode_head.reassemble.blocks.{k}.to_fusion'
        pairs += modules(
            part,
            (tap, to_fusion.format(**number), WEIGHT),
            (f'{block}.project', project.format(**number), AFFINE),
        )
        for u in (1, 2)[k == 0 :]:
            ours, theirs = f'{block}.residual_unit{u}', unit.format(u=u, **number)
            for i in (1, 2):
                convolution = (f'{ours}.conv{i}', f'{theirs}.{conv.format(i=i)}')
                pairs += modules(part, (*convolution, WEIGHT))
                if bias_part is not None:
                    pairs += modules(bias_part, (*convolution, ('bias',)))
                normalisation = (f'{ours}.norm{i}', f'{theirs}.{norm.format(i=i)}')
                pairs += modules(norm_part, (*normalisation, BATCH_NORM))
    return pairs


def depth_head(head: str) -> list[Pair]:
    """Pair the depth head with a sequence of layers below ``head``."""
    return modules(
        'depth head',
        *((f'decode_head.predictor.conv{i + 1}', f'{head}.{2 * i}', AFFINE) for i in range(3)),
    )


def segmentation_head(
    head: str, part: str = 'segmentation head', ours: str = 'decode_head'
) -> list[Pair]:
    """Pair the segmentation head, or the auxiliary one, with a sequence of layers."""
    return modules(
        part,
        (f'{ours}.project.conv', f'{head}.0', WEIGHT),
        (f'{ours}.project.bn', f'{head}.1', BATCH_NORM),
        (f'{ours}.conv_seg', f'{head}.4', AFFINE),
    )


def heads(head: str, auxiliary: str) -> dict[str, list[Pair]]:
    """Pair the heads of isl-org/DPT and of what took over its numbering, by task."""
    ours = 'decode_head.auxiliary'
    return {
        'depth': depth_head(head),
        'segmentation': [
            *segmentation_head(head),
            *segmentation_head(auxiliary, 'auxiliary head', ours),
        ],
    }

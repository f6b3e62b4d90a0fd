"""DPT's Table 1 (arXiv:2103.13413): six data sets, a metric each, and the published rows."""

from collections.abc import Mapping
from dataclasses import dataclass

SOURCE = 'Ranftl et al., Vision Transformers for Dense Prediction, arXiv:2103.13413, Table 1'
NOT_EVALUATED = '-'


@dataclass(frozen=True)
class ZeroShotSet:
    """One column of the table; lower is better in each.

    Attributes:
        name: Name of its config in configs/_base_/zero_shot and of its folder below the data root,
            and its metric's prefix.
        title: The paper's name.
        metric: Key among the results of DepthMetric or WHDRMetric.
        label: The paper's name of the metric.
        decimals: Decimals that the paper prints.
        images: Number of images in the paper's protocol (MiDaS, arXiv:1907.01341v3, section 6).
    """

    name: str
    title: str
    metric: str
    label: str
    decimals: int
    images: int


SETS: tuple[ZeroShotSet, ...] = (
    ZeroShotSet('diw', 'DIW', 'whdr', 'WHDR [%]', 2, 74_441),
    ZeroShotSet('eth3d', 'ETH3D', 'abs_rel', 'AbsRel', 3, 454),
    ZeroShotSet('sintel', 'Sintel', 'abs_rel', 'AbsRel', 3, 1_064),
    ZeroShotSet('kitti', 'KITTI', 'bad_pixels', 'δ > 1.25 [%]', 2, 161),
    ZeroShotSet('nyu', 'NYU', 'bad_pixels', 'δ > 1.25 [%]', 2, 654),
    ZeroShotSet('tum', 'TUM', 'bad_pixels', 'δ > 1.25 [%]', 2, 1_815),
)

PUBLISHED: dict[str, tuple[float, ...]] = {
    'DPT-Large, MIX 6': (10.82, 0.089, 0.270, 8.46, 8.32, 9.97),
    'DPT-Hybrid, MIX 6': (11.06, 0.093, 0.274, 11.56, 8.69, 10.89),
    'MiDaS, MIX 6': (12.95, 0.116, 0.329, 16.08, 8.71, 12.51),
    'MiDaS, MIX 5': (12.46, 0.129, 0.327, 23.90, 9.55, 14.29),
}
"""Rows of Table 1, in the order of ``SETS``; none was measured by this project."""


def zero_shot_table(
    model: str,
    values: Mapping[str, float],
    images: Mapping[str, int],
    limit: int | None = None,
) -> str:
    """Write this model's row above the published ones, in Markdown.

    Below the table stand the source, and where the images are not as many as the paper's. Figures
    and the numbers of their images go by the name of the set; sets that are absent are shown as
    '-'. ``limit`` is how many images of each set were looked at, None for all.
    """
    own = [_figure(s, values[s.name]) if s.name in values else NOT_EVALUATED for s in SETS]
    rows = [
        ['', *(f'{s.title} {s.label}' for s in SETS)],
        ['---', *('---:' for _ in SETS)],
        [f'**{model}**', *own],
        *(
            [name, *(_figure(s, value) for s, value in zip(SETS, row, strict=True))]
            for name, row in PUBLISHED.items()
        ),
    ]
    lines = ['| ' + ' | '.join(row) + ' |' for row in rows]
    lines += ['', f'Lower is better. Published rows: {SOURCE}; not measured here.']
    if limit is not None:
        lines.append(f'At most the first {limit} images of each set: no figure of a whole set.')
    others = [
        f'{s.title} {images[s.name]} (paper: {s.images})'
        for s in SETS
        if s.name in values and images[s.name] != s.images
    ]
    if others:
        lines.append(f'Another number of images than the paper: {", ".join(others)}.')
    return '\n'.join(lines) + '\n'


def _figure(zero_shot_set: ZeroShotSet, value: float) -> str:
    return f'{value:.{zero_shot_set.decimals}f}'

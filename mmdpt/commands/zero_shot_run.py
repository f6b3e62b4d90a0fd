"""Evaluate one model on the data sets of DPT's Table 1, without training on any."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.logging import print_log
from mmengine.model import BaseModel
from mmengine.runner import Runner

from mmdpt.config.check import check_config
from mmdpt.config.config_files import load_config, parse_options
from mmdpt.errors import InputError
from mmdpt.evaluation.depth_alignment import OUTPUTS
from mmdpt.evaluation.depth_metric import bootstrap_interval
from mmdpt.evaluation.zero_shot import SETS, ZeroShotSet, zero_shot_table
from mmdpt.files.shipped import shipped
from mmdpt.inference.model import init_model

from .tool import own_message

SET_OPTIONS = ('test_dataloader.', 'test_evaluator.')
"""Overrides that begin with these change every set, the others the model."""
PROTOCOL = ('model.test_cfg.resize_mode=bilinear', 'model.test_cfg.resize_align_corners=False')
"""How every prediction is resized to the ground truth, whatever the model's config says."""
BOOTSTRAP = 1000
"""Resamples for the interval of WHDR: DepthMetric's default."""
PROGRESS = 500
"""Number of images between two lines of progress."""


@dataclass
class SetResult:
    """The result for one set.

    Attributes:
        metrics: Every metric by name; empty if the set was not evaluated.
        intervals: 95 % bootstrap interval of each metric that has one.
        per_image: One dict for each image, as the metric keeps them.
        images: Number of images that the metrics average over.
        missing: The folder of the set, if it does not exist.
        error: What is wrong with the set, if anything.
    """

    metrics: dict[str, float] = field(default_factory=dict)
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    per_image: list[dict] = field(default_factory=list)
    images: int = 0
    missing: str | None = None
    error: str | None = None


def benchmark_zero_shot(
    config: str,
    checkpoint: str,
    data_root: str = 'data',
    sets: Sequence[ZeroShotSet] = SETS,
    limit: int | None = None,
    options: Sequence[str] = (),
) -> dict[str, SetResult]:
    """Evaluate a depth model on every set whose folder is below ``data_root``.

    The config's own data sets are not used. ``limit`` takes the first images of each set alone.
    Overrides of ``test_dataloader`` and ``test_evaluator`` change every set, the others the model's
    config. The result of a missing or damaged set says so.

    Raises:
        InputError: If no set is there, or the config or checkpoint is wrong.
    """
    folders = {s.name: Path(data_root) / s.name for s in sets}
    if not any(folder.is_dir() for folder in folders.values()):
        raise InputError(
            f'none of the data sets is there; looked for {", ".join(map(str, folders.values()))}; '
            'how to prepare them: docs/zero-shot.md'
        )
    if limit is not None and limit < 1:
        raise InputError(f'the limit must be at least 1 image, got {limit}')
    model = init_model(
        config,
        checkpoint,
        device='cuda' if torch.cuda.is_available() else 'cpu',
        cfg_options=[*PROTOCOL, *(o for o in options if not o.startswith(SET_OPTIONS))],
    )
    output: Any = getattr(getattr(model, 'decode_head', None), 'output', None)
    if output not in OUTPUTS:
        raise InputError(f'config {config} is no depth model: its head predicts {output}')
    set_options = [option for option in options if option.startswith(SET_OPTIONS)]
    results = {}
    for zero_shot_set in sets:
        folder = folders[zero_shot_set.name]
        if not folder.is_dir():
            results[zero_shot_set.name] = SetResult(missing=str(folder))
            print_log(f'{zero_shot_set.title}: no folder {folder}, skipped', logger='current')
            continue
        try:
            cfg = set_config(zero_shot_set, output, folder, limit, set_options)
            results[zero_shot_set.name] = evaluate_set(model, cfg, zero_shot_set)
        except InputError as error:
            results[zero_shot_set.name] = SetResult(error=own_message(error))
            print_log(f'{zero_shot_set.title}: {own_message(error)}', logger='current')
    return results


def set_config(
    zero_shot_set: ZeroShotSet,
    output: str,
    folder: Path,
    limit: int | None = None,
    options: Sequence[str] = (),
) -> Config:
    """Read a set's pinned protocol, and fit it to its folder and to what a model predicts.

    Raises:
        InputError: If an override names an unknown key.
    """
    cfg = load_config(str(shipped('configs') / f'_base_/zero_shot/{zero_shot_set.name}.py'))
    cfg.test_dataloader.dataset.data_root = str(folder)
    cfg.test_evaluator.output = output
    if limit is not None:
        cfg.test_dataloader.dataset.indices = limit
    cfg.merge_from_dict(parse_options(options))
    check_config(cfg)
    return cfg


def evaluate_set(model: BaseModel, cfg: Config, zero_shot_set: ZeroShotSet) -> SetResult:
    """Predict every image of one set and compare with its ground truth.

    Raises:
        InputError: If a file of the set is missing or damaged, or nothing can be evaluated.
    """
    loader = Runner.build_dataloader(cfg.test_dataloader, seed=0)
    evaluator = Evaluator(cfg.test_evaluator)
    (metric,) = evaluator.metrics
    total = len(loader.dataset)
    print_log(f'{zero_shot_set.title}: {total} images', logger='current')
    with torch.no_grad():
        for number, batch in enumerate(loader, start=1):
            evaluator.process(data_samples=model.test_step(batch), data_batch=batch)
            if number % PROGRESS == 0:
                print_log(f'{zero_shot_set.title}: {number}/{total}', logger='current')
    per_image = list(metric.results)
    metrics = evaluator.evaluate(total)
    prefix = f'{zero_shot_set.name}/'
    ordinal = zero_shot_set.metric == 'whdr'
    scored = [result for result in per_image if result.get('pairs' if ordinal else 'valid_pixels')]
    return SetResult(
        metrics={name.removeprefix(prefix): float(value) for name, value in metrics.items()},
        intervals=_whdr_interval(scored) if ordinal else metric.intervals,
        per_image=per_image,
        images=len(scored),
    )


def _whdr_interval(results: list[dict]) -> dict[str, tuple[float, float]]:
    """Give the interval of WHDR over images; those of DIW have one pair each."""
    shares = [100 * result['disagreements'] / result['pairs'] for result in results]
    low, high = bootstrap_interval(np.array(shares)[:, None], BOOTSTRAP)
    return {'whdr': (float(low[0]), float(high[0]))}


def table_of(name: str, results: dict[str, SetResult], limit: int | None = None) -> str:
    """Give the table of the evaluated sets; ``name`` is the model's."""
    done = [s for s in SETS if s.name in results and results[s.name].metrics]
    return zero_shot_table(
        name,
        {s.name: results[s.name].metrics[s.metric] for s in done},
        {s.name: results[s.name].images for s in done},
        limit,
    )


def write_results(
    out_dir: str,
    results: dict[str, SetResult],
    config: str,
    checkpoint: str,
    limit: int | None = None,
) -> None:
    """Write ``zero_shot.md``, ``zero_shot.json`` and one ``<set>.jsonl``, a line for each image."""
    out = Path(out_dir)
    out.mkdir(parents=True, exist_ok=True)
    (out / 'zero_shot.md').write_text(table_of(Path(config).stem, results, limit), encoding='utf-8')
    report: dict[str, Any] = dict(config=config, checkpoint=checkpoint, limit=limit, sets={})
    for zero_shot_set in SETS:
        result = results.get(zero_shot_set.name, SetResult())
        name, metric = zero_shot_set.name, zero_shot_set.metric
        report['sets'][name] = dict(
            metric=metric,
            value=result.metrics.get(metric),
            interval=result.intervals.get(metric),
            paper_images=zero_shot_set.images,
            **{key: value for key, value in vars(result).items() if key != 'per_image'},
        )
        if result.metrics:
            (out / f'{name}.jsonl').write_text(
                ''.join(json.dumps(line) + '\n' for line in result.per_image), encoding='utf-8'
            )
    (out / 'zero_shot.json').write_text(json.dumps(report, indent=2) + '\n', encoding='utf-8')

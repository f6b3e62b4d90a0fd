"""How many images a worker of a data loader feeds: our training pipelines beside mmseg's.

python benchmarks/data.py [--out FILE.json]

Rendered scenes, 640 x 480 px, with labels and 16-bit depth. Times are of the processor, of one
thread, as a worker has, so that they hold on a busy machine; rivals take turns in one process.
'depth' is beside mmseg's of the same steps; 'depth, beside segmentation' beside ours for labels.
A 16-bit PNG alone takes longer to decode than labels: 'decoding' says how much.
"""

import argparse
import copy
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import timing
import torch
from mmengine.registry import init_default_scope

from mmdpt.registry import TRANSFORMS
from mmdpt.scenes.writer import DEPTH_UNIT, write_scenes

SIZE, CROP = (640, 480), (416, 544)
CLASSES = 12
LOAD = dict(type='LoadImageFromFile')
LABELS, DEPTH = dict(type='LoadAnnotations'), dict(type='LoadDepth')
CROPPED = dict(type='RandomCrop', crop_size=CROP)
COLOURS = [dict(type='RandomFlip', prob=0.5), dict(type='PhotoMetricDistortion')]
RESIZED = dict(type='RandomResize', scale=SIZE, ratio_range=(0.9, 1.5), keep_ratio=True)
PACK, PACK_DEPTH = dict(type='PackSegInputs'), dict(type='PackDepthInputs')
MMSEG_DEPTH = dict(type='LoadDepthAnnotation', depth_rescale_factor=1 / DEPTH_UNIT)

SEGMENTATION = [LOAD, LABELS, RESIZED, {**CROPPED, 'cat_max_ratio': 0.75}, *COLOURS, PACK]
OURS, THEIRS = 'mmdpt', 'mmseg'
CASES: dict[str, dict[str, tuple[str, list[dict]]]] = {
    'segmentation': {OURS: (OURS, SEGMENTATION), THEIRS: (THEIRS, SEGMENTATION)},
    'depth': {
        OURS: (OURS, [LOAD, DEPTH, RESIZED, CROPPED, *COLOURS, PACK_DEPTH]),
        THEIRS: (THEIRS, [LOAD, MMSEG_DEPTH, RESIZED, CROPPED, *COLOURS, PACK]),
    },
    'depth, beside segmentation': {
        OURS: (OURS, [LOAD, DEPTH, RESIZED, CROPPED, *COLOURS, PACK_DEPTH]),
        'mmdpt, labels': (OURS, SEGMENTATION),
    },
}
"""Of each rival the scope of its steps and the steps; the first is measured by the second."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--repeats', type=int, default=7)
    parser.add_argument('--images', type=int, default=24)
    parser.add_argument('--out', type=Path, help='JSON file for the figures')
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)  # as env_cfg.mp_cfg.opencv_num_threads
    init_default_scope('mmdpt')
    report: dict = dict(machine=timing.describe_machine('cpu'))
    with tempfile.TemporaryDirectory() as folder:
        write_scenes(folder, args.images, 1, SIZE)
        samples = list_samples(Path(folder))
        for name, rivals in CASES.items():
            report[name] = compare(name, rivals, samples, args.repeats)
        report['decoding'] = decode(samples, args.repeats)
    print(json.dumps(report, indent=2))
    timing.write_report(report, args.out)


def list_samples(root: Path) -> list[dict]:
    """List the training images with what their data set says of them."""
    pictures = sorted((root / 'images' / 'training').iterdir())
    labels = sorted((root / 'annotations' / 'training').iterdir())
    depth = {path.stem.split('_')[-1]: path for path in (root / 'nyu' / 'annotations').rglob('*')}
    return [
        dict(
            img_path=str(picture),
            seg_map_path=str(label),
            depth_map_path=str(depth[picture.stem[-5:]]),
            depth_scale=float(DEPTH_UNIT),
            invalid_values=(),
            num_classes=CLASSES,
            reduce_zero_label=True,
            label_map=None,
            seg_fields=[],
        )
        for picture, label in zip(pictures, labels, strict=True)
    ]


def compare(name: str, rivals: dict, samples: Sequence[dict], repeats: int) -> dict:
    """Time two pipelines in turns, on the same random numbers.

    Raises:
        SystemExit: If what they pack is not the same.
    """
    steps = {
        rival: [TRANSFORMS.build({**step, '_scope_': scope}) for step in pipeline]
        for rival, (scope, pipeline) in rivals.items()
    }
    seconds: dict[str, list[list[float]]] = {rival: [] for rival in rivals}
    for seed in range(1 + repeats):  # the first is a warm-up
        packed = {}
        for rival in rivals:
            packed[rival], of_steps = run(steps[rival], samples, seed)
            seconds[rival].append(of_steps)
        if name != 'depth, beside segmentation':
            check(name, *packed.values())
    result: dict = {}
    for rival, rounds in seconds.items():
        totals = [sum(of_steps) for of_steps in rounds[1:]]
        low, median, high = statistics.quantiles([len(samples) / t for t in totals], n=4)
        result[rival] = dict(
            images_per_second=round(median, 1),
            quartiles=[round(low, 1), round(high, 1)],
            milliseconds={
                type(step).__name__: round(1000 * statistics.median(times) / len(samples), 3)
                for step, times in zip(steps[rival], zip(*rounds[1:], strict=True), strict=True)
            },
        )
    ours, theirs = ([sum(of_steps) for of_steps in rounds[1:]] for rounds in seconds.values())
    ratios = [its / mine for mine, its in zip(ours, theirs, strict=True)]
    low, median, high = statistics.quantiles(ratios, n=4)
    return dict(**result, times_as_many=round(median, 3), quartiles=[round(low, 3), round(high, 3)])


def run(steps: list, samples: Sequence[dict], seed: int) -> tuple[list[dict], list[float]]:
    """Run a pipeline; give what it packs and the seconds of each step."""
    np.random.seed(seed)
    random.seed(seed)
    seconds = [0.0] * len(steps)
    packed = []
    for sample in samples:
        results = copy.deepcopy(sample)
        for index, step in enumerate(steps):
            start = time.thread_time()
            results = step(results)
            seconds[index] += time.thread_time() - start
        packed.append(results)
    return packed, seconds


def check(name: str, ours: list[dict], theirs: list[dict]) -> None:
    for mine, its in zip(ours, theirs, strict=True):
        same = torch.equal(mine['inputs'], its['inputs'])
        mine, its = mine['data_samples'], its['data_samples']
        if 'gt_sem_seg' in mine:
            same &= torch.equal(mine.gt_sem_seg.data, its.gt_sem_seg.data)
        else:  # mmseg's invalid pixel is 0, ours NaN
            depth = mine.gt_depth_map.data.nan_to_num(0)
            same &= torch.allclose(depth, its.gt_depth_map.data, rtol=1e-6, atol=0)
        if not same:
            sys.exit(f'{name}: {mine.img_path} is packed otherwise by the other pipeline')


def decode(samples: Sequence[dict], repeats: int) -> dict[str, float]:
    """Time [ms] what decodes an image, its labels and its depth, and nothing else."""
    result = {}
    for key in ('img_path', 'seg_map_path', 'depth_map_path'):
        files = [np.fromfile(sample[key], np.uint8) for sample in samples]
        times = []
        for _ in range(repeats):
            start = time.thread_time()
            for data in files:
                cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
            times.append(time.thread_time() - start)
        result[key] = round(1000 * statistics.median(times) / len(files), 3)
    return result


if __name__ == '__main__':
    main()

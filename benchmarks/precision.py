"""What half precision costs in accuracy: AbsRel and mIoU of what `make demo` has trained.

python benchmarks/precision.py CHECKPOINT [--out FILE.json]

The validation scenes through DPTInferencer, in float32, bfloat16 and float16.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import timing
import torch
from PIL import Image

from mmdpt.apis import DPTInferencer
from mmdpt.evaluation import IoUMetric, depth_errors
from mmdpt.inference.devices import DTYPES
from mmdpt.scenes.writer import DEPTH_UNIT

CONFIG = 'dpt_hybrid-ti16_scenes-joint_short'
LIMIT = 0.01
"""Of AbsRel in bfloat16 over AbsRel in float32, less one."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('checkpoint', help='what make demo left in work_dirs/demo')
    parser.add_argument('--scenes', type=Path, default=Path('data/scenes'))
    parser.add_argument('--out', type=Path, help='JSON file for the figures')
    args = parser.parse_args()
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    scores = {name: score(args.checkpoint, name, args.scenes, device) for name in DTYPES}
    change = scores['bf16']['abs_rel'] / scores['fp32']['abs_rel'] - 1
    report = dict(
        machine=timing.describe_machine(device),
        config=CONFIG,
        scores=scores,
        change_of_abs_rel_in_bf16=round(change, 5),
        limit=LIMIT,
        reached=abs(change) <= LIMIT,
    )
    print(json.dumps(report, indent=2))
    timing.write_report(report, args.out)


def score(checkpoint: str, precision: str, scenes: Path, device: str) -> dict[str, float]:
    """Predict the validation scenes; give the mean AbsRel of an image, and mIoU [%]."""
    predict = DPTInferencer(CONFIG, checkpoint, device, precision)
    classes = len(predict.classes)
    errors, areas = [], []
    for path in sorted((scenes / 'images' / 'validation').iterdir()):
        prediction = predict(path)
        depth = read(scenes / 'nyu' / 'annotations' / 'test', path) / np.float32(DEPTH_UNIT)
        valid = depth > 0
        errors.append(depth_errors(prediction.map[valid], depth[valid])['abs_rel'])
        truth = read(scenes / 'annotations' / 'validation', path).astype(np.int64) - 1
        labels = torch.from_numpy(prediction.labels.astype(np.int64))
        truth = torch.from_numpy(np.where(truth < 0, 255, truth))
        areas.append(IoUMetric.intersect_and_union(labels, truth, classes, 255))
    totals = [sum(parts) for parts in zip(*areas, strict=True)]
    miou = 100 * float(np.nanmean((totals[0] / totals[1]).numpy()))
    return dict(abs_rel=round(float(np.mean(errors)), 5), miou=round(miou, 3))


def read(folder: Path, picture: Path) -> np.ndarray:
    """Read the map that belongs to a picture: the number in its name is that of the scene."""
    (path,) = folder.glob(f'*{picture.stem[-5:]}.png')
    return np.asarray(Image.open(path))


if __name__ == '__main__':
    main()

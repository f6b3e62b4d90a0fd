"""Render a data set, train a small DPT on its labels and its depth, draw what it sees.

The pictures are in work_dirs/demo/pictures, one for each validation.
"""

import argparse
import os
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from mmdpt.commands.tool import report_input_errors

if TYPE_CHECKING:
    import numpy as np

TOOLS = Path(__file__).resolve().parent
CONFIG = 'dpt_hybrid-ti16_scenes-joint_short'
DATA = Path('data/scenes')
WORK_DIR = Path('work_dirs/demo')
NUM_TRAIN, NUM_VAL = 480, 60
SCORES = re.compile(
    r'aAcc: (?P<aAcc>[\d.]+)  mIoU: (?P<mIoU>[\d.]+).*'
    r'd1: (?P<d1>[\d.]+).*abs_rel: (?P<abs_rel>[\d.]+).*depth_pro_f1: (?P<edges>[\d.]+)'
)
PICTURE = re.compile(r'picture of the validation: (.*iter_(\d+)\.png)')


@report_input_errors
def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    start = time.time()
    render()
    print(
        'Training a small DPT on labels and depth, from scratch. '
        'mIoU: higher is better; AbsRel: lower is better.'
    )
    with ThreadPoolExecutor(1) as beside:  # the training's start leaves a core idle
        found = [beside.submit(score) for score in (score_most_frequent_class, score_median_depths)]
        scores, picture = train()
        plot()
        classes, medians = (score.result() for score in found)
    print(
        f'\n{"labels":32}{"mIoU":>8}{"accuracy":>10}\n'
        f'{"DPT, trained just now":32}{scores["mIoU"]:6.1f} %{scores["aAcc"]:8.1f} %\n'
        f'{"most frequent class per pixel":32}{classes["mIoU"]:6.1f} %{classes["aAcc"]:8.1f} %\n'
        f'\n{"depth":32}{"AbsRel":>8}{"d1":>10}{"edges":>10}\n'
        f'{"DPT, trained just now":32}{scores["abs_rel"]:8.3f}{scores["d1"]:10.3f}'
        f'{scores["edges"]:10.3f}\n'
        + ''.join(
            f'{label:32}{medians[name]["abs_rel"]:8.3f}{medians[name]["d1"]:10.3f}\n'
            for name, label in (('per_pixel', 'median per pixel'), ('constant', 'median'))
        )
        + '\nThe lines below DPT are guesses that ignore the image. '
        'edges: F1 of the boundaries as Depth Pro counts them.\n\n'
        f'{picture}: image | ground truth | prediction | error,\n'
        '  labels above depth (the sky, black, has no depth to learn)\n'
        f'{WORK_DIR / "curves.png"}: loss and metrics during training\n'
        f'{time.time() - start:.0f} s in all'
    )


def render() -> None:
    """Write the embedded data set, unless it is there; a larger one stays."""
    from mmdpt.commands.tool_runs import show_on_one_line
    from mmdpt.scenes import write_scenes

    def show(done: int, total: int) -> None:
        show_on_one_line(f'{done}/{total}')

    num_train = max(NUM_TRAIN, len(list((DATA / 'images' / 'training').glob('*.jpg'))))
    print(f'Rendering {num_train} scenes to train on and {NUM_VAL} to test on.', flush=True)
    summary = write_scenes(DATA, num_train, NUM_VAL, progress=show)
    print(f'  {DATA}: {f"{summary.seconds:.0f} s" if summary.written else "already there":40}')


def score_most_frequent_class() -> dict[str, float]:
    """Score the most frequent class of each pixel on the validation scenes [%]."""
    from mmdpt.evaluation import most_frequent_class
    from mmdpt.scenes import CLASSES

    def labels(split: str) -> Iterator['np.ndarray']:
        for label in read_maps(DATA / 'annotations' / split):
            yield label - 1  # 0, ignored, becomes 255

    return most_frequent_class(labels('training'), labels('validation'), len(CLASSES))


def score_median_depths() -> dict[str, dict[str, float]]:
    """Score the constant and the per-pixel medians on the validation scenes."""
    import numpy as np

    from mmdpt.evaluation import median_depth

    def depths(split: str) -> Iterator[np.ndarray]:
        for millimetres in read_maps(DATA / 'nyu' / 'annotations' / split):
            yield np.where(millimetres > 0, millimetres / np.float32(1000), np.float32(np.nan))

    return median_depth(depths('train'), depths('test'))


def read_maps(folder: Path) -> Iterator['np.ndarray']:
    """Read the PNGs of a folder, (H, W)."""
    import numpy as np
    from PIL import Image

    for path in sorted(folder.glob('*.png')):
        yield np.asarray(Image.open(path))


def train() -> tuple[dict[str, float], str]:
    """Train as a user would type it and show each validation; return the last scores and picture.

    The last iteration is validated, too: a test would say the same.
    """
    from mmdpt.commands.tool_runs import run_tool

    tool, *arguments = training_command()
    starter = ['python'] if tool == 'train.py' else []
    print('  ' + ' '.join(map(str, [*starter, f'tools/{tool}', *arguments])), flush=True)
    scores: dict[str, float] = {}
    picture = iteration = ''
    for line in run_tool(TOOLS / tool, WORK_DIR / 'train.txt', *arguments):
        if found := PICTURE.search(line):
            picture, iteration = os.path.relpath(found[1]), found[2]
        elif found := SCORES.search(line):
            scores = {name: float(value) for name, value in found.groupdict().items()}
            print(
                f'  after {iteration} iterations: mIoU {scores["mIoU"]:.1f} %, '
                f'AbsRel {scores["abs_rel"]:.3f}, see {picture}',
                flush=True,
            )
    return scores, picture


def training_command() -> list[object]:
    """Choose the tool and its arguments: without CUDA, two processes with half a batch each.

    More threads hardly make a step of so small a model faster.
    """
    import torch

    from mmdpt.scenes.cores import usable_cores

    work_dir = ('--work-dir', WORK_DIR)
    cores = usable_cores()
    if torch.cuda.is_available() or cores == 1:
        return ['train.py', CONFIG, *work_dir]
    os.environ.setdefault('OMP_NUM_THREADS', str(cores // 2))
    half = 'train_dataloader.batch_size=2'
    return ['dist_train.sh', CONFIG, 2, *work_dir, '--cfg-options', half]


def plot() -> None:
    """Plot the curves of the training."""
    from mmdpt.visualization import plot_curves
    from mmdpt.visualization.logs import read_runs

    plot_curves(read_runs([WORK_DIR]), ['loss', 'mIoU', 'abs_rel'], WORK_DIR / 'curves.png')


if __name__ == '__main__':
    main()

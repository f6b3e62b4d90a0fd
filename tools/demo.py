"""Render a data set, train small DPTs on its labels and its depth, draw what they see."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mmdpt.tool import report_input_errors

if TYPE_CHECKING:
    import numpy as np

TOOLS = Path(__file__).resolve().parent
DATA = Path('data/scenes')
WORK_DIR = Path('work_dirs/demo')
ROWS = 6
SCORES = {
    'segmentation': re.compile(r'aAcc: (?P<aAcc>[\d.]+)  mIoU: (?P<mIoU>[\d.]+)'),
    'depth': re.compile(r'd1: (?P<d1>[\d.]+).*abs_rel: (?P<abs_rel>[\d.]+)'),
}


@report_input_errors
def main() -> None:
    from mmdpt.engine.tool_runs import last_checkpoint

    start = time.time()
    render()
    classes, medians = score_most_frequent_class(), score_median_depths()
    seg = train_and_test('segmentation', 'dpt_hybrid-ti16_scenes', 'mIoU')
    # what both models share goes on from what it has just learnt about the labels
    learnt = last_checkpoint(WORK_DIR / 'segmentation')
    depth = train_and_test(
        'depth', 'dpt_hybrid-ti16_scenes-depth', 'abs_rel', f'load_from={learnt}'
    )
    print(
        f'\n{"":32}{"mIoU":>8}{"accuracy":>10}\n'
        f'{"DPT, trained just now":32}{seg["mIoU"]:6.1f} %{seg["aAcc"]:8.1f} %\n'
        f'{"per-pixel most frequent class":32}{classes["mIoU"]:6.1f} %{classes["aAcc"]:8.1f} %\n'
        f'\n{"":32}{"AbsRel":>8}{"d1":>10}\n'
        f'{"DPT, trained just now":32}{depth["abs_rel"]:8.3f}{depth["d1"]:10.3f}\n'
        + ''.join(
            f'{label:32}{medians[name]["abs_rel"]:8.3f}{medians[name]["d1"]:10.3f}\n'
            for name, label in (('per_pixel', 'per-pixel median'), ('constant', 'constant median'))
        )
        + f'\n{WORK_DIR / "segmentation.png"}: image | ground truth | prediction\n'
        f'{WORK_DIR / "depth.png"}: image | ground truth | prediction | relative error\n'
        f'{WORK_DIR}/*-curves.png: loss and metric against iterations\n'
        f'{time.time() - start:.0f} s'
    )


def render() -> None:
    """Write the embedded data set, unless it is there."""
    from mmdpt.datasets.scenes import write_scenes

    print(f'rendering 300 scenes into {DATA}', flush=True)
    write_scenes(DATA)


def score_most_frequent_class() -> dict[str, float]:
    """Score the per-pixel most frequent class on the validation scenes [%]."""
    from mmdpt.datasets.scenes import CLASSES
    from mmdpt.evaluation import most_frequent_class

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


def train_and_test(task: str, config: str, metric: str, *options: str) -> dict[str, float]:
    """Train a config, test it, draw pictures and curves; return its scores."""
    from mmdpt.engine.tool_runs import last_checkpoint

    work_dir = WORK_DIR / task
    run('train', task, work_dir, config, *(('--cfg-options', *options) if options else ()))
    checkpoint = last_checkpoint(work_dir)
    pictures = work_dir / 'pictures'
    scores = run('test', task, work_dir, config, checkpoint, '--show-dir', pictures)
    draw(pictures, WORK_DIR / f'{task}.png')
    plot(work_dir, WORK_DIR / f'{task}-curves.png', metric)
    return scores


def run(tool: str, task: str, work_dir: Path, *arguments: object) -> dict[str, float]:
    """Run a tool as a user would type it; return the last scores that it printed."""
    from mmdpt.engine.tool_runs import run_tool

    arguments = ('--work-dir', work_dir, *arguments)
    print(f'python tools/{tool}.py', *arguments, flush=True)
    scores: dict[str, float] = {}
    for line in run_tool(TOOLS / f'{tool}.py', work_dir / f'{tool}.txt', *arguments):
        if found := SCORES[task].search(line):
            scores = {name: float(value) for name, value in found.groupdict().items()}
            shown = ', '.join(f'{name} {value:g}' for name, value in scores.items())
            print(f'\r  validation: {shown:46}', flush=True)
    return scores


def draw(pictures: Path, out: Path) -> None:
    """Stack some test pictures, rooms and streets in turns."""
    import mmcv
    import numpy as np

    panels = sorted(pictures.glob('*.png'), key=lambda panel: panel.stem.rsplit('_', 1)[1])
    rooms, streets = panels[::2], panels[1::2]  # odd numbers are rooms
    step = max(1, 2 * len(rooms) // ROWS)
    chosen = [panel for pair in zip(rooms[::step], streets[::step], strict=False) for panel in pair]
    mmcv.imwrite(np.concatenate([mmcv.imread(str(panel)) for panel in chosen[:ROWS]]), str(out))


def plot(work_dir: Path, out: Path, metric: str) -> None:
    """Plot the curves of the newest training."""
    from mmdpt.visualization import plot_training

    scalars = max(
        (p for p in work_dir.glob('*/vis_data/scalars.json') if '"loss"' in p.read_text()),
        key=lambda path: path.stat().st_mtime,
    )
    plot_training(scalars, out, metric, '%' if metric == 'mIoU' else '')


if __name__ == '__main__':
    main()

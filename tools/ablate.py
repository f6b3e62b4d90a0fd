"""Train the variants in configs/ablations in miniature and compare them with their base.

python tools/dataset_converters/scenes.py data/scenes
python tools/ablate.py
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mmdpt.commands.tool import add_overrides, report_input_errors

if TYPE_CHECKING:
    from mmengine.config import Config

TOOLS = Path(__file__).resolve().parent
BASE = 'dpt_vit-ti16_scenes-depth'


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'variants', nargs='*', help='names or paths of configs; default: all in configs/ablations'
    )
    parser.add_argument('--base', default=BASE, help=f'what they are compared with ({BASE})')
    parser.add_argument('--iters', type=int, default=150, help='training iterations of each (150)')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/ablations'))
    add_overrides(parser)
    return parser.parse_args()


@report_input_errors
def main() -> None:
    args = parse_args()
    from mmdpt.config import load_config
    from mmdpt.evaluation.ablation import ablation_table, read_errors
    from mmdpt.files.shipped import shipped

    variants = args.variants or sorted(map(str, shipped('configs').glob('ablations/*.py')))
    base = load_config(args.base, args.cfg_options)
    options = shorten(base, args.iters) + args.cfg_options
    checkpoint = train(args.base, args.work_dir / 'base', options)
    files = {'base': test(args.base, checkpoint, args.work_dir / 'base', options)}
    for variant in variants:
        name = Path(variant).stem
        work_dir = args.work_dir / name
        if trains_alike(load_config(variant, args.cfg_options), base):
            weights = checkpoint
        else:
            weights = train(variant, work_dir, options)
        files[name] = test(variant, weights, work_dir, options)
    table = ablation_table({name: read_errors(file) for name, file in files.items()}, 'base')
    (args.work_dir / 'table.md').write_text(table)
    print(f'\n{table}\nbase: {args.base}, {args.iters} iterations; {args.work_dir / "table.md"}')


def shorten(cfg: 'Config', iterations: int) -> list[str]:
    """Give the overrides that end training, and its last schedule, after some iterations.

    Raises:
        InputError: If the last schedule would end before it begins.
    """
    from mmdpt.errors import InputError

    last = len(cfg.param_scheduler) - 1
    warm_up = cfg.param_scheduler[last].get('begin', 0)
    if iterations <= warm_up:
        raise InputError(f'--iters must be more than the {warm_up} of the warm-up')
    return [
        f'train_cfg.max_iters={iterations}',
        f'train_cfg.val_interval={iterations + 1}',
        f'param_scheduler.{last}.end={iterations}',
        f'default_hooks.checkpoint.interval={iterations}',
    ]


def trains_alike(cfg: 'Config', base: 'Config') -> bool:
    """Tell whether two configs differ in their tests alone, so that one training serves both."""
    keys = ('model', 'train_dataloader', 'optim_wrapper', 'param_scheduler', 'train_cfg')
    return all(cfg.get(key) == base.get(key) for key in keys)


def train(config: str, work_dir: Path, options: list[str]) -> Path:
    """Train a config; return its last checkpoint."""
    run('train', work_dir, options, config)
    return Path((work_dir / 'last_checkpoint').read_text().strip())


def test(config: str, checkpoint: Path, work_dir: Path, options: list[str]) -> Path:
    """Test a checkpoint; return the file with the errors of each image."""
    file = work_dir / 'errors.jsonl'
    run('test', work_dir, [*options, f'test_evaluator.per_image_file={file}'], config, checkpoint)
    return file


def run(tool: str, work_dir: Path, options: list[str], *files: str | Path) -> None:
    """Run a tool to its end, its output in the work dir."""
    from mmdpt.commands.tool_runs import run_tool

    print(f'{tool} {files[0]}', flush=True)
    arguments = (*files, '--work-dir', work_dir, '--cfg-options', *options)
    for _ in run_tool(TOOLS / f'{tool}.py', work_dir / f'{tool}.txt', *arguments):
        pass


if __name__ == '__main__':
    main()

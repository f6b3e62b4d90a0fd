"""Train a model from a config."""

import argparse
from pathlib import Path

from mmdpt.commands.tool import LAUNCHERS, add_config, report_input_errors


def checkpoint(text: str) -> str:
    """Refuse a config: argparse takes the word after --resume for its checkpoint."""
    if text != 'auto' and Path(text).suffix in ('', '.py'):
        raise argparse.ArgumentTypeError(f'{text} is no checkpoint; a config goes before --resume')
    return text


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add_config(parser)
    parser.add_argument('--work-dir', help='folder for logs and checkpoints')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        type=checkpoint,
        metavar='CHECKPOINT',
        help='go on from this checkpoint of a training, or from the newest in the work dir',
    )
    parser.add_argument('--amp', action='store_true', help='train in mixed precision')
    parser.add_argument('--launcher', choices=LAUNCHERS, default='none')
    return parser.parse_args()


@report_input_errors
def main() -> None:
    args = parse_args()
    from torch.distributed.elastic.multiprocessing.errors import record

    record(train)(args)  # tells torchrun what ended this rank


def train(args: argparse.Namespace) -> None:
    from mmdpt.config import load_config
    from mmdpt.files.paths import check_file
    from mmdpt.training import build_runner, end_process_group

    cfg = load_config(args.config, args.cfg_options)
    if args.resume:
        cfg.resume = 'auto'  # load_from only says where the first run starts
    if args.resume not in (None, 'auto'):
        cfg.resume, cfg.load_from = True, str(check_file(args.resume, 'checkpoint'))
    if args.amp and cfg.optim_wrapper.type == 'OptimWrapper':
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.loss_scale = 'dynamic'
    build_runner(cfg, args.work_dir, args.launcher).train()
    end_process_group()


if __name__ == '__main__':
    main()

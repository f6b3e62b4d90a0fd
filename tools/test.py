"""Evaluate a checkpoint: metrics, pictures, label maps."""

import argparse

from mmdpt.commands.tool import LAUNCHERS, add_config, report_input_errors


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add_config(parser)
    parser.add_argument('checkpoint', help='checkpoint file, or the name of a release')
    parser.add_argument('--work-dir', help='folder for the metrics and the log')
    parser.add_argument(
        '--show-dir', help='folder for pictures: image | ground truth | prediction | error'
    )
    parser.add_argument(
        '--out', help='folder for the predictions: label maps as PNG in file values, depth as NPY'
    )
    parser.add_argument(
        '--tta',
        action='store_true',
        help='average over flips and, for segmentation, scales (0.5 to 1.75)',
    )
    parser.add_argument(
        '--calibrate',
        metavar='FILE',
        help='write the checkpoint with its depths scaled to fit the ground truth tested on',
    )
    parser.add_argument('--launcher', choices=LAUNCHERS, default='none')
    return parser.parse_args()


@report_input_errors
def main() -> None:
    args = parse_args()
    from torch.distributed.elastic.multiprocessing.errors import record

    record(test)(args)  # tells torchrun what ended this rank


def test(args: argparse.Namespace) -> None:
    from mmdpt.config import load_config, prepare_test
    from mmdpt.training import build_runner, end_process_group

    cfg = load_config(args.config, args.cfg_options)
    prepare_test(cfg, args.checkpoint, args.show_dir, args.out, args.tta, args.calibrate)
    build_runner(cfg, args.work_dir, args.launcher).test()
    end_process_group()


if __name__ == '__main__':
    main()

"""Fit the head's inversion: the scale and shift of a relative model on a config's training data."""

import argparse

from mmdpt.commands.tool import add_config, report_input_errors


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add_config(parser)
    parser.add_argument('checkpoint', help='relative model: file, or the name of a release')
    parser.add_argument('--work-dir', help='folder for the log')
    return parser.parse_args()


@report_input_errors
def main() -> None:
    args = parse_args()
    from mmdpt.config import load_config
    from mmdpt.config.testing import prepare_inversion_fit
    from mmdpt.training import build_runner

    cfg = load_config(args.config, args.cfg_options)
    prepare_inversion_fit(cfg, args.checkpoint)
    fit = build_runner(cfg, args.work_dir).test()
    print(f'--cfg-options model.decode_head.inversion={fit["scale"]:.4g},{fit["shift"]:.4g}')


if __name__ == '__main__':
    main()

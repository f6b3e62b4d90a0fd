"""Evaluate a depth model on the six data sets of DPT's Table 1, beside the published figures."""

import argparse
from pathlib import Path

from mmdpt.commands.tool import add_overrides, report_input_errors

NAMES = ('diw', 'eth3d', 'sintel', 'kitti', 'nyu', 'tum')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file, or the name of one of mmdpt')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--data-root', default='data', help='folder of the data sets (data)')
    parser.add_argument('--sets', nargs='+', choices=NAMES, default=NAMES, help='default: all')
    parser.add_argument('--out', default='work_dirs/zero_shot', help='folder for the results')
    parser.add_argument('--limit', type=int, help='only the first images of each set')
    add_overrides(
        parser, 'keys of the config, or of test_dataloader and test_evaluator of every set'
    )
    return parser.parse_args()


@report_input_errors
def main() -> None:
    args = parse_args()
    from mmdpt.commands.zero_shot_run import benchmark_zero_shot, table_of, write_results
    from mmdpt.errors import InputError
    from mmdpt.evaluation.zero_shot import SETS

    results = benchmark_zero_shot(
        args.config,
        args.checkpoint,
        args.data_root,
        [zero_shot_set for zero_shot_set in SETS if zero_shot_set.name in args.sets],
        args.limit,
        args.cfg_options,
    )
    write_results(args.out, results, args.config, args.checkpoint, args.limit)
    print('\n' + table_of(Path(args.config).stem, results, args.limit))
    for name, result in results.items():
        if result.missing:
            print(f'{name}: not evaluated, no folder {result.missing}')
    print(f'written: {args.out}')
    failed = [f'{name}: {result.error}' for name, result in results.items() if result.error]
    if failed:
        raise InputError('not evaluated:\n' + '\n'.join(failed))


if __name__ == '__main__':
    main()

"""Compare what runs logged: curves of losses and metrics, last and best values."""

import argparse

from mmdpt.commands.tool import report_input_errors


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'runs', nargs='+', metavar='RUN', help='work dir, resumed starts joined, or a scalars.json'
    )
    parser.add_argument(
        '--keys',
        nargs='+',
        metavar='KEY',
        help='what to draw, such as decode.loss_ce lr mIoU; default: the loss and the main metrics',
    )
    parser.add_argument(
        '--legend', nargs='+', metavar='NAME', help='names of the runs; default: of their folders'
    )
    parser.add_argument('--out', default='work_dirs/curves.png', help='picture: .png, .pdf, .svg')
    parser.add_argument(
        '--smooth',
        type=int,
        default=1,
        metavar='N',
        help='average N logged training values; validations stay as they are',
    )
    return parser.parse_args()


@report_input_errors
def main() -> None:
    args = parse_args()
    from mmdpt.errors import InputError
    from mmdpt.visualization.curves import plot_curves
    from mmdpt.visualization.logs import choose_keys, read_runs, summary

    runs = read_runs(args.runs)
    if args.legend:
        if len(set(args.legend)) != len(runs):
            raise InputError(f'--legend needs {len(runs)} different names, got {args.legend}')
        runs = dict(zip(args.legend, runs.values(), strict=True))
    keys = choose_keys(list(runs.values()), args.keys)
    plot_curves(runs, keys, args.out, args.smooth)
    print(f'{summary(runs, keys)}\n{args.out}')


if __name__ == '__main__':
    main()

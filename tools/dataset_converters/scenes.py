"""Render the scenes data set: rooms and streets with exact labels and exact depth.

python tools/dataset_converters/scenes.py data/scenes
"""

import argparse


def parse_size(text: str) -> tuple[int, int]:
    """Width and height [px] from '320x240'."""
    try:
        width, height = map(int, text.lower().split('x'))
    except ValueError:
        raise argparse.ArgumentTypeError(f'expected WIDTHxHEIGHT, got {text!r}') from None
    return width, height


def parse_args() -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    parser = argparse.ArgumentParser(
        description='Render the scenes data set; does nothing if it is there already.',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument('root', help='folder to write, such as data/scenes')
    parser.add_argument('--train', type=int, default=960, help='number of training images')
    parser.add_argument('--val', type=int, default=60, help='number of validation images')
    parser.add_argument('--size', type=parse_size, default='320x240', help='WIDTHxHEIGHT [px]')
    parser.add_argument('--seed', type=int, default=0, help='another seed, another data set')
    parser.add_argument('--workers', type=int, help='processes; None: one for each core')
    return parser, parser.parse_args()


def main() -> None:
    parser, args = parse_args()
    from mmdpt.commands.progress import progress_bar
    from mmdpt.scenes import write_scenes

    try:
        with progress_bar('rendering') as progress:
            summary = write_scenes(
                args.root,
                num_train=args.train,
                num_val=args.val,
                size=args.size,
                seed=args.seed,
                workers=args.workers,
                progress=progress,
            )
    except ValueError as error:
        parser.error(str(error))
    what = 'written' if summary.written else 'already there'
    print(
        f'{args.root}: {summary.num_train} training and {summary.num_val} validation images '
        f'{what}, {summary.seconds:.1f} s'
    )


if __name__ == '__main__':
    main()

"""Pair the colour and depth frames of TUM RGB-D sequences by time.

python tools/dataset_converters/tum.py data/tum/rgbd_dataset_freiburg*
"""

import argparse

from mmdpt.commands.tool import report_input_errors


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Write associated.csv into each sequence.')
    parser.add_argument('sequences', nargs='+', help='folders with rgb.txt and depth.txt')
    return parser.parse_args()


@report_input_errors
def main() -> None:
    args = parse_args()
    from mmdpt.commands.progress import progress_bar
    from mmdpt.datasets.conversion import convert_tum

    with progress_bar('TUM') as progress:
        summary = convert_tum(args.sequences, progress)
    print(
        f'{len(args.sequences)} sequences: {summary.num_pairs} pairs; {summary.num_unpaired} '
        'colour frames have no depth frame near enough in time'
    )


if __name__ == '__main__':
    main()

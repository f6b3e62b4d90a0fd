"""Write the list file of a set of MiDaS's mix: ReDWeb, HRWSI, BlendedMVS, MegaDepth, ...

python tools/dataset_converters/mix.py HRWSI data/mix6/hrwsi
"""

import argparse
from pathlib import Path

from mmdpt.commands.tool import report_input_errors

SETS = ('ReDWeb', 'HRWSI', 'BlendedMVS', 'MegaDepth', 'TartanAir', 'ApolloScape', 'IRS')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Write list.csv; keeps converted files.')
    parser.add_argument('name', help=', '.join(SETS))
    parser.add_argument('root', help='folder of the set as unpacked')
    return parser.parse_args()


@report_input_errors
def main() -> None:
    args = parse_args()
    from mmdpt.commands.progress import progress_bar
    from mmdpt.datasets.conversion import convert_mix

    with progress_bar(args.name) as progress:
        summary = convert_mix(args.name, args.root, progress)
    print(
        f'{Path(args.root, "list.csv")}: {summary.num_images} images, {summary.num_converted} '
        f'files newly converted, {summary.num_left_out} images without a depth map left out'
    )


if __name__ == '__main__':
    main()

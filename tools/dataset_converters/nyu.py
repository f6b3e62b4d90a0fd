"""Write NYU Depth v2's labelled images, split officially, in mmseg's folders.

python tools/dataset_converters/nyu.py nyu_depth_v2_labeled.mat splits.mat data/nyu
"""

import argparse

from mmdpt.commands.tool import report_input_errors


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Convert NYU Depth v2; keeps what is there.')
    parser.add_argument('labeled', help='nyu_depth_v2_labeled.mat; needs h5py')
    parser.add_argument('splits', help='splits.mat of the official toolbox; needs scipy')
    parser.add_argument('root', help='folder to write, such as data/nyu')
    return parser.parse_args()


@report_input_errors
def main() -> None:
    args = parse_args()
    from mmdpt.commands.progress import progress_bar
    from mmdpt.datasets.conversion import convert_nyu

    with progress_bar('NYU') as progress:
        summary = convert_nyu(args.labeled, args.splits, args.root, progress)
    print(
        f'{args.root}: {summary.num_train} training and {summary.num_test} test images, '
        f'{summary.num_written} of them new'
    )


if __name__ == '__main__':
    main()

"""Write Eigen's KITTI lists in BTS's form, for the raw images and the annotated depth.

python tools/dataset_converters/kitti.py data/kitti --train eigen_train_files.txt \\
    --test eigen_test_files.txt
"""

import argparse
from pathlib import Path

from mmdpt.commands.tool import report_input_errors

LISTS = {'train': 'kitti_eigen_train.txt', 'test': 'kitti_eigen_test.txt'}


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Write Eigen's KITTI lists into the root.")
    parser.add_argument('root', help='folder that holds raw/ and data_depth_annotated/')
    for split in LISTS:
        parser.add_argument(f'--{split}', help=f'{split} split file of monodepth or monodepth2')
    args = parser.parse_args()
    if not (args.train or args.test):
        parser.error('give --train, --test or both')
    return args


@report_input_errors
def main() -> None:
    args = parse_args()
    from mmdpt.commands.progress import progress_bar
    from mmdpt.datasets.conversion import convert_kitti

    for split, name in LISTS.items():
        split_file = getattr(args, split)
        if split_file is None:
            continue
        list_file = Path(args.root, name)
        with progress_bar(f'KITTI {split}') as progress:
            summary = convert_kitti(args.root, split_file, list_file, split == 'test', progress)
        print(f'{list_file}: {summary.num_images} images, {summary.num_with_depth} with depth')


if __name__ == '__main__':
    main()

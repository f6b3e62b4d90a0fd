"""Check a config's data sets before a long run: files, labels, depth, pipeline, leaks."""

import argparse
import sys
from pathlib import Path

from mmdpt.commands.tool import add_config, report_input_errors


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=f'{__doc__} Exit code 1 if there is trouble.',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add_config(parser)
    parser.add_argument(
        '--samples', type=int, default=50, help='samples of each split to read, evenly spaced'
    )
    splits = ['train', 'val', 'test']
    parser.add_argument('--splits', nargs='+', choices=splits, default=splits)
    parser.add_argument('--out', default='work_dirs/check', help='folder for a picture per split')
    return parser.parse_args()


@report_input_errors
def main() -> None:
    args = parse_args()
    import mmcv
    from mmengine.registry import init_default_scope

    from mmdpt.config import check_classes, check_config, load_config
    from mmdpt.datasets.checking import check_splits, format_report
    from mmdpt.visualization.samples import sample_panel, stack_panels

    cfg = load_config(args.config, args.cfg_options)
    check_config(cfg)
    check_classes(cfg)
    init_default_scope(cfg.default_scope)
    reports = check_splits(cfg, args.splits, args.samples)
    print(format_report(reports))
    for report in reports:
        if report.samples:
            panels = [
                ('/'.join(Path(path).parts[-3:]), sample_panel(sample, report.metainfo, width=360))
                for path, sample in report.samples
            ]
            picture = Path(args.out) / f'{report.name.split()[0]}.png'
            mmcv.imwrite(mmcv.rgb2bgr(stack_panels(panels)), str(picture))
            print(f'picture: {picture}')
    if any(report.troubles for report in reports):
        sys.exit(1)
    print('no trouble found in the samples read')


if __name__ == '__main__':
    main()

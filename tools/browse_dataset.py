"""Draw samples as the model sees them, after the pipeline: image | labels | depth."""

import argparse
from pathlib import Path

from mmdpt.commands.tool import add_config, report_input_errors


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add_config(parser)
    parser.add_argument('--out', default='work_dirs/browse', help='folder for the pictures')
    parser.add_argument('--split', choices=['train', 'val', 'test'], default='train')
    parser.add_argument('--number', type=int, default=20, help='samples to draw')
    return parser.parse_args()


@report_input_errors
def main() -> None:
    args = parse_args()
    import mmcv
    from mmengine.registry import init_default_scope

    from mmdpt.config import check_config, load_config
    from mmdpt.registry import DATASETS
    from mmdpt.visualization.samples import sample_panel

    cfg = load_config(args.config, args.cfg_options)
    check_config(cfg)
    init_default_scope(cfg.default_scope)
    dataset = DATASETS.build(cfg[f'{args.split}_dataloader'].dataset)
    out = Path(args.out)
    for index in range(min(args.number, len(dataset))):
        sample = dataset[index]
        panel = sample_panel(sample, dataset.metainfo)
        name = Path(sample['data_samples'].img_path).stem
        mmcv.imwrite(mmcv.rgb2bgr(panel), str(out / f'{index:04d}_{name}.png'))
    print(f'{min(args.number, len(dataset))} pictures in {out}')


if __name__ == '__main__':
    main()

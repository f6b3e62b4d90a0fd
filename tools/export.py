"""Write a model to a file that runs without mmdpt: ONNX, torch.export or TorchScript."""

import argparse
from pathlib import Path

from mmdpt.commands.tool import add_overrides, report_input_errors

FORMATS = ('onnx', 'torch-export', 'torchscript')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file, name of one of mmdpt, or of a released model')
    parser.add_argument(
        'checkpoint', nargs='?', help="checkpoint file; a released model's own by default"
    )
    parser.add_argument('--format', choices=FORMATS, required=True)
    parser.add_argument('--out', type=Path, required=True, help='file to write: .onnx, .pt2 or .pt')
    parser.add_argument(
        '--no-verify',
        dest='verify',
        action='store_false',
        help='do not compare the file with the model',
    )
    parser.add_argument('--opset', type=int, help='operator set of ONNX, 18 or above')
    add_overrides(
        parser, 'keys of the config; model.test_cfg.flip=False leaves out the mirror image'
    )
    return parser.parse_args()


@report_input_errors
def main() -> None:
    args = parse_args()
    from mmdpt.apis import init_model
    from mmdpt.checkpoints.reading.releases import RELEASES
    from mmdpt.errors import InputError
    from mmdpt.export import export_model
    from mmdpt.export.writing import check_out

    check_out(args.out, args.format)
    if args.checkpoint is None and args.config not in RELEASES:
        raise InputError(f'{args.config} is not the name of a released model: give a checkpoint')
    model = init_model(args.config, args.checkpoint, cfg_options=args.cfg_options)
    comparisons = export_model(model, args.format, args.out, args.verify, args.opset)
    for comparison in comparisons:
        print(f'{comparison} of the greatest value')
    state = 'equal to the model' if comparisons else 'not compared with the model'
    print(f'wrote {args.out} ({args.out.stat().st_size / 2**20:.1f} MiB), {state}')


if __name__ == '__main__':
    main()

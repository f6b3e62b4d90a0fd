"""Write a model to a file that runs without mmdpt, such as ONNX, and compare it with the model."""

import argparse
from pathlib import Path

from mmdpt.commands.tool import add_overrides, report_input_errors

FORMATS = ('coreml', 'executorch', 'onnx', 'openvino', 'tensorrt', 'torch-export')
SHOWN = ('mIoU', 'abs_rel')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file, name of one of mmdpt, or of a released model')
    parser.add_argument(
        'checkpoint', nargs='?', help="checkpoint file; a released model's own by default"
    )
    parser.add_argument('--format', choices=FORMATS, required=True)
    parser.add_argument(
        '--out',
        type=Path,
        required=True,
        help='.mlpackage, .pte, .onnx, .xml (and .bin), .engine (and .json) or .pt2',
    )
    parser.add_argument(
        '--precision',
        choices=('fp32', 'fp16', 'int8'),
        default='fp32',
        help='of the weights, for OpenVINO and CoreML; int8 also of activations',
    )
    parser.add_argument(
        '--calibration',
        nargs='+',
        default=[],
        metavar='IMAGE',
        help='for int8: images, folders or globs that are like those to come',
    )
    parser.add_argument(
        '--data',
        metavar='CONFIG',
        help='print mIoU and AbsRel of the model and of the file on the test data of a config',
    )
    parser.add_argument(
        '--no-verify',
        dest='verify',
        action='store_false',
        help='do not compare the file with the model',
    )
    parser.add_argument(
        '--size',
        nargs=2,
        type=int,
        metavar=('HEIGHT', 'WIDTH'),
        help='[px] of all images, not for torch-export; default: any, or what the model was '
        'trained at for CoreML and ExecuTorch',
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
    from mmdpt.config import load_config
    from mmdpt.errors import InputError
    from mmdpt.export import FORMATS, export_model, loss_on_data, prepared_images
    from mmdpt.export.writing import check_options, check_out

    check_out(args.out, args.format)
    check_options(args.format, args.opset, args.precision, args.calibration, args.size)
    if args.checkpoint is None and args.config not in RELEASES:
        raise InputError(f'{args.config} is not the name of a released model: give a checkpoint')
    if args.data is not None and FORMATS[args.format].writer.load is None:
        raise InputError(f'{args.format} does not run here: --data cannot compare it')
    data = None if args.data is None else load_config(args.data)
    model = init_model(args.config, args.checkpoint, cfg_options=args.cfg_options)
    images = prepared_images(model, args.calibration) if args.calibration else []
    comparisons = export_model(
        model, args.format, args.out, args.verify, args.opset, args.precision, images, args.size
    )
    for comparison in comparisons:
        print(f'{comparison} of the {"mean" if images else "greatest"} value')
    state = 'equal to the model' if comparisons else 'not compared with the model'
    if comparisons and args.precision != 'fp32':
        state = f'as near to the model as {args.precision} must be'
    if FORMATS[args.format].writer.load is None:
        state = f'from a graph that equals the model; {args.format} was not run here'
    names = (f'{args.out.stem}.*', f'{args.out.name}/**/*')
    files = (path for name in names for path in args.out.parent.glob(name) if path.is_file())
    size = sum(path.stat().st_size for path in files)
    print(f'wrote {args.out} ({size / 2**20:.1f} MiB), {state}')
    if data is not None:
        run = FORMATS[args.format].writer.load(args.out)
        for name, (ours, theirs) in loss_on_data(model, run, data).items():
            if name.rpartition('/')[2] in SHOWN:
                print(f'{name}: the model {ours:.4f}, the file {theirs:.4f} ({theirs - ours:+.4f})')


if __name__ == '__main__':
    main()

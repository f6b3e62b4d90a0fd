"""Predict images, folders, addresses, a video or a camera, and write pictures and numbers."""

import argparse
import sys
from pathlib import Path

from mmdpt.commands.prediction.outputs import MOST_VERTICES, NUMBERS, PICTURES
from mmdpt.commands.tool import LAUNCHERS, add_overrides, report_input_errors

FILES = '\n'.join(f'  {kind:13} {what}' for kind, what in {**PICTURES, **NUMBERS}.items())
EPILOG = f"""what --write can name, in files that begin with the name of the image:
{FILES}
pictures are JPEG, of a video mp4; numbers are named after what they hold: _depth [m], _disparity
[1/m] or _relative (larger is closer, no unit), _labels, _sky, _points, _mesh, _normals; those of a
video are of each frame
"""


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'inputs',
        nargs='+',
        metavar='INPUT',
        help='image, folder, glob, https address; one video, or the index of a camera, which '
        'Ctrl-C ends',
    )
    parser.add_argument('--out', required=True, type=Path, metavar='DIR', help='folder to write')
    model = parser.add_mutually_exclusive_group()
    model.add_argument('--model', metavar='NAME', help='released model; default: dpt-hybrid-midas')
    model.add_argument('--config', help='config file, or the name of one; with --checkpoint')
    parser.add_argument(
        '--checkpoint', metavar='FILE', help='weights; of a release: its file; or see --backend'
    )
    parser.add_argument(
        '--backend',
        choices=['eager', 'onnx', 'openvino'],
        default='eager',
        help='what runs the network: torch, or another library a --checkpoint of tools/export.py',
    )
    parser.add_argument(
        '--write',
        nargs='+',
        choices=[*PICTURES, *NUMBERS],
        default=list(PICTURES),
        metavar='KIND',
        help=f'see below; default: {" ".join(PICTURES)}',
    )
    camera = parser.add_mutually_exclusive_group()
    camera.add_argument(
        '--intrinsics',
        nargs=4,
        type=float,
        metavar=('FX', 'FY', 'CX', 'CY'),
        help='[px], for ply, glb, normals and models that need the focal length; default: from the '
        'EXIF of the image',
    )
    camera.add_argument(
        '--field-of-view',
        type=float,
        metavar='DEG',
        help='of the whole width, in place of the intrinsics',
    )
    parser.add_argument(
        '--edge-threshold',
        type=float,
        metavar='SHARE',
        help='ply and glb leave out pixels where nearer and farther meet, by more than this share; '
        'default: inf, nothing, for ply and 0.02 for glb',
    )
    parser.add_argument(
        '--max-vertices',
        type=float,
        default=MOST_VERTICES,
        metavar='N',
        help=f'of a mesh; default: {MOST_VERTICES}; inf: a vertex for every pixel',
    )
    parser.add_argument(
        '--align',
        metavar='CSV',
        help='column,row,depth [px, px, m] of some points: every map becomes depth [m] by least '
        'squares; of several images or a video, the same points of each',
    )
    parser.add_argument(
        '--steady',
        action='store_true',
        help='of a video: keep scale and shift from frame to frame, until a cut; of metric maps '
        'the scale alone',
    )
    parser.add_argument('--batch-size', type=int, default=1, metavar='N')
    parser.add_argument('--device', help='such as cpu or cuda:1; default: CUDA where there is one')
    parser.add_argument('--precision', choices=['fp32', 'bf16', 'fp16'], default='fp32')
    parser.add_argument(
        '--json', action='store_true', help='a line for each image on standard output'
    )
    parser.add_argument(
        '--resume', action='store_true', help='leave out images all of whose files are there'
    )
    parser.add_argument(
        '--launcher',
        choices=LAUNCHERS,
        default='none',
        help='what started several processes, which divide the images; pytorch: torchrun',
    )
    add_overrides(parser)
    return parser.parse_args()


@report_input_errors
def main() -> None:
    args = parse_args()
    from mmdpt.commands.prediction.outputs import Outputs
    from mmdpt.commands.prediction.ranks import meet
    from mmdpt.commands.prediction.run import choose_model, predict
    from mmdpt.inference.focal import Camera
    from mmdpt.inference.inferencer import DPTInferencer
    from mmdpt.inference.point_cloud import Intrinsics

    model, checkpoint = choose_model(args.model, args.config, args.checkpoint)
    intrinsics = Intrinsics(*args.intrinsics) if args.intrinsics else None
    camera = Camera(intrinsics, args.field_of_view)
    with meet(args.launcher):
        code = predict(
            args.inputs,
            Outputs(args.out, args.write, args.edge_threshold, args.max_vertices),
            lambda: DPTInferencer(
                model,
                checkpoint,
                args.device,
                args.precision,
                cfg_options=args.cfg_options,
                camera=camera,
                backend=args.backend,
            ),
            args.batch_size,
            args.align,
            args.json,
            args.resume,
            args.steady,
        )
    sys.exit(code)


if __name__ == '__main__':
    main()

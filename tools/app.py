"""Show what a model predicts on a page in the browser: depth, labels, values and a mesh."""

import argparse

from mmdpt.commands.tool import add_overrides, report_input_errors


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    model = parser.add_mutually_exclusive_group()
    model.add_argument('--model', metavar='NAME', help='released model; default: dpt-hybrid-midas')
    model.add_argument('--config', help='config file, or the name of one; with --checkpoint')
    parser.add_argument('--checkpoint', metavar='FILE', help='weights; of a release: its file')
    parser.add_argument('--device', help='such as cpu or cuda:1; default: CUDA where there is one')
    parser.add_argument('--precision', choices=['fp32', 'bf16', 'fp16'], default='fp32')
    parser.add_argument(
        '--host',
        default='127.0.0.1',
        help='address to listen at; default: this machine alone; 0.0.0.0: whoever reaches it',
    )
    parser.add_argument('--port', type=int, help='default: the first free one from 7860 on')
    add_overrides(parser)
    return parser.parse_args()


@report_input_errors
def main() -> None:
    args = parse_args()
    from mmdpt.commands.app.server import serve
    from mmdpt.commands.prediction.run import choose_model
    from mmdpt.inference.inferencer import DPTInferencer

    model, checkpoint = choose_model(args.model, args.config, args.checkpoint)
    serve(
        lambda: DPTInferencer(
            model, checkpoint, args.device, args.precision, cfg_options=args.cfg_options
        ),
        args.host,
        args.port,
    )


if __name__ == '__main__':
    main()

"""Convert a released checkpoint to mmdpt's names, or a model of mmdpt to another code base's."""

import argparse
import shutil
from pathlib import Path

from mmdpt.tool import report_input_errors


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('src', help='.pth, .pt, .bin or .safetensors file, or its https address')
    parser.add_argument('dst', type=Path, help='.pth file to write; a folder for huggingface')
    parser.add_argument(
        '--source',
        choices=['auto', 'isl-org', 'huggingface', 'mmseg', 'timm', 'smp', 'depth-anything'],
        default='auto',
        help='code base that src comes from; auto: by its keys',
    )
    parser.add_argument('--to', choices=['mmdpt', 'isl-org', 'huggingface'], default='mmdpt')
    parser.add_argument(
        '--config', help='config, or its name, that the result must fit; huggingface needs it'
    )
    return parser.parse_args()


@report_input_errors
def main() -> None:
    args = parse_args()
    import torch

    from mmdpt.apis import init_model
    from mmdpt.checkpoints import read_checkpoint, to_foreign, to_ours
    from mmdpt.checkpoints.fit import check_fit
    from mmdpt.errors import InputError

    if args.to == 'huggingface' and args.config is None:
        raise InputError('--to huggingface needs --config: the file alone does not say everything')
    if args.to != 'huggingface' and args.dst.suffix != '.pth':
        raise InputError(f'{args.dst}: the result is a .pth file')
    if args.dst.exists():
        raise InputError(f'{args.dst} exists')
    checkpoint = read_checkpoint(args.src)
    state_dict, report = to_ours(checkpoint.state_dict, args.source)
    print(report)
    model = None
    if args.config is not None:
        model = init_model(args.config)
        print(f'{args.config}: {check_fit(model, state_dict, report.task)}')
        model.dataset_meta = checkpoint.meta.get('dataset_meta')

    args.dst.parent.mkdir(parents=True, exist_ok=True)
    part = args.dst.with_name(f'{args.dst.name}.part')
    try:
        if args.to == 'mmdpt':
            torch.save(dict(state_dict=state_dict, meta=_meta(checkpoint.meta)), part)
        elif args.to == 'isl-org':
            foreign, report = to_foreign(state_dict, 'isl-org')
            print(f'to isl-org: {report}')
            torch.save(foreign, part)
        else:
            from mmdpt.checkpoints.transformers_folder import write_folder

            part.mkdir()
            print(f'to huggingface: {write_folder(model, state_dict, part)}')
        part.rename(args.dst)
    except BaseException:
        if part.is_dir():
            shutil.rmtree(part)
        part.unlink(missing_ok=True)
        raise
    print(f'wrote {args.dst}')


def _meta(meta: dict) -> dict:
    """Keep the class names."""
    return {name: meta[name] for name in ('dataset_meta',) if name in meta}


if __name__ == '__main__':
    main()

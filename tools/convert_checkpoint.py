"""Convert a released checkpoint to mmdpt's names, or a model of mmdpt to another code base's."""

import argparse
from pathlib import Path
from typing import Any

from mmdpt.commands.tool import report_input_errors


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('src', help='.pth, .pt, .bin or .safetensors file, or its https address')
    parser.add_argument('dst', type=Path, help='.pth file to write; a folder for huggingface')
    parser.add_argument(
        '--source',
        default='auto',
        help='code base that src comes from: isl-org, huggingface, ...; auto: by its keys',
    )
    parser.add_argument('--to', choices=['mmdpt', 'isl-org', 'huggingface'], default='mmdpt')
    parser.add_argument(
        '--config',
        help='config file, or the name of a config or released model, that the result must fit; '
        'needed for huggingface, and for a model with LoRA on its way out, to fold its updates in',
    )
    return parser.parse_args()


@report_input_errors
def main() -> None:
    args = parse_args()
    import torch

    from mmdpt.checkpoints import read_checkpoint, to_foreign, to_ours
    from mmdpt.checkpoints.convert import task_of
    from mmdpt.checkpoints.detect import check_source
    from mmdpt.checkpoints.load import check_fit
    from mmdpt.checkpoints.pretrained_init import with_encoder
    from mmdpt.errors import InputError
    from mmdpt.files.atomic import atomic_path
    from mmdpt.inference.model import build_model
    from mmdpt.models.backbones.lora import has_updates, merge_updates

    check_source(args.source)
    if args.to == 'huggingface' and args.config is None:
        raise InputError('--to huggingface needs --config: the file alone does not say everything')
    if args.to != 'huggingface' and args.dst.suffix != '.pth':
        raise InputError(f'{args.dst}: the result is a .pth file')
    if args.dst.exists():
        raise InputError(f'{args.dst} exists')
    checkpoint = read_checkpoint(args.src)
    model = None if args.config is None else build_model(args.config)
    task = None if model is None else task_of(model.state_dict())
    state_dict, report = to_ours(checkpoint.state_dict, args.source, task)
    print(report)
    if model is not None:
        if report.task != 'backbone':
            state_dict = with_encoder(model, state_dict)
        # initial weights fill the backbone alone
        part, prefix = (model.backbone, 'backbone.') if report.task == 'backbone' else (model, '')
        weights = {key.removeprefix(prefix): value for key, value in state_dict.items()}
        print(f'{args.config}: {check_fit(part, weights, args.src, "exactly")}')
        model.dataset_meta = checkpoint.meta.get('dataset_meta') or model.dataset_meta
    named_by = None if report.task == 'backbone' else model
    if args.to != 'mmdpt' and has_updates(state_dict):
        if model is None:
            raise InputError(
                f'{args.src} has LoRA updates; their factor is in the config alone: give --config'
            )
        state_dict = merge_updates(model, state_dict)
        print('the updates of LoRA are folded into the weights')

    with atomic_path(args.dst, parents=True) as part:
        if args.to == 'mmdpt':
            torch.save(dict(state_dict=state_dict, meta=_meta(checkpoint.meta, named_by)), part)
        elif args.to == 'isl-org':
            foreign, report = to_foreign(state_dict, 'isl-org')
            print(f'to isl-org: {report}')
            torch.save(foreign, part)
        else:
            from mmdpt.checkpoints.layouts.transformers_folder import write_folder

            part.mkdir()
            print(f'to huggingface: {write_folder(model, state_dict, part)}')
    print(f'wrote {args.dst}')


def _meta(meta: dict, model: Any) -> dict:
    """Keep the class names of the file, or else those of the config."""
    named = meta.get('dataset_meta') or getattr(model, 'dataset_meta', None)
    return {} if named is None else dict(dataset_meta=named)


if __name__ == '__main__':
    main()

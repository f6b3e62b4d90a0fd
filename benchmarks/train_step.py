"""Time and memory of a training step of ViT-B segmentation, 150 classes, beside mmseg's.

python benchmarks/train_step.py [--out FILE.json]

'of_matrix_rate': the floating-point operations of the step's products and convolutions, without
those that are done again, over its time, as a share of what a plain product reaches in that type.
On CUDA that is the model FLOP utilisation, of the rate measured.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import timing

timing.bind_threads()

import rivals  # noqa: E402
import torch  # noqa: E402

from mmdpt.models.layers import recomputation  # noqa: E402

DTYPES = dict(fp32=torch.float32, bf16=torch.bfloat16)
CONFIG = 'dpt_vit-b16_ade20k'
MODELS = {
    'mmseg': (),
    'mmdpt': ('model.decode_head.auxiliary_weight=0',),  # as mmseg's, which has no such output
    'mmdpt, checkpointed': (
        'model.decode_head.auxiliary_weight=0',
        'model.backbone.with_cp=True',
    ),
    'mmdpt, keeping': ('model.decode_head.auxiliary_weight=0',),
    'mmdpt, recomputing': ('model.decode_head.auxiliary_weight=0',),
    'mmdpt, auxiliary output': (),
    'mmdpt, compiled': ('model.decode_head.auxiliary_weight=0',),
}
RECOMPUTING = {'mmdpt, keeping': set(), 'mmdpt, recomputing': {'cpu', 'cuda'}}
"""Where GELU and the last upsampling are computed again; without a word, on CPUs alone."""
COMPILED = 'mmdpt, compiled'
"""On a CPU compiling takes minutes; it is timed there by --models."""


def main() -> None:
    args = parse_args()
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    if args.memory:
        name, dtype = args.memory
        step = training_step(name, DTYPES[dtype], args.side, args.batch, device)
        step()  # gradients and the libraries' own are there; the optimiser's state as well
        print(timing.peak_growth(step, device))
        return
    report: dict = dict(
        machine=timing.describe_machine(device),
        step=f'{args.batch} x {args.side} x {args.side} px, AdamW',
    )
    names = args.models or [name for name in MODELS if device == 'cuda' or name != COMPILED]
    options = [*MODELS['mmdpt'], f'model.backbone.img_size={args.side}']
    operations = args.batch * sum(
        rivals.operations_of_step(rivals.build_on_meta(CONFIG, options), args.side)
    )
    report['gflop'] = round(operations / 1e9, 1)
    for dtype in args.dtypes:
        rate = timing.matrix_rate(DTYPES[dtype], device)
        report[f'matrix_product_{dtype}_gflops'] = round(rate / 1e9, 1)
        steps = {
            name: training_step(name, DTYPES[dtype], args.side, args.batch, device)
            for name in names
        }
        result = timing.summarize(timing.alternate(steps, args.repeats), 'mmseg')
        del steps
        for name, figures in result.items():
            figures['peak_mb'] = memory_in_child(name, dtype, args.side, args.batch)
            figures['peak_ratio'] = round(figures['peak_mb'] / result['mmseg']['peak_mb'], 3)
            figures['of_matrix_rate'] = round(operations / figures['median_s'] / rate, 3)
            print(dtype, name, json.dumps(figures), flush=True)
        report[dtype] = result
    timing.write_report(report, args.out)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--models', nargs='+', choices=MODELS, help='mmseg and others')
    parser.add_argument('--dtypes', nargs='+', choices=DTYPES, default=list(DTYPES))
    parser.add_argument('--side', type=int, default=512, help='of the images [px]')
    parser.add_argument('--batch', type=int, default=1)
    parser.add_argument('--repeats', type=int, default=7)
    parser.add_argument('--out', type=Path, help='JSON file for the figures')
    parser.add_argument('--memory', nargs=2, help=argparse.SUPPRESS)  # of one child process
    return parser.parse_args()


def training_step(
    name: str, dtype: torch.dtype, side: int, batch: int, device: str
) -> Callable[[], float]:
    """Give a function that trains a model for one iteration."""
    torch.manual_seed(0)
    if name == 'mmseg':
        model = rivals.mmseg_model(side)
    else:
        options = [f'model.backbone.img_size={side}', *MODELS[name]]
        model = rivals.build_model(CONFIG, options)
    if name == COMPILED:
        model.backbone.forward = torch.compile(model.backbone.forward)
        model.decode_head.fuse = torch.compile(model.decode_head.fuse)
    model.to(device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
    images = torch.randn(batch, 3, side, side, device=device)
    samples = rivals.labelled_samples(side, batch, device)

    def step() -> float:
        recomputation.DEVICES = RECOMPUTING.get(name, {'cpu'})
        with torch.autocast(device, dtype, enabled=dtype != torch.float32):
            losses = model.loss(images, samples)
        loss = rivals.sum_of_losses(losses)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.item()

    return step


def memory_in_child(name: str, dtype: str, side: int, batch: int) -> float:
    """Measure the peak above weights and optimiser in a process of its own [MB]."""
    answer = timing.ask_child('--side', side, '--batch', batch, '--memory', name, dtype)
    return round(float(answer), 1)


if __name__ == '__main__':
    main()

"""Time and memory of inference beside the peers, and the share of the machine's limit.

python benchmarks/inference.py [--out FILE.json]
"""

import argparse
import json
import math
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import timing

timing.bind_threads()

import rivals  # noqa: E402
import torch  # noqa: E402

DTYPES = dict(fp32=torch.float32, bf16=torch.bfloat16, fp16=torch.float16)
SIZED = ('depth-base', 'segmentation-base')
TOLERANCE = 1e-3
"""Greatest difference of outputs in float32 over their greatest value."""
ALLOWED_ERROR = 1.25
"""Mean error of ours in half precision over that of transformers; random weights magnify both."""


def main() -> None:
    args = parse_args()
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    if args.one:
        case, name, side, batch = args.one
        print(json.dumps(measure_one(case, name, int(side), int(batch), device)))
        return
    report: dict = dict(machine=timing.describe_machine(device), cases={})
    for dtype in args.dtypes:
        rate = timing.matrix_rate(DTYPES[dtype], device)
        report[f'matrix_product_{dtype}_gflops'] = round(rate / 1e9, 1)
        for case in args.cases:
            for batch in args.batches:
                key = f'{case} {dtype} batch {batch}'
                report['cases'][key] = compare(case, dtype, batch, args.repeats, rate, device)
                print(key, json.dumps(report['cases'][key]), flush=True)
                # now, since what follows may take an hour, or all memory
                timing.write_report(report, args.out)
    if args.sizes:
        report['by_side'] = curves(lambda case: [(side, 1) for side in args.sizes])
    if args.numbers:
        report['by_batch'] = curves(lambda case: [(rivals.CASES[case][1], n) for n in args.numbers])
    timing.write_report(report, args.out)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--cases', nargs='*', choices=rivals.CASES, default=list(rivals.CASES))
    parser.add_argument('--dtypes', nargs='+', choices=DTYPES, default=['fp32', 'bf16'])
    parser.add_argument('--batches', nargs='+', type=int, default=[1])
    parser.add_argument('--repeats', type=int, default=7)
    parser.add_argument(
        '--sizes', nargs='*', type=int, default=[], help='sides [px] of curves of ViT-B, batch 1'
    )
    parser.add_argument(
        '--numbers', nargs='*', type=int, default=[], help='batches of curves of ViT-B'
    )
    parser.add_argument('--out', type=Path, help='JSON file for the figures')
    parser.add_argument('--one', nargs=4, help=argparse.SUPPRESS)  # of one child process
    return parser.parse_args()


def compare(case: str, dtype: str, batch: int, repeats: int, rate: float, device: str) -> dict:
    """Time the rivals of a case in turns; ours compiled, too, on CUDA.

    In half precision transformers' float32 takes part, which is the truth, too.

    Raises:
        SystemExit: If outputs differ: a fast wrong answer is none.
    """
    _, side, names = rivals.CASES[case]
    torch.manual_seed(0)
    images = torch.randn(batch, 3, side, side, device=device)
    contenders = rivals.build(case, names, DTYPES[dtype], device)
    half = dtype != 'fp32'
    if half:
        own = [name for name in names if name not in rivals.EXPORTED]
        whole = rivals.build(case, own, torch.float32, device)  # mmseg's weights are ours, too
        contenders['transformers, float32'] = whole['transformers']
    with torch.inference_mode():
        outputs = {name: rival(images).float() for name, rival in contenders.items()}
        if half:
            errors = check_half(f'{case} {dtype}', outputs)
        else:
            check_whole(case, outputs)
        del outputs
        operations = batch * count_operations(case)
        runs = {name: lambda rival=rival: rival(images) for name, rival in contenders.items()}
        if device == 'cuda':
            compiled = rivals.compiled(contenders['mmdpt'])
            runs['mmdpt, compiled'] = lambda: compiled(images)
        result = timing.summarize(timing.alternate(runs, repeats), 'transformers')
    for name, figures in result.items():
        figures['of_matrix_rate'] = round(operations / figures['median_s'] / rate, 3)
        if half and name in errors:
            figures['mean_error'] = errors[name]
    return dict(gflop=round(operations / 1e9, 1), **result)


def check_whole(case: str, outputs: dict[str, torch.Tensor]) -> None:
    """Compare float32 with float32."""
    for name, output in outputs.items():
        difference = ((output - outputs['mmdpt']).abs().max() / output.abs().max()).item()
        if name not in rivals.UNCOMPARED and not difference <= TOLERANCE:
            sys.exit(f'{case}: {name} differs by {difference:.3g} of the greatest value')


def check_half(case: str, outputs: dict[str, torch.Tensor]) -> dict[str, float]:
    """Compare the errors against float32; give them, as shares of the mean value."""
    truth = outputs['transformers, float32']
    errors = {
        name: round(((output - truth).abs().mean() / truth.abs().mean()).item(), 5)
        for name, output in outputs.items()
        if name not in rivals.UNCOMPARED
    }
    if not errors['mmdpt'] <= ALLOWED_ERROR * errors['transformers']:
        sys.exit(f'{case}: mean errors of half precision {errors}')
    return errors


def count_operations(case: str) -> int:
    """Count the floating-point operations of our model's products and convolutions, of an image.

    Packed weights have operators that the counter does not know, so the model is built anew.
    """
    from torch.utils.flop_counter import FlopCounterMode

    config, side, _ = rivals.CASES[case]
    model = rivals.build_model(config, [f'model.backbone.img_size={side}']).eval()
    with FlopCounterMode(display=False) as counter:
        rivals.run_mm(model, torch.zeros(1, 3, side, side))
    return counter.get_total_flops()


def curves(points: Callable[[str], list[tuple[int, int]]]) -> dict:
    """Measure time [s] and peak above the weights [MB], each in a process of its own.

    ``slope`` is that of the peak's logarithm against the number of pixels': 1 is linear growth.

    Args:
        points: Gives a case's sides [px] and batches.
    """
    result: dict = {}
    for case in SIZED:
        for name in rivals.CASES[case][2]:
            curve: list[dict] = []
            for side, batch in points(case):
                try:
                    answer = timing.ask_child('--one', case, name, side, batch)
                except RuntimeError as error:  # a peer that takes one size alone, or lacks memory
                    reason = str(error).splitlines()[-1]
                    print(f'{case} {name} {side} x {batch}: {reason}', file=sys.stderr)
                    continue
                curve.append(json.loads(answer))
            result.setdefault(case, {})[name] = dict(points=curve, slope=slope(curve))
            print(case, name, json.dumps(result[case][name]), flush=True)
    return result


def slope(curve: list[dict]) -> float | None:
    """Fit the exponent of a power law; None where one size alone was measured."""
    if len(curve) < 2:
        return None
    pixels = [math.log(point['side'] ** 2 * point['batch']) for point in curve]
    peaks = [math.log(point['peak_mb']) for point in curve]
    return round(statistics.linear_regression(pixels, peaks).slope, 3)


def measure_one(case: str, name: str, side: int, batch: int, device: str) -> dict[str, float]:
    """Measure one rival in float32: peak above its weights [MB], time of the run after that [s]."""
    names = (name, 'mmdpt') if name != 'mmdpt' else (name,)
    rival = rivals.build(case, names, torch.float32, device)[name]
    images = torch.randn(batch, 3, side, side, device=device)
    with torch.inference_mode():
        if name != 'smp':  # which takes one size alone
            rival(images[..., :64, :64])  # libraries set up what is theirs
        peak = timing.peak_growth(lambda: rival(images), device)
        start = time.perf_counter()
        rival(images)
        timing.synchronize()
        seconds = time.perf_counter() - start
    return dict(side=side, batch=batch, peak_mb=round(peak, 1), seconds=round(seconds, 4))


if __name__ == '__main__':
    main()

"""Time and memory of inference beside the peers, and the share of the machine's limit.

python benchmarks/inference.py [--out FILE.json]
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import timing

timing.bind_threads()

import rivals  # noqa: E402
import torch  # noqa: E402

DTYPES = dict(fp32=torch.float32, bf16=torch.bfloat16, fp16=torch.float16)
TOLERANCE = dict(fp32=1e-3, bf16=0.3, fp16=0.05)
"""Greatest difference of outputs over their greatest value; random weights magnify rounding."""


def main() -> None:
    args = parse_args()
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    if args.memory:
        case, name, dtype, side = args.memory
        print(measure_memory(case, name, dtype, int(side), device))
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
    if args.sizes:
        report['memory_mb'] = memory_by_size(args.sizes, device)
        print(json.dumps(report['memory_mb'], indent=1))
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(report, indent=2) + '\n')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--cases', nargs='*', choices=rivals.CASES, default=list(rivals.CASES))
    parser.add_argument('--dtypes', nargs='+', choices=DTYPES, default=['fp32', 'bf16'])
    parser.add_argument('--batches', nargs='+', type=int, default=[1])
    parser.add_argument('--repeats', type=int, default=7)
    parser.add_argument(
        '--sizes', nargs='*', type=int, default=[], help='sides [px] of the memory of ViT-B'
    )
    parser.add_argument('--out', type=Path, help='JSON file for the figures')
    parser.add_argument('--memory', nargs=4, help=argparse.SUPPRESS)  # of one child process
    return parser.parse_args()


def compare(case: str, dtype: str, batch: int, repeats: int, rate: float, device: str) -> dict:
    """Time the rivals of a case in turns; ours compiled, too, on CUDA.

    Raises:
        SystemExit: If outputs differ: a fast wrong answer is none.
    """
    _, side, names = rivals.CASES[case]
    torch.manual_seed(0)
    images = torch.randn(batch, 3, side, side, device=device)
    contenders = rivals.build(case, names, DTYPES[dtype], device)
    with torch.inference_mode():
        outputs = {name: rival(images).float() for name, rival in contenders.items()}
        for name, output in outputs.items():
            difference = ((output - outputs['mmdpt']).abs().max() / output.abs().max()).item()
            if name not in rivals.UNCOMPARED and not difference <= TOLERANCE[dtype]:
                sys.exit(
                    f'{case} {dtype}: {name} differs by {difference:.3g} of the greatest value'
                )
        del outputs
        operations = count_operations(contenders['mmdpt'], images)
        runs = {name: lambda rival=rival: rival(images) for name, rival in contenders.items()}
        if device == 'cuda':
            compiled = rivals.compiled(contenders['mmdpt'])
            runs['mmdpt, compiled'] = lambda: compiled(images)
        result = timing.summarize(timing.alternate(runs, repeats), 'transformers')
    for figures in result.values():
        figures['of_matrix_rate'] = round(operations / figures['median_s'] / rate, 3)
    return dict(gflop=round(operations / 1e9, 1), **result)


def count_operations(rival: rivals.Rival, images: torch.Tensor) -> int:
    """Count the floating-point operations of our model's products and convolutions."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        rival(images)
    return counter.get_total_flops()


def memory_by_size(sides: list[int], device: str) -> dict:
    """Measure the peak above the weights, each in a process of its own; [MB] by side [px]."""
    result: dict = {}
    environment = {**os.environ, 'MALLOC_MMAP_THRESHOLD_': '131072'}
    for case in ('depth-base', 'segmentation-base', 'depth-large'):
        for name in rivals.CASES[case][2]:
            for side in sides:
                command = [sys.executable, __file__, '--memory', case, name, 'fp32', str(side)]
                done = subprocess.run(command, env=environment, capture_output=True, text=True)
                if done.returncode != 0:  # a peer that takes no other size, or lacks memory
                    print(f'{case} {name} {side}: {done.stderr.splitlines()[-1]}', file=sys.stderr)
                    continue
                peak = float(done.stdout.split()[-1])
                result.setdefault(case, {}).setdefault(name, {})[side] = round(peak, 1)
    return result


def measure_memory(case: str, name: str, dtype: str, side: int, device: str) -> float:
    """Measure one rival's peak above its weights [MB]."""
    names = (name, 'mmdpt') if name != 'mmdpt' else (name,)
    rival = rivals.build(case, names, DTYPES[dtype], device)[name]
    images = torch.randn(1, 3, side, side, device=device)
    with torch.inference_mode():
        rival(images[..., :64, :64] if name != 'smp' else images)  # libraries set up their own
        return timing.peak_growth(lambda: rival(images), device)


if __name__ == '__main__':
    main()

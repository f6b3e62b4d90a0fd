"""A training step of two processes at half the batch each, beside one that does its half alone.

python benchmarks/scale.py [--out FILE.json]

Each process has one core and one thread. In turns: 'alone', the first process trains and the others
sleep; 'beside', all of them train and exchange nothing, which costs what they share of the machine;
'together', all train one model, as tools/dist_train.sh has them. CPU times do not count what other
programs of the machine take.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

LIMIT = 1.15
"""Of the time together over the time alone."""


def start_processes(number: int) -> None:
    """Start this program once more for each core, unless this is one of them."""
    if 'RANK' not in os.environ:
        cores = len(os.sched_getaffinity(0))
        if cores < number:
            sys.exit(f'{number} processes need {number} cores, this machine gives {cores}')
        os.environ['OMP_NUM_THREADS'] = '1'
        command = [sys.executable, '-m', 'torch.distributed.run', '--standalone']
        command += ['--nproc_per_node', str(number), __file__, *sys.argv[1:]]
        os.execv(sys.executable, command)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--config', default='dpt_vit-b16_ade20k', help='of a segmentation model')
    parser.add_argument('--side', type=int, default=256, help='of the images [px]')
    parser.add_argument('--batch', type=int, default=1, help='images of each process')
    parser.add_argument('--processes', type=int, default=2)
    parser.add_argument('--repeats', type=int, default=7)
    parser.add_argument('--out', type=Path, help='JSON file for the figures')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    start_processes(args.processes)
    rank = int(os.environ['RANK'])
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[rank]})

    import timing
    import torch
    import torch.distributed as dist

    torch.set_num_threads(1)
    dist.init_process_group('gloo')
    contenders, size = make_contenders(args.config, args.side, args.batch, rank)
    used: dict[str, list[float]] = {name: [] for name in contenders}
    runs = {name: measured(run, used[name]) for name, run in contenders.items()}
    times = timing.alternate(runs, args.repeats)
    used = {name: seconds[1:] for name, seconds in used.items()}  # without the warm-up
    if rank == 0:
        result = timing.summarize(times, 'alone')
        for name, figures in result.items():
            ratios = [mine / its for mine, its in zip(used[name], used['alone'], strict=True)]
            figures['median_cpu_s'] = round(statistics.median(used[name]), 5)
            figures['cpu_ratio'] = round(statistics.median(ratios), 3)
            print(name, json.dumps(figures), flush=True)
        report = dict(
            machine=timing.describe_machine('cpu'),
            step=f'{args.config}, {args.batch} x {args.side} x {args.side} px a process, AdamW',
            processes=args.processes,
            gradients_mb=round(size / 2**20, 1),
            exchange_share=share(times, 'together', 'beside'),
            exchange_cpu_share=share(used, 'together', 'beside'),
            limit=LIMIT,
            reached=result['together']['ratio'] <= LIMIT,
            result=result,
        )
        print(json.dumps({key: report[key] for key in report if key != 'result'}, indent=2))
        timing.write_report(report, args.out)
    dist.destroy_process_group()


def make_contenders(
    config: str, side: int, batch: int, rank: int
) -> tuple[dict[str, Callable[[], None]], int]:
    """Give what to time, all on one model, and the bytes of its gradients."""
    import rivals
    import torch
    import torch.distributed as dist
    from mmengine.model import MMDistributedDataParallel

    torch.manual_seed(0)
    model = rivals.build_model(config, [f'model.backbone.img_size={side}']).train()
    parallel = MMDistributedDataParallel(  # as mmdpt's Runner wraps
        model, broadcast_buffers=False, gradient_as_bucket_view=True
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
    torch.manual_seed(rank)
    images = torch.randn(batch, 3, side, side)
    samples = rivals.labelled_samples(side, batch, 'cpu')
    gradients = sum(p.numel() * p.element_size() for p in model.parameters() if p.requires_grad)
    buffer = torch.zeros(gradients // 4)

    def step(module: torch.nn.Module) -> None:
        rivals.sum_of_losses(module(images, samples, mode='loss')).backward()
        optimizer.step()
        optimizer.zero_grad()

    def alone() -> None:
        if rank == 0:
            step(model)

    contenders = dict(
        alone=alone,
        beside=lambda: step(model),
        together=lambda: step(parallel),
        exchange=lambda: dist.all_reduce(buffer),
    )
    return contenders, gradients


def measured(run: Callable[[], None], used: list[float]) -> Callable[[], None]:
    """Let all processes end a run together; note its CPU time in this process [s]."""
    import torch.distributed as dist

    def run_and_wait() -> None:
        start = time.process_time()
        run()
        used.append(time.process_time() - start)
        dist.barrier()

    return run_and_wait


def share(times: dict[str, list[float]], more: str, less: str) -> float:
    """Give the part of a time that is above another one, the median over the rounds."""
    pairs = list(zip(times[more], times[less], strict=True))
    return round(statistics.median((a - b) / a for a, b in pairs), 3)


if __name__ == '__main__':
    main()

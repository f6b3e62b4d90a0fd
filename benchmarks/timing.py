"""Fair comparisons: rivals in turns in one process, the machine's own rate, peak memory."""

import ctypes
import datetime
import gc
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

PACKAGES = ('torch', 'transformers', 'segmentation-models-pytorch', 'onedl-mmsegmentation')


def alternate(rivals: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Time every rival ``repeats`` times [s], in turns, after a warm-up of each."""
    for run in rivals.values():
        run()
    times: dict[str, list[float]] = {name: [] for name in rivals}
    for _ in range(repeats):
        for name, run in rivals.items():
            synchronize()
            start = time.perf_counter()
            run()
            synchronize()
            times[name].append(time.perf_counter() - start)
    return times


def summarize(times: Mapping[str, list[float]], reference: str) -> dict[str, dict[str, float]]:
    """Give each rival's median and quartiles [s], and the median ratio to the reference.

    A ratio is taken within a round, so that a slow minute of the machine is in both numbers.
    """
    result = {}
    for name, seconds in times.items():
        ratios = [mine / its for mine, its in zip(seconds, times[reference], strict=True)]
        low, median, high = statistics.quantiles(seconds, n=4)
        result[name] = dict(
            median_s=round(median, 5),
            quartiles_s=[round(low, 5), round(high, 5)],
            least_s=round(min(seconds), 5),
            ratio=round(statistics.median(ratios), 3),
            ratio_of_least=round(min(seconds) / min(times[reference]), 3),
        )
    return result


def matrix_rate(dtype: torch.dtype, device: str, side: int = 2048) -> float:
    """Measure the floating-point operations per second of a square matrix product."""
    if device != 'cpu':
        side *= 4
    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    seconds = alternate({'product': lambda: a @ b}, repeats=9)['product']
    return 2 * side**3 / statistics.median(seconds)


def synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def describe_machine(device: str) -> dict[str, object]:
    """Name date, processor, threads and versions."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = 'absent'
    return dict(
        date=datetime.date.today().isoformat(),
        device=torch.cuda.get_device_name() if device == 'cuda' else processor(),
        threads=torch.get_num_threads(),
        python=platform.python_version(),
        versions=versions,
    )


def processor() -> str:
    """Name the processor as Linux does."""
    lines = Path('/proc/cpuinfo').read_text().splitlines() if Path('/proc/cpuinfo').exists() else []
    names = [line.split(':', 1)[1].strip() for line in lines if line.startswith('model name')]
    return names[0] if names else platform.processor()


def write_report(report: Mapping[str, object], out: Path | None) -> None:
    """Write a JSON file, if one is asked for."""
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(report, indent=2) + '\n')


def bind_threads() -> None:
    """Start this process again with OpenMP's threads bound to cores, unless they are.

    Two threads that a busy machine puts on one core wait for each other at every operation; the
    setting is read when the library is loaded.
    """
    if 'OMP_PROC_BIND' not in os.environ:
        os.environ.update(OMP_PROC_BIND='true', OMP_PLACES='cores')
        os.execv(sys.executable, [sys.executable, *sys.argv])


@contextmanager
def unbound() -> Iterator[None]:
    """Let threads that are started within use all cores: they inherit the one of this thread."""
    if not hasattr(os, 'sched_setaffinity'):  # macOS binds no threads
        yield
        return
    bound = os.sched_getaffinity(0)
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    try:
        yield
    finally:
        os.sched_setaffinity(0, bound)


def peak_growth(run: Callable[[], object], device: str) -> float:
    """Measure by how much a call raises the peak of memory above what is held before it [MB].

    CUDA: the allocator's. CPU: of the resident set; ``ask_child`` starts a process for it with
    MALLOC_MMAP_THRESHOLD_=131072, or memory that malloc keeps for later is counted for or against
    whoever comes second.
    """
    gc.collect()
    if device == 'cuda':
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run()
        torch.cuda.synchronize()
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    ctypes.CDLL('libc.so.6').malloc_trim(0)
    before = status('VmRSS')
    Path('/proc/self/clear_refs').write_text('5')  # the peak counts from here
    run()
    return (status('VmHWM') - before) / 1024


def ask_child(*arguments: object) -> str:
    """Run this program once more in a process that can measure its memory; give its last line.

    A bound thread's process would start its children on that one core.

    Raises:
        RuntimeError: If it fails, with what it said.
    """
    done = subprocess.run(
        [sys.executable, sys.argv[0], *map(str, arguments)],
        env={**os.environ, 'MALLOC_MMAP_THRESHOLD_': '131072'},
        preexec_fn=lambda: os.sched_setaffinity(0, range(os.cpu_count() or 1)),
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise RuntimeError(done.stderr or f'signal {-done.returncode}')
    return done.stdout.splitlines()[-1]


def status(field: str) -> int:
    """Read a field of /proc/self/status [KiB]."""
    lines = Path('/proc/self/status').read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f'{field}:'))

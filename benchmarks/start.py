"""How long the start takes: the import, --help of every tool, a model from a local checkpoint.

python benchmarks/start.py

The model: DPT-Large in float32, from mmdpt's own file, from that of a training with its optimiser,
and from isl-org/DPT's and transformers' layouts, against reading the weights' bytes of the same
file into memory and copying them once, in turns in one process; what it takes of memory is measured
at the first call.
"""

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

IMPORT_LIMIT, HELP_LIMIT = 0.3, 1.0
"""[s]"""
RATIO_LIMIT = 1.3
"""Of time and of memory."""
CHILD = '--in-process'


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def summary(times: list[float]) -> dict[str, float]:
    """Give median, least and greatest [s]."""
    figures = (statistics.median(times), min(times), max(times))
    return dict(zip(('median', 'min', 'max'), (round(t, 4) for t in figures), strict=True))


def time_commands(repeats: int) -> dict[str, dict[str, float]]:
    """Time the import and the help, each in a process of its own, in turns."""
    from mmdpt.commands.cli import find_tools

    commands = {
        'python': ('-c', ''),
        'import mmdpt': ('-c', 'import mmdpt'),
        'mmdpt --help': ('-m', 'mmdpt', '--help'),
        **{f'{name} --help': (str(path), '--help') for name, path in find_tools().items()},
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(repeats):
        for name, arguments in commands.items():
            times[name].append(seconds(lambda a=arguments: run_python(*a)))
    return {name: summary(values) for name, values in times.items()}


def run_python(*arguments: str) -> str:
    """Run Python to its end and return what it prints."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def write_checkpoints(config: str, folder: Path) -> list[Path]:
    """Write one model's random weights in every layout."""
    import torch
    from safetensors.torch import save_file

    from mmdpt.checkpoints import to_foreign
    from mmdpt.inference.model import build_model

    torch.manual_seed(0)
    state_dict = build_model(config).state_dict()
    torch.save(dict(state_dict=state_dict, meta={}), folder / 'own.pth')
    moments = {
        i: dict(exp_avg=value.clone(), exp_avg_sq=value.clone())
        for i, value in enumerate(state_dict.values())
    }
    optimizer = dict(state=moments, param_groups=[dict(params=list(moments))])
    training = dict(state_dict=state_dict, meta={}, optimizer=optimizer)
    torch.save(training, folder / 'training.pth')
    del moments, optimizer, training
    torch.save(to_foreign(state_dict, 'isl-org')[0], folder / 'isl-org.pt')
    theirs, _ = to_foreign(state_dict, 'huggingface')
    contiguous = {key: value.contiguous() for key, value in theirs.items()}
    save_file(contiguous, folder / 'huggingface.safetensors')
    return sorted(folder.iterdir())


def time_model(config: str, checkpoint: Path, repeats: int) -> dict:
    """Time one checkpoint in this process, after all imports, in turns with reading and copying."""
    from mmdpt.apis import init_model

    init_model('dpt_vit-ti16_scenes')  # imports what is imported when it is needed
    gc.collect()
    before = resident()
    reset_peak()
    model = init_model(config, str(checkpoint))
    peak = resident('VmHWM') - before
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    del model
    ours: list[float] = []
    floor: list[float] = []
    for _ in range(repeats):
        gc.collect()
        ours.append(seconds(lambda: init_model(config, str(checkpoint))))
        gc.collect()
        floor.append(seconds(lambda: read_and_copy(checkpoint, weights)))
    return dict(
        file_bytes=checkpoint.stat().st_size,
        weight_bytes=weights,
        init_model=summary(ours),
        read_and_copy=summary(floor),
        ratio=round(statistics.median(ours) / statistics.median(floor), 3),
        peak_over_weights=round(peak / weights, 3),
    )


def read_and_copy(path: Path, size: int) -> None:
    """Read bytes of a file into memory of torch's, as a model has it, and copy that once."""
    import torch

    content = torch.empty(size, dtype=torch.uint8)
    with path.open('rb', buffering=0) as file:
        rest = memoryview(content.numpy())
        while done := file.readinto(rest):  # Linux gives at most 2 GiB at once
            rest = rest[done:]
    content.clone()


def resident(what: str = 'VmRSS') -> int:
    """Give the memory of this process [bytes]; Linux."""
    status = Path('/proc/self/status').read_text()
    (line,) = (line for line in status.splitlines() if line.startswith(what))
    return 1024 * int(line.split()[1])


def reset_peak() -> None:
    """Let the greatest memory of this process count from now; Linux."""
    Path('/proc/self/clear_refs').write_text('5')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--config', default='dpt_vit-l16_mix6')
    parser.add_argument('--repeats', type=int, default=7)
    parser.add_argument('--threads', type=int, default=os.cpu_count())
    parser.add_argument('--out', type=Path, help='JSON file for the figures')
    parser.add_argument(CHILD, type=Path, metavar='FILE', help='time this checkpoint alone')
    args = parser.parse_args()
    os.environ['OMP_NUM_THREADS'] = str(args.threads)
    if args.in_process:
        print(json.dumps(time_model(args.config, args.in_process, args.repeats)))
        return
    import timing

    figures: dict = dict(
        machine=timing.describe_machine('cpu'),
        limits=dict(import_s=IMPORT_LIMIT, help_s=HELP_LIMIT, ratio=RATIO_LIMIT),
        commands_s=time_commands(args.repeats),
        init_model={},
    )
    with tempfile.TemporaryDirectory() as folder:
        for path in write_checkpoints(args.config, Path(folder)):
            options = ('--config', args.config, '--repeats', str(args.repeats))
            options += ('--threads', str(args.threads), CHILD, str(path))
            figures['init_model'][path.name] = json.loads(
                run_python(__file__, *options).splitlines()[-1]
            )
            path.unlink()
    print(json.dumps(figures, indent=2))
    timing.write_report(figures, args.out)


if __name__ == '__main__':
    main()

"""What a long run holds: memory, files and processes; in a process of its own for `test_soak.py`.

As a module of a config's ``custom_imports`` it gives ``MeasureHook``; as a program,

    python soak.py CONFIG CHECKPOINT PICTURES COUNT OUT

predicts so many pictures and writes a measurement every hundred.
"""

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from mmengine.hooks import Hook

from mmdpt.registry import HOOKS

THREADS = 8


def measure(out, at):
    """Append this process and its children: numbers, memory [KiB], open files of all."""
    processes = [os.getpid(), *children(os.getpid())]
    line = dict(
        at=at,
        processes=processes,
        memory=[resident(process) for process in processes],
        files=sum(len(os.listdir(f'/proc/{process}/fd')) for process in processes),
    )
    with open(out, 'a') as file:
        file.write(json.dumps(line) + '\n')


def children(process):
    """Numbers of all processes below one."""
    found = []
    for thread in os.listdir(f'/proc/{process}/task'):
        text = Path(f'/proc/{process}/task/{thread}/children').read_text()
        for child in map(int, text.split()):
            found += [child, *children(child)]
    return found


def resident(process):
    """Memory that a process has in RAM [KiB]."""
    text = Path(f'/proc/{process}/status').read_text()
    return int(text.split('VmRSS:')[1].split()[0])


@HOOKS.register_module()
class MeasureHook(Hook):
    """Measure the training process and its workers.

    Args:
        out: File of JSON lines.
        interval: Iterations between two measurements.
    """

    priority = 'LOWEST'

    def __init__(self, out, interval):
        self.out, self.interval = out, interval

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if self.every_n_train_iters(runner, self.interval):
            measure(self.out, runner.iter + 1)


def predict(config, checkpoint, pictures, count, out):
    """Predict the pictures of a folder again and again, write them; then in threads."""
    from mmdpt.apis import DPTInferencer

    predictor = DPTInferencer(config, checkpoint, device='cpu')
    paths = sorted(str(path) for path in Path(pictures).iterdir())
    written = Path(out).with_suffix('.png')
    serial = {}
    for number, path in enumerate(islice(cycle(paths), count), start=1):
        prediction = predictor(path)
        prediction.save(written)
        prediction.plot()
        if number <= len(paths):
            serial[path] = prediction
        assert_same(prediction, serial[path])
        if number % 100 == 0:
            measure(out, number)
    with ThreadPoolExecutor(THREADS) as threads:
        asked = list(islice(cycle(paths[::-1]), max(count // 10, len(paths))))
        for path, prediction in zip(asked, threads.map(predictor, asked), strict=True):
            assert_same(prediction, serial[path])
    print(f'{len(asked)} pictures in {THREADS} threads as one by one')


def assert_same(prediction, first):
    """Depth and labels bit for bit."""
    np.testing.assert_array_equal(prediction.map, first.map)
    np.testing.assert_array_equal(prediction.labels, first.labels)


if __name__ == '__main__':
    config, checkpoint, pictures, count, out = sys.argv[1:]
    predict(config, checkpoint, pictures, int(count), out)

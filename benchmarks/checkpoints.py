"""What a checkpoint's safety costs: checksum, fsync, and checking before reading.

python benchmarks/checkpoints.py --out FILE.json [--gigabytes 1.3] [--folder DIR]
"""

import argparse
import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import torch
from mmengine.runner.checkpoint import save_checkpoint
from timing import alternate, describe_machine, summarize

from mmdpt.checkpoints.reading.checksums import check_whole
from mmdpt.checkpoints.reading.reader import unpickle
from mmdpt.training.resume.checkpoint_files import write_checkpoint

TENSOR = 1024 * 1024
"""Elements of each tensor, about a ViT-L's projection."""


@contextlib.contextmanager
def without_checksums() -> Iterator[None]:
    torch.serialization.set_crc32_options(False)
    try:
        yield
    finally:
        torch.serialization.set_crc32_options(True)


def measure(folder: Path, gigabytes: float, repeats: int) -> dict[str, dict[str, float]]:
    """Time writing and reading one checkpoint [s]."""
    tensors = {str(i): torch.randn(TENSOR) for i in range(round(gigabytes * 1e9 / 4 / TENSOR))}
    checkpoint = dict(meta=dict(iter=1), state_dict=tensors)
    path, whole = folder / 'iter_1.pth', folder / 'iter_2.pth'
    write_checkpoint(checkpoint, whole)

    def without_checksum() -> None:
        with without_checksums():
            write_checkpoint(checkpoint, path)

    def without_fsync() -> None:
        with mock.patch.object(os, 'fsync'):
            write_checkpoint(checkpoint, path)

    writing = {
        'write': lambda: write_checkpoint(checkpoint, path),
        'write without checksum': without_checksum,
        'write without fsync': without_fsync,
        'write as mmengine': lambda: save_checkpoint(checkpoint, str(path)),
    }
    reading = {'read': lambda: unpickle(whole), 'check': lambda: check_whole(whole)}
    return {
        **summarize(alternate(writing, repeats), 'write'),
        **summarize(alternate(reading, repeats), 'read'),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, required=True, help='JSON file')
    parser.add_argument('--gigabytes', type=float, default=1.3, help='size of the checkpoint')
    parser.add_argument('--folder', help='where to write, on the disk in question')
    parser.add_argument('--repeats', type=int, default=7)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        results = measure(Path(folder), args.gigabytes, args.repeats)
    report = dict(machine=describe_machine('cpu'), gigabytes=args.gigabytes, results=results)
    args.out.write_text(json.dumps(report, indent=2) + '\n')
    for name, figures in results.items():
        print(f'{name:24} {figures["median_s"]:7.2f} s  {figures["ratio"]:5.2f}')


if __name__ == '__main__':
    main()

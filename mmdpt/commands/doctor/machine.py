"""What the machine gives: cores, disk, CUDA, and a forward pass on it."""

import os
import re
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmdpt.scenes.cores import QUOTA, usable_cores

from .findings import Finding

DRIVER = Path('/proc/driver/nvidia/version')
DEVICES = '/dev/nvidia[0-9]*'
ENOUGH = 5 << 30
"""Bytes of disk: DPT-Large's weights are 1.4 GB, a checkpoint with AdamW's state is 4.1 GB."""
TORCH_BUILDS = 'https://pytorch.org/get-started'
TINY = 'dpt_vit-ti16_scenes'
SIZE = 48, 64
"""Height and width of the image of the forward pass [px]."""


def check_cores(quota_file: Path = QUOTA) -> Finding:
    """Compare the threads that torch is going to start with the cores that it may use."""
    cores = usable_cores(quota_file)
    total = os.cpu_count() or 1
    threads = os.environ.get('OMP_NUM_THREADS', '')
    text = f'{cores} of {total} usable, OMP_NUM_THREADS is {threads or "not set"}'
    starts = int(threads) if threads.isdecimal() else total
    if starts > cores:
        return Finding('note', 'cores', text, f'export OMP_NUM_THREADS={cores}: more are slower')
    return Finding('ok', 'cores', text)


def check_cwd() -> Finding:
    """Look at the disk that data, logs and checkpoints go to by default."""
    return check_disk('current folder', Path.cwd(), 'run where there is more, or give --work-dir')


def check_cache() -> Finding:
    """Look at the disk that released checkpoints are downloaded to."""
    from mmdpt.checkpoints.reading.download import cache_root

    return check_disk('cache', cache_root(), 'export MMDPT_HOME=FOLDER to put it elsewhere')


def check_disk(subject: str, folder: Path, remedy: str) -> Finding:
    """Say how much is free where a folder is, or is going to be, and whether it can be written."""
    existing = folder.absolute()
    while not existing.exists():
        existing = existing.parent
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        return Finding('wrong', subject, f'{folder}: {existing} cannot be written to', remedy)
    free = shutil.disk_usage(existing).free
    text = f'{folder}: {free / (1 << 30):.1f} GiB free'
    return Finding('note', subject, text, remedy) if free < ENOUGH else Finding('ok', subject, text)


def check_cuda() -> Iterator[Finding]:
    """Say which GPUs torch sees, or why it sees none."""
    import torch

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        available = torch.cuda.is_available()
    if not available:
        yield explain_no_cuda(torch.version.cuda, '; '.join(str(w.message) for w in caught))
        return
    runtime = f'CUDA {torch.version.cuda}, driver {driver_version() or "unknown"}'
    for index in range(torch.cuda.device_count()):
        device = torch.cuda.get_device_properties(index)
        text = f'{device.name}, {device.total_memory / (1 << 30):.0f} GiB, {runtime}'
        with torch.cuda.device(index):
            bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
        if bf16:
            yield Finding('ok', f'cuda:{index}', f'{text}, bfloat16')
        else:
            yield Finding('note', f'cuda:{index}', f'{text}, no bfloat16', 'use float16')


def explain_no_cuda(built_for: str | None, warning: str) -> Finding:
    """Say why there is no CUDA.

    Args:
        built_for: The CUDA version that torch is built for.
        warning: What torch said.
    """
    hidden = os.environ.get('CUDA_VISIBLE_DEVICES') in ('', '-1')
    if not has_gpu() or hidden:
        why = 'CUDA_VISIBLE_DEVICES hides every GPU' if hidden else 'no NVIDIA GPU here'
        return Finding('note', 'CUDA', f'{why}: everything runs on the CPU')
    if built_for is None:
        text = 'there is an NVIDIA GPU, but this torch is built for the CPU alone'
        return Finding('wrong', 'CUDA', text, f'install a torch built for CUDA: {TORCH_BUILDS}')
    driver = driver_version() or 'unknown'
    text = f'there is an NVIDIA GPU, but torch cannot use it: CUDA {built_for}, driver {driver}'
    remedy = f'update the driver, or install a torch built for an older CUDA: {TORCH_BUILDS}'
    return Finding('wrong', 'CUDA', f'{text} {warning}'.rstrip(), remedy)


def has_gpu() -> bool:
    """Whether there is an NVIDIA device; a container without one may still show the driver."""
    return any(Path('/').glob(DEVICES.lstrip('/')))


def driver_version() -> str | None:
    """Read the version of NVIDIA's kernel module, such as '550.54.15'."""
    if not DRIVER.is_file():
        return None
    found = re.search(r'\b\d{3}\.\d+(\.\d+)?\b', DRIVER.read_text())
    return found.group() if found else None


def check_forward() -> Iterator[Finding]:
    """Run a tiny DPT of random weights on the CPU and, where there is one, the GPU."""
    import torch

    from mmdpt.inference.model import init_model

    for device in ['cpu', 'cuda'] if torch.cuda.is_available() else ['cpu']:
        model: Any = init_model(TINY, device=device)
        images = torch.linspace(-1, 1, 3 * SIZE[0] * SIZE[1], device=device).view(1, 3, *SIZE)
        with torch.no_grad():
            logits = model.encode_decode(images, [dict(img_shape=SIZE)])
        yield judge_output(device, tuple(logits.shape), bool(logits.isfinite().all()))


def judge_output(device: str, shape: tuple[int, ...], finite: bool) -> Finding:
    """Say whether logits are one finite map of the image's size for each class."""
    subject = f'forward pass, {device}'
    if not finite or shape[0] != 1 or shape[2:] != SIZE:
        text = f'{TINY} gives {"" if finite else "non-finite "}logits {shape}'
        remedy = 'run the tests (make test); if they pass, compare the versions with the tested'
        return Finding('wrong', subject, text, remedy)
    return Finding('ok', subject, f'{TINY} gives finite logits {shape}')

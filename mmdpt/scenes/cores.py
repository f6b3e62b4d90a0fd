"""How many cores there are to work on."""

import os
from pathlib import Path

QUOTA = Path('/sys/fs/cgroup/cpu.max')
"""Of a container, version 2: 'max 100000', or microseconds of every so many."""


def usable_cores(quota_file: Path = QUOTA) -> int:
    """Count the cores that this process may use, at least 1."""
    scheduled = getattr(os, 'sched_getaffinity', None)  # on Linux alone
    cores = len(scheduled(0)) if scheduled else os.cpu_count() or 1
    if quota_file.is_file():
        quota, period = quota_file.read_text().split()
        if quota != 'max':
            cores = min(cores, max(1, int(quota) // int(period)))
    return cores

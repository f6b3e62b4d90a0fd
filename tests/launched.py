"""A training by tools/dist_train.sh that can be watched, and whose ranks can be found."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import tiny

PLAIN = (
    tiny.AUGMENTED
    + """
model['decode_head'].update(norm_cfg=None, dropout_ratio=0.0)  # what belongs to a process's share
train_dataloader.update(batch_size=4, num_workers=1)
optim_wrapper = dict(_delete_=True, type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1))
param_scheduler = [dict(type='PolyLR', by_epoch=False, end={iterations})]
train_cfg = dict(max_iters={iterations}, val_interval=6)
default_hooks.update(checkpoint=dict(interval={interval}, max_keep_ckpts=-1))
"""
)
"""Lines of a config whose training is the same on any number of processes."""


class Launched:
    """A run of dist_train.sh.

    Args:
        arguments: Its arguments.
        output: File for what it prints.
        prefix: Command that runs it elsewhere.
        cwd: Its working directory.
        environment: Further variables.
    """

    def __init__(self, arguments, output, prefix=(), cwd=None, **environment):
        self.output = Path(output)
        with self.output.open('w') as file:
            self.process = subprocess.Popen(
                [*prefix, str(tiny.REPO / 'tools' / 'dist_train.sh'), *map(str, arguments)],
                stdout=file,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env={
                    **os.environ,
                    'PYTHON': sys.executable,
                    'PYTHONPATH': str(tiny.REPO),
                    **environment,
                },
            )

    def said(self) -> str:
        return self.output.read_text()

    def wait_for_iteration(self, iteration):
        while not re.search(rf'Iter\(train\) \[ *{iteration}/', self.said()):
            assert self.process.poll() is None, self.said()
            time.sleep(0.02)

    def pid_of(self, rank) -> int:
        """Find the process of a rank among torchrun's children."""
        children = Path(f'/proc/{self.process.pid}/task/{self.process.pid}/children').read_text()
        for child in map(int, children.split()):
            if f'RANK={rank}'.encode() in Path(f'/proc/{child}/environ').read_bytes().split(b'\0'):
                return child
        raise AssertionError(f'no process of rank {rank}: {self.said()}')

    def end(self) -> int:
        """Wait; give the exit code."""
        return self.process.wait(timeout=600)


def root_cause(said: str) -> str:
    """Give the part of torchrun's summary on the rank that ended the run."""
    return said.partition('Root Cause')[2]

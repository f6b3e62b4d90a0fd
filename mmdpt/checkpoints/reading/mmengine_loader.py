"""MMEngine's loader of checkpoints, made to read as mmdpt does for a while.

Components of the host packages call it. Where weights-only unpickling refuses a file, it goes on
with ordinary unpickling, which executes what the file says; and its list of what unpickling may
call has getattr, by which a file reaches every function (mmengine/runner/checkpoint.py).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

from mmengine.runner.checkpoint import CheckpointLoader

from .reader import read_checkpoint

_LOCK = Lock()
_own: list[Any] = []
"""MMEngine's function, once for every block that is in progress in any thread."""


@contextmanager
def reading_safely() -> Iterator[None]:
    """Let MMEngine's loader read by ``read_checkpoint`` within a block, in the whole process."""
    with _LOCK:
        _own.append(_own[0] if _own else CheckpointLoader.__dict__['load_checkpoint'])
        CheckpointLoader.load_checkpoint = staticmethod(_load_checkpoint)
    try:
        yield
    finally:
        with _LOCK:
            own = _own.pop()
            if not _own:
                CheckpointLoader.load_checkpoint = own


def _load_checkpoint(filename: str, map_location: Any = None, logger: Any = None) -> dict[str, Any]:
    """Read a file on the CPU; MMEngine's other arguments are not needed."""
    return read_checkpoint(filename)._asdict()

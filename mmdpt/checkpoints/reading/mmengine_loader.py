"""MMEngine's loader of checkpoints, which components of the host packages call, made to read as
mmdpt does.

MMEngine goes on with ordinary unpickling, which executes what the file says, where weights-only
unpickling refuses a file; and its list of what that may call has getattr, by which a file reaches
every function (mmengine/runner/checkpoint.py).
"""

from typing import Any

from mmengine.runner.checkpoint import CheckpointLoader

from mmdpt.errors import InputError

from .reader import local_path, unpickle


def use_weights_only_loader() -> None:
    """Replace the loaders of all kinds of addresses, for the whole process."""
    for prefix in list(CheckpointLoader._schemes):
        CheckpointLoader.register_scheme(prefix, load_from_weights_only, force=True)


def load_from_weights_only(filename: str, map_location: Any = None) -> Any:
    """Read a .pth file as ``read_checkpoint`` does, without looking for tensors in it.

    Args:
        filename: Local path, https address or name of a release.
        map_location: MMEngine's; a file is always read on the CPU.

    Raises:
        InputError: If it cannot be had or would execute code.
    """
    path = local_path(filename)
    if not path.is_file():
        raise InputError(f'no checkpoint file {filename}')
    return unpickle(path)

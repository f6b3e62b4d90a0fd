"""Whether converted tensors fill the model of a config."""

from typing import Any

from mmdpt.checkpoints.layouts.layout import StateDict
from mmdpt.errors import InputError

from .compare import Mismatch, compare


def check_fit(model: Any, state_dict: StateDict, task: str) -> Mismatch:
    """Check that nothing lacks and nothing is left over, of the model or of its backbone.

    Args:
        model: Of mmdpt.
        state_dict: Ours.
        task: The report's; 'backbone' for initial weights, which fill that alone.

    Raises:
        InputError: Naming the keys.
    """
    part, prefix = (model.backbone, 'backbone.') if task == 'backbone' else (model, '')
    mismatch = compare(part, {key.removeprefix(prefix): v for key, v in state_dict.items()})
    if not mismatch.fills or mismatch.unexpected:
        raise InputError(f'the converted checkpoint does not fit {type(part).__name__}: {mismatch}')
    return mismatch

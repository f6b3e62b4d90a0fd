"""What a pickle asks to be called, written down instead; NumPy's numbers are made of that."""

import re
from typing import Any

import numpy as np

NUMBERS = re.compile(r'[<>|=]?[biufc]\d{1,2}')


class Recorded:
    """Stands in for a pickled function or class: notes its arguments and calls nothing."""

    args: tuple = ()
    state: Any = None

    def __init__(self, *args: Any) -> None:
        self.args = args

    def __setstate__(self, state: Any) -> None:
        self.state = state

    @property
    def raw(self) -> bytes:
        """Bytes of an array or a scalar of NumPy; none for another."""
        parts = self.args if type(self).__name__ == 'scalar' else self.state
        last = parts[-1] if isinstance(parts, tuple) and parts else None
        return last if isinstance(last, bytes) else b''


def numpy_of(value: Recorded) -> Any:
    """Give the array or the number that NumPy would make.

    Raises:
        ValueError: If it is of neither, or of more than numbers.
    """
    try:
        if type(value).__name__ == 'scalar':
            return np.frombuffer(value.raw, _dtype(value.args[0]))[0].item()
        _, shape, dtype, fortran, _ = value.state
        numbers = np.frombuffer(value.raw, _dtype(dtype))
        return (numbers.reshape(shape[::-1]).T if fortran else numbers.reshape(shape)).copy('A')
    except (TypeError, IndexError, AttributeError) as error:
        raise ValueError(f'{type(value).__name__} of no numbers') from error


def _dtype(value: Recorded) -> np.dtype:
    text = f'{value.state[1]}{value.args[0]}'
    if not NUMBERS.fullmatch(text):
        raise ValueError(f'NumPy type {text!r} holds more than numbers')
    return np.dtype(text)

"""The error that a user can mend."""

from collections.abc import Collection
from typing import TypeVar

T = TypeVar('T')


class InputError(ValueError):
    """Wrong input, named by file, key or value; the tools print it without a traceback."""


def check_choice(name: str, value: T, choices: Collection[T]) -> T:
    """Return the value of what is called ``name``, or raise InputError if it is no choice."""
    if value not in choices:
        raise InputError(f'{name} must be one of {list(choices)}, got {value!r}')
    return value

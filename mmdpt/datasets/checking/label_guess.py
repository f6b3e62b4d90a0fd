"""Guess what the values of label files stand for, where the settings do not fit them."""

from collections.abc import Sequence

from mmdpt.datasets.label_values import IGNORE_INDEX


def guess_values(values: Sequence[int], classes: Sequence[str], reduced: bool) -> str | None:
    """Say how label files may be meant that are read wrongly, or None.

    Args:
        values: What the files read hold, ascending.
        classes: Names of the classes.
        reduced: Whether ``reduce_zero_label`` is set.
    """
    first = int(reduced)
    expected = range(first, first + len(classes))
    held = f'the labels read hold {", ".join(map(str, values))}'
    unsure = expected if len(classes) == 2 else expected[:1]  # of several, one may be alone
    if len(classes) > 1 and values[1:] == [IGNORE_INDEX] and values[0] in unsure:
        other = expected[values[0] == first]
        return (
            f'{held} alone, and {IGNORE_INDEX} is ignored: if it stands for '
            f'{classes[other - first]}, set label_map={{{IGNORE_INDEX}: {other}}}'
        )
    if not set(values) - {IGNORE_INDEX, *expected, first - 1}:
        return None
    if not reduced and set(values) <= {*range(len(classes) + 1), IGNORE_INDEX}:
        return f'{held}: if classes count from 1, and 0 is to ignore, set reduce_zero_label=True'
    if len(values) == len(classes):
        numbers = zip(values, expected, strict=True)
        pairs = ', '.join(f'{value}: {number}' for value, number in numbers if value != number)
        return f'{held}: if these are the classes in their order, set label_map={{{pairs}}}'
    return None

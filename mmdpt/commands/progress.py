"""A bar that says how far a long run is and when it ends."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Report = Callable[[int, int | None], None]
"""Called with what is done and how much there is; None: nobody knows."""


@contextmanager
def progress_bar(what: str, hidden: bool = False) -> Iterator[Report]:
    """Show a bar on standard error where that is a terminal.

    Args:
        what: Stands before the bar.
        hidden: Show none there either.

    Yields:
        What to call with the progress.
    """
    console = Console(stderr=True)
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=hidden or not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)

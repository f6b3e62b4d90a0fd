"""A bar that shows the progress of a long run and the time left."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Report = Callable[[int, int | None], None]
"""Called with the number done and the total; None: the total is unknown."""


@contextmanager
def progress_bar(what: str, hidden: bool = False) -> Iterator[Report]:
    """Show a bar on standard error if that is a terminal; give the function that moves it.

    The text ``what`` stands before the bar.
    """
    console = Console(stderr=True)
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=hidden or not console.is_terminal) as bar:
        task = bar.add_task(what, total=None, visible=False)
        yield lambda done, total: bar.update(task, completed=done, total=total, visible=True)

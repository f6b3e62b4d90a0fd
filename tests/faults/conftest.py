"""A line of the summary for every long test: what was tried, how often, what came of it."""

import pytest

LINES = pytest.StashKey[list]()


def pytest_configure(config):
    config.stash[LINES] = []


@pytest.fixture
def record(request):
    """Add a line to the table that ends ``make test-faults``."""

    def add(what: str, tried: str, result: str) -> None:
        request.config.stash[LINES].append((what, tried, result))

    return add


def pytest_terminal_summary(terminalreporter, config):
    lines = config.stash.get(LINES, [])
    if lines:
        terminalreporter.section('faults')
        for row in (('what', 'tried', 'result'), ('---',) * 3, *lines):
            terminalreporter.write_line(f'| {" | ".join(row)} |')

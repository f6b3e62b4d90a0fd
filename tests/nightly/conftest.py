"""How many cases are generated, and a line of the summary for whatever was tried.

``make test`` takes hypothesis's profile 'quick', ``make test-faults`` 'long'.
"""

import functools
from collections import Counter

import pytest
from hypothesis import HealthCheck, is_hypothesis_test, settings

LINES = pytest.StashKey[list]()
CASES = pytest.StashKey[Counter]()

# Quick: the same cases every time. Long: others every time; a failure prints what repeats it.
COMMON = dict(
    deadline=None,  # the machine may be busy
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
)
settings.register_profile('quick', max_examples=8, derandomize=True, **COMMON)
settings.register_profile('long', max_examples=250, print_blob=True, **COMMON)


def pytest_configure(config):
    config.stash[LINES] = []
    config.stash[CASES] = Counter()
    if not config.getoption('--hypothesis-profile'):
        settings.load_profile('quick')


def pytest_itemcollected(item):
    """Count every case that hypothesis generates, by the file of its test."""
    handle = getattr(getattr(item, 'obj', None), 'hypothesis', None)
    if not is_hypothesis_test(getattr(item, 'obj', None)) or hasattr(handle, 'counted'):
        return
    test, cases, file = handle.inner_test, item.config.stash[CASES], item.path.name

    @functools.wraps(test)
    def counted(*args, **kwargs):
        result = test(*args, **kwargs)  # a case that is assumed away raises
        cases[file] += 1
        return result

    handle.inner_test, handle.counted = counted, True


@pytest.fixture
def record(request):
    """Add a line to the table that ends ``make test-faults``."""

    def add(what: str, tried: str, result: str) -> None:
        request.config.stash[LINES].append((what, tried, result))

    return add


def pytest_terminal_summary(terminalreporter, config):
    lines = [
        (f'properties, {file}', f'{number:,} generated cases', 'all hold')
        for file, number in sorted(config.stash.get(CASES, Counter()).items())
        if not any(file in report.nodeid for report in terminalreporter.getreports('failed'))
    ]
    lines += config.stash.get(LINES, [])
    if lines:
        terminalreporter.section('faults')
        for row in (('what', 'tried', 'result'), ('---',) * 3, *lines):
            terminalreporter.write_line(f'| {" | ".join(row)} |')

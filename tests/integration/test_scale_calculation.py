"""benchmarks/scale_calculation.py calculates what it says, and the page shows what it prints."""

import runpy
import sys

import pytest
from tiny import REPO

SCRIPT = REPO / 'benchmarks' / 'scale_calculation.py'


def test_memory_and_seconds_of_a_step_of_two_images():
    """A machine and a model of round numbers."""
    names = runpy.run_path(str(SCRIPT))
    machine = names['Machine'](
        peak=100, share=0.5, memory_rate=2800, link=10, link_between=5, per_machine=8
    )
    model = names['Model'](parameters=100, forward=200, backward=400, held=1000, of_image=500)
    alone = 4 * 100 + 8 * 100 + 1000 + 2 * 500
    for gpus, expected in ((1, alone), (8, alone + 4 * 100)):
        assert names['memory'](model, gpus, 2) == expected
    for gpus, expected in (
        (1, 8 + 16 + 1),  # 400 and 800 operations at 50 a second; 2800 bytes at 2800
        (2, 8 + 40 + 1),  # 2 x 1/2 x 400 bytes at 10 a second take 40
        (16, 8 + 150 + 1),  # 2 x 15/16 x 400 bytes at 5 a second
    ):
        assert names['seconds'](model, machine, gpus, 2) == pytest.approx(expected)


@pytest.mark.nightly
def test_the_page_shows_what_the_script_prints(monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    monkeypatch.setattr(sys, 'argv', [str(SCRIPT)])
    runpy.run_path(str(SCRIPT), run_name='__main__')
    page = (REPO / 'docs' / 'scale-out.md').read_text()
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith('| DPT')]
    assert len(rows) == 12
    for row in rows:
        assert row in page

"""Damaged files are read right or refused by name: no crash, no hang, no other exception."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / 'fuzz' / 'read_mutants.py'


def read_mutants(folder, first, last):
    """Read mutants in child processes; counts of what came of them, and what is wrong."""
    counts, wrong = {}, []
    while first < last:
        done = subprocess.run(
            [sys.executable, str(SCRIPT), str(folder), str(first), str(last)],
            capture_output=True,
            text=True,
            env={**os.environ, 'OPENCV_LOG_LEVEL': 'SILENT'},
        )
        *lines, end = done.stdout.splitlines() or ['']
        wrong += [line for line in lines if ': ' in line]
        if done.returncode == 0:
            for outcome, number in json.loads(end).items():
                counts[outcome] = counts.get(outcome, 0) + number
            break
        numbers = [int(line) for line in (*lines, end) if line.isdigit()]
        assert numbers, done.stderr  # before any mutant
        died = signal.Signals(-done.returncode).name if done.returncode < 0 else done.stderr[-500:]
        wrong.append(f'{numbers[-1]}: {died}')
        first = numbers[-1] + 1
    return counts, wrong


@pytest.mark.timeout(1800)
@pytest.mark.parametrize('mutants', [500, pytest.param(22_000, marks=pytest.mark.nightly)])
def test_damaged_files_are_read_right_or_refused_by_name(tmp_path, record, mutants):
    counts, wrong = read_mutants(tmp_path, 0, mutants)
    assert not wrong, '\n'.join(wrong)
    assert sum(counts.values()) == mutants
    readers = {outcome.partition(' ')[0] for outcome in counts}
    assert len(readers) == 10
    for reader in readers:  # both happen: the mutants are neither all noise nor all harmless
        assert counts[f'{reader} error'] > 0
        assert counts.get(f'{reader} answer') or mutants < 5000, f'{reader} refused everything'
    refused = sum(number for outcome, number in counts.items() if outcome.endswith('error'))
    record(
        'damaged images, depth, labels, lists, checkpoints',
        f'{mutants:,} files, {len(readers)} readers',
        f'{refused:,} refused by name, {mutants - refused:,} read right; no crash, no hang',
    )

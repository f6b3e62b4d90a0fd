"""The whole examination, as a user starts it, with one thing wrong."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mmdpt.commands.doctor import examination, examine, machine
from mmdpt.commands.doctor.findings import Finding, format_finding
from mmdpt.errors import InputError

REPO = Path(__file__).resolve().parents[3]
SAID = dict(
    runtime_error=(RuntimeError('broken'), ('wrong', 'it', 'RuntimeError: broken', '')),
    input_error=(InputError('no file x'), ('wrong', 'it', 'no file x', '')),
    module=(
        ModuleNotFoundError("No module named 'packaging'", name='packaging'),
        ('wrong', 'it', "cannot be checked: No module named 'packaging'", 'pip install packaging'),
    ),
)


@pytest.fixture
def doctor(tmp_path):
    """Run the doctor in an empty folder, with modules that Python finds before the installed."""

    def run(*arguments, **sources):
        fakes = tmp_path / 'fakes'
        fakes.mkdir()
        for name, source in sources.items():
            (fakes / f'{name}.py').write_text(source)
        return subprocess.run(
            [sys.executable, str(REPO / 'tools' / 'doctor.py'), *arguments],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, 'PYTHONPATH': f'{fakes}{os.pathsep}{REPO}'},
        )

    return run


def state_of(subject, printed):
    (line,) = [line for line in printed.splitlines() if line[7:].startswith(f'{subject} ')]
    return line.split()[0]


@pytest.fixture
def mended(tmp_path, monkeypatch):
    """An empty folder, on a machine whose imports and forward pass are taken for granted."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(examination, '_check_imports', lambda: [Finding('ok', 'import torch', '')])
    monkeypatch.setattr(machine, 'check_forward', lambda: [Finding('ok', 'forward pass', '')])


@pytest.mark.nightly
def test_sound_installation_ends_with_code_zero(doctor):
    done = doctor()
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith('\nnothing wrong\n')
    assert state_of('forward pass, cpu', done.stdout) == 'ok'
    assert state_of('data/nyu', done.stdout) == 'note'


def test_data_of_a_config_are_looked_for_alone(mended):
    findings = list(examine('dpt_vit-l16_nyu'))
    assert [f.subject for f in findings if f.state == 'wrong'] == ['data/nyu']
    assert 'data/camvid' not in [f.subject for f in findings]


def test_config_that_is_not_there_is_named(mended):
    *_, last = examine('dpt_vit-l16_nuy')
    assert (last.state, last.subject) == ('wrong', 'dpt_vit-l16_nuy')
    assert 'the nearest names: dpt_vit-l16_nyu' in last.text


def test_data_named_by_an_override_is_looked_for(mended):
    findings = list(examine('dpt_vit-l16_nyu', ['train_dataloader.dataset.data_root=.']))
    assert [f.subject for f in findings if f.state == 'wrong'] == ['data/nyu']
    assert [f.state for f in findings if f.subject == '.'] == ['ok']


def test_failed_import_of_one_package_keeps_cuda_and_leaves_out_the_rest(mended, monkeypatch):
    found = [Finding('ok', 'import torch', ''), Finding('wrong', 'import cv2', 'libGL')]
    monkeypatch.setattr(examination, '_check_imports', lambda: found)
    *before, last = examine()
    assert last.subject == 'the rest' and last.remedy == 'mend import cv2 first'
    assert {'cores', 'current folder'} <= {f.subject for f in before}
    assert any(f.subject.lower().startswith('cuda') for f in before)
    assert not {'cache', 'forward pass'} & {f.subject for f in before}


def test_without_packaging_the_versions_alone_are_not_checked(mended, monkeypatch):
    monkeypatch.delitem(sys.modules, 'mmdpt.commands.doctor.versions', raising=False)
    monkeypatch.setitem(sys.modules, 'packaging.requirements', None)
    first, *others = examine('dpt_vit-l16_nyu')
    assert (first.state, first.subject) == ('wrong', 'versions')
    assert first.remedy == 'pip install packaging'
    assert [f.subject for f in others if f.state == 'wrong'] == ['data/nyu']


def test_override_without_a_config_is_refused(doctor):
    done = doctor('--cfg-options', 'a=1')
    assert done.returncode == 2 and '--cfg-options needs a config' in done.stderr


@pytest.mark.nightly
def test_broken_torch_is_told_and_does_not_keep_the_doctor_from_starting(doctor):
    done = doctor(torch='raise ImportError("libcudart.so.13: cannot open")\n')
    assert done.returncode == 1 and done.stderr == ''
    assert state_of('torch', done.stdout) == 'ok'
    assert state_of('import torch', done.stdout) == 'wrong'
    assert state_of('import cv2', done.stdout) == 'ok'
    assert state_of('cores', done.stdout) == 'ok'
    assert state_of('the rest', done.stdout) == 'note'
    assert 'forward pass, cpu' not in done.stdout and 'CUDA ' not in done.stdout


@pytest.mark.nightly
def test_json_holds_the_findings_and_the_exit_code_stays(doctor):
    done = doctor('dpt_vit-ti16_scenes', '--json')
    findings = [Finding(**found) for found in json.loads(done.stdout)]
    assert done.returncode == 1
    assert [f.subject for f in findings if f.state == 'wrong'] == ['data/scenes']
    assert all(isinstance(f.remedy, str) for f in findings)


@pytest.mark.parametrize('case', SAID)
def test_check_that_raises_is_a_finding(case):
    error, finding = SAID[case]

    def check():
        yield Finding('ok', 'before', '')
        raise error

    assert list(examination._run('it', check)) == [('ok', 'before', '', ''), finding]


def test_finding_is_one_line_whatever_the_error_says():
    finding = Finding('wrong', 'torch', 'RuntimeError: a\n  b\n', 'mend it')
    assert format_finding(finding).endswith('  RuntimeError: a b -> mend it')
    assert format_finding(finding).startswith('wrong  torch  ')
    assert '\n' not in format_finding(finding)
    assert '->' not in format_finding(Finding('ok', 'torch', 'fine'))

"""Each thing that can be wrong with an installation is found, with what mends it."""

import json
import os
import subprocess
import sys
import warnings
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from tiny import REPO

from mmdpt.commands import doctor
from mmdpt.commands.doctor import Finding, check_data, data_roots
from mmdpt.config import load_config
from mmdpt.errors import InputError
from mmdpt.files.shipped import shipped
from mmdpt.scenes import cores

NAME = 'dpt_vit-ti16_scenes'


def one(subject, findings):
    (finding,) = [finding for finding in findings if finding.subject == subject]
    return finding


def test_json_holds_the_findings_and_the_exit_code_is_one(run_tool, tmp_path):
    done = run_tool('doctor.py', NAME, '--json', cwd=tmp_path)
    findings = [Finding(**found) for found in json.loads(done.stdout)]
    wrong = [finding.subject for finding in findings if finding.state == 'wrong']
    assert (done.returncode, wrong) == (1, ['data/scenes'])
    assert one('pip check', findings).state == one('environment', findings).state == 'ok'
    assert one('forward pass, cpu', findings).text.startswith('logits (1, 12, 48, 64) from')


def test_override_without_a_config_is_refused(call_tool, capsys):
    assert call_tool('doctor.py', '--cfg-options', 'a=1') == 2
    assert '--cfg-options needs a config' in capsys.readouterr().err


def test_broken_torch_does_not_keep_the_doctor_from_starting(tmp_path):
    (tmp_path / 'torch.py').write_text('raise ImportError("libcudart.so.13: cannot open")\n')
    environment = {**os.environ, 'PYTHONPATH': f'{tmp_path}{os.pathsep}{REPO}'}
    command = [sys.executable, REPO / 'tools' / 'doctor.py', '--json']
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    findings = [Finding(**found) for found in json.loads(done.stdout)]
    assert (done.returncode, done.stderr) == (1, '')
    assert one('import torch', findings).text == 'ImportError: libcudart.so.13: cannot open'
    assert {'mmdpt', 'torch', 'cores'} <= {finding.subject for finding in findings}
    assert findings[-1].subject == 'the rest' and findings[-1].remedy == 'mend import torch first'


def test_check_that_raises_is_one_line():
    def check():
        yield Finding('ok', 'before', 'fine', 'mend it')
        raise RuntimeError('a\n  b')

    lines = [f'ok     {"before":28}  fine -> mend it', f'wrong  {"it":28}  RuntimeError: a b']
    assert list(map(str, doctor._run('it', check))) == lines


@pytest.mark.parametrize(
    ('versions', 'state', 'text', 'remedy'),
    [
        (dict(torch='2.14.1'), 'ok', '2.14.1, as tested', ''),
        (dict(torch='2.14.1+cu130'), 'ok', '2.14.1+cu130, as tested', ''),
        (dict(torch='2.15.0.dev1'), 'note', '2.15.0.dev1; mmdpt is tested with 2.14.1', ''),
        (dict(torch='2.3.1'), 'wrong', '2.3.1, but mmdpt needs >=2.4', "pip install 'torch>=2.4'"),
        (dict(torch=''), 'wrong', 'is not installed', "pip install 'torch>=2.4'"),
        (
            {'onedl-mmcv': '', 'mmcv': '2.1.0'},
            *('note', 'mmcv 2.1.0 stands in for it, which is not tested'),
            "if it gives trouble: pip install 'onedl-mmcv>=2.3.6'",
        ),
        (dict(mmdpt=''), 'wrong', 'is not installed', 'pip install -e . in its folder'),
        (dict(numpy='1.0'), 'ok', '1.0', ''),
    ],
)
def test_installed_version_is_compared(tmp_path, monkeypatch, versions, state, text, remedy):
    (tmp_path / 'constraints.txt').write_text('# x\nold==1 ; python_version < "3"\ntorch==2.14.1\n')
    monkeypatch.setattr(doctor, 'shipped', lambda name: tmp_path)
    monkeypatch.setattr(doctor, 'installed', lambda name: versions.get(name, '9'))
    found, subject = list(doctor.check_versions()), next(iter(versions))
    assert one(subject, found) == (state, subject, text, remedy)
    assert 'onnx' not in {finding.subject for finding in found}


def test_this_installation_is_as_declared_and_each_requirement_is_tested():
    found = list(doctor.check_versions())
    assert {finding.state for finding in found} == {'ok'}
    assert all(finding.text.endswith(', as tested') for finding in found[1:])


@pytest.mark.parametrize(
    ('printed', 'errors', 'finding'),
    [
        ('No broken requirements found.', '', ('ok', 'pip check')),
        ('torchvision 0.29.1 has requirement torch==2.14.1, but', '', ('wrong', 'torch, torchvi')),
        ('other 1.0 requires gone, which is not installed.', '', ('note', 'pip check')),
        ('', 'python: No module named pip', ('note', 'pip check')),
    ],
)
@pytest.mark.parametrize(('module', 'state'), [('mmcv', 'wrong'), ('cv2', 'note')])
def test_pip_compares_and_modules_have_one_package(
    monkeypatch, printed, errors, finding, module, state
):
    done = subprocess.CompletedProcess([], int(finding[0] != 'ok'), printed, errors)
    monkeypatch.setattr(subprocess, 'run', lambda *_, **__: done)
    monkeypatch.setattr(metadata, 'packages_distributions', lambda: {module: ['a', 'onedl-a'] * 2})
    first, second = doctor.check_pip()
    assert (first.state, first.text) == (finding[0], printed or errors)
    assert first.subject.startswith(finding[1]) and bool(first.remedy) == (first.state == 'wrong')
    assert second[:2] == (state, module)
    assert second.remedy == 'pip uninstall onedl-a a; pip install onedl-a'


@pytest.mark.parametrize(
    ('module', 'error', 'remedy'),
    [
        ('mmseg', ModuleNotFoundError("No module named 'mmseg'"), 'pip install onedl-mmseg'),
        ('mmseg', ModuleNotFoundError("No module named 'ftfy'"), 'pip install --force-reinstall o'),
        ('cv2', ImportError('libGL.so.1: gone'), 'pip uninstall opencv-python; pip install --f'),
        ('cv2', ImportError('numpy.core failed'), 'pip install --force-reinstall opencv-python'),
        ('torchvision', RuntimeError('operator torchvision::nms'), 'install torch and torchvision'),
        ('av', SystemExit(3), 'pip install --force-reinstall av'),
    ],
)
def test_failed_import_ends_with_what_mends_it(monkeypatch, module, error, remedy):
    def load(name):
        if name == module:
            raise error
        return SimpleNamespace(__file__='/a.py')

    monkeypatch.setattr(doctor.importlib, 'import_module', load)
    *before, last = doctor.check_imports()
    assert all(finding.text == 'from /a.py' for finding in before)
    assert last[:3] == ('wrong', f'import {module}', f'{type(error).__name__}: {error}')
    assert last.remedy.startswith(remedy)


@pytest.mark.parametrize(
    ('quota', 'pinned', 'threads', 'usable', 'state'),
    [
        ('max 100000', 8, '', 8, 'ok'),
        ('250000 100000', 8, '', 2, 'note'),
        ('50000 100000', 8, '1', 1, 'ok'),
        ('max 100000', 3, '', 3, 'note'),
        (None, 8, '9', 8, 'note'),
    ],
)
def test_more_threads_than_cores_are_a_note(
    tmp_path, monkeypatch, quota, pinned, threads, usable, state
):
    if quota:
        (tmp_path / 'cpu.max').write_text(f'{quota}\n')
    monkeypatch.setattr(cores.usable_cores, '__defaults__', (tmp_path / 'cpu.max',))
    monkeypatch.setattr(os, 'cpu_count', lambda: 8)
    monkeypatch.setattr(os, 'sched_getaffinity', lambda pid: set(range(pinned)), raising=False)
    monkeypatch.setenv('OMP_NUM_THREADS', threads)
    (finding,) = doctor.check_cores()
    assert finding.state == state and finding.text.startswith(f'{usable} usable, ')
    assert not finding.remedy or f'OMP_NUM_THREADS={usable}:' in finding.remedy


@pytest.mark.parametrize(
    ('gpu', 'hidden', 'built_for', 'state', 'text'),
    [
        (False, 'all', '13.0', 'note', 'no NVIDIA GPU here: everything runs on the CPU'),
        (True, '', '13.0', 'note', 'CUDA_VISIBLE_DEVICES hides every GPU: everything runs on'),
        (True, 'all', None, 'wrong', 'there is an NVIDIA GPU, but this torch is built for the CPU'),
        (True, 'all', '13.0', 'wrong', 'torch cannot use it: CUDA 13.0; the driver is too old'),
    ],
)
def test_reason_for_no_cuda_is_given(tmp_path, monkeypatch, gpu, hidden, built_for, state, text):
    def is_available():
        warnings.warn('the driver is too old', stacklevel=1)
        return False

    if gpu:
        (tmp_path / 'nvidia0').touch()
    monkeypatch.setattr(doctor, 'DEVICES', f'{tmp_path}/nvidia[0-9]*')
    monkeypatch.setattr(torch.cuda, 'is_available', is_available)
    monkeypatch.setattr(torch.version, 'cuda', built_for)
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', hidden)
    (finding,) = doctor.check_cuda()
    assert (finding.state, finding.subject) == (state, 'CUDA') and text in finding.text


@pytest.mark.parametrize('bad', [torch.full((1, 12, 48, 64), torch.nan), torch.ones(1, 12, 24, 32)])
def test_wrong_output_of_the_forward_pass_is_wrong(monkeypatch, bad):
    model = SimpleNamespace(encode_decode=lambda image, metas: bad)
    monkeypatch.setattr('mmdpt.inference.model.init_model', lambda *_, **__: model)
    assert next(doctor.check_forward()).state == 'wrong'


def test_roots_come_with_the_keys_that_name_them():
    nested = [dict(data_root='a', ann_file='val.txt'), dict(dataset=dict(ann_file='b/list.csv'))]
    roots = {'a': 'train.0.data_root', 'b': 'train.1.dataset.ann_file'}
    assert dict(data_roots(nested, 'train')) == roots and list(data_roots(None, 'test')) == []


def test_data_of_a_config_is_looked_for_and_named_with_page_and_override(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path('data/mix6/irs').mkdir(parents=True)
    findings = {finding.subject: finding for finding in check_data('dpt_vit-l16_mix6')}
    assert findings['data/mix6/irs'].state == 'ok' and 'data/camvid' not in findings
    wrong = {name for name, finding in findings.items() if finding.state == 'wrong'}
    assert len(wrong) == 7 and 'data/nyu' in wrong
    nyu = findings['data/nyu']
    assert nyu.text == f'no folder {tmp_path}/data/nyu' and nyu.remedy.startswith(
        'docs/datasets-depth.md describes it; or name another place: '
    )
    options = [text.replace('...', '/there') for text in nyu.remedy.split() if '=...' in text]
    moved = load_config('dpt_vit-l16_mix6', options)
    assert {root for root, _ in data_roots(moved.val_dataloader, '')} == {'/there'}


def test_override_names_the_data_and_the_scenes_can_be_rendered(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path('mine').mkdir()
    Path('data').mkdir()
    Path('data/scenes').touch()  # a file in the place of the folder
    scenes, mine = check_data(NAME, ['train_dataloader.dataset.data_root=mine'])
    assert scenes[:2] == ('wrong', 'data/scenes') and mine[:2] == ('ok', 'mine')
    assert scenes.remedy.startswith('mmdpt dataset-converters/scenes data/scenes renders it')
    assert (shipped('tools') / 'dataset_converters' / 'scenes.py').is_file()
    with pytest.raises(InputError, match='dataroot'):
        list(check_data(NAME, ['train_dataloader.dataset.dataroot=x']))


def test_data_of_all_configs_is_information_and_its_pages_mention_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path('data/camvid').mkdir(parents=True)
    findings = list(check_data(None))
    assert [finding.subject for finding in findings if finding.state == 'ok'] == ['data/camvid']
    for _, subject, _, remedy in filter(lambda finding: finding.state != 'ok', findings):
        page = remedy.partition(' ')[0].replace('mmdpt', 'docs/datasets.md')
        name = Path(subject).parts[1].partition('_')[0]
        assert name in (REPO / page).read_text(encoding='utf-8'), name

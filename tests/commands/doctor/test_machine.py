"""Cores, disk, CUDA and the forward pass."""

import contextlib
import os
import shutil
from collections import namedtuple

import pytest
import torch

from mmdpt.commands.doctor import machine
from mmdpt.commands.doctor.machine import (
    ENOUGH,
    check_cache,
    check_cores,
    check_cuda,
    check_cwd,
    check_disk,
    check_forward,
    driver_version,
    explain_no_cuda,
    has_gpu,
    judge_output,
    usable_cores,
)

Usage = namedtuple('Usage', 'total used free')


@pytest.fixture
def eight_cores(monkeypatch):
    """Eight cores, all of which may be used; the number of threads is not set."""
    monkeypatch.setattr(os, 'cpu_count', lambda: 8)
    monkeypatch.setattr(os, 'sched_getaffinity', lambda pid: set(range(8)), raising=False)
    monkeypatch.delenv('OMP_NUM_THREADS', raising=False)


@pytest.fixture
def quota(tmp_path):
    """A container's file about its processor time."""
    path = tmp_path / 'cpu.max'
    path.write_text('max 100000\n')
    return path


@pytest.fixture
def gpu(tmp_path, monkeypatch):
    """An NVIDIA device with its driver, which no variable hides."""
    device, driver = tmp_path / 'nvidia0', tmp_path / 'version'
    device.write_text('')
    driver.write_text(
        'NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  550.54.15  Release Build\n'
    )
    monkeypatch.setattr(machine, 'DEVICES', f'{tmp_path}/nvidia[0-9]*')
    monkeypatch.setattr(machine, 'DRIVER', driver)
    monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)
    return device


def test_all_cores_usable_is_fine(eight_cores, quota):
    assert check_cores(quota) == ('ok', 'cores', '8 of 8 usable, OMP_NUM_THREADS is not set', '')


def test_quota_below_the_cores_asks_for_fewer_threads(eight_cores, quota):
    quota.write_text('250000 100000\n')
    finding = check_cores(quota)
    assert finding.state == 'note' and finding.text.startswith('2 of 8 usable')
    assert finding.remedy.startswith('export OMP_NUM_THREADS=2')


def test_quota_below_one_core_counts_as_one(eight_cores, quota):
    quota.write_text('50000 100000\n')
    assert usable_cores(quota) == 1


def test_pinned_process_asks_for_fewer_threads(eight_cores, quota, monkeypatch):
    monkeypatch.setattr(os, 'sched_getaffinity', lambda pid: {0, 5, 6})
    assert check_cores(quota).remedy.startswith('export OMP_NUM_THREADS=3')


def test_more_threads_than_cores_are_a_note_and_fewer_are_fine(eight_cores, quota, monkeypatch):
    monkeypatch.setenv('OMP_NUM_THREADS', '9')
    assert check_cores(quota).state == 'note'
    monkeypatch.setenv('OMP_NUM_THREADS', '2')
    assert check_cores(quota).state == 'ok'


def test_machine_without_quotas_has_its_cores(eight_cores, tmp_path):
    assert usable_cores(tmp_path / 'gone') == 8


@pytest.mark.parametrize(('free', 'state'), [(ENOUGH, 'ok'), (ENOUGH - 1, 'note')])
def test_little_disk_is_a_note(tmp_path, monkeypatch, free, state):
    monkeypatch.setattr(shutil, 'disk_usage', lambda path: Usage(10, 10, free))
    finding = check_disk('cache', tmp_path, 'elsewhere')
    assert finding.state == state and finding.text == f'{tmp_path}: 5.0 GiB free'
    assert finding.remedy == ('' if state == 'ok' else 'elsewhere')


def test_folder_that_is_not_there_yet_is_judged_by_the_one_above(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(shutil, 'disk_usage', lambda p: asked.append(p) or Usage(10, 0, ENOUGH))
    assert check_disk('cache', tmp_path / 'a' / 'b', '').state == 'ok'
    assert asked == [tmp_path] and not (tmp_path / 'a').exists()


def test_folder_without_write_permission_is_wrong(tmp_path, monkeypatch):
    monkeypatch.setattr(os, 'access', lambda path, mode: not mode & os.W_OK)
    finding = check_disk('cache', tmp_path / 'a', 'elsewhere')
    assert (finding.state, finding.remedy) == ('wrong', 'elsewhere')
    assert f'{tmp_path} cannot be written to' in finding.text


def test_file_in_the_place_of_the_folder_is_wrong(tmp_path):
    (tmp_path / 'a').write_text('')
    assert check_disk('cache', tmp_path / 'a', '').state == 'wrong'


def test_cache_and_current_folder_are_the_ones_that_are_used(tmp_path, monkeypatch):
    monkeypatch.setenv('MMDPT_HOME', str(tmp_path / 'home'))
    monkeypatch.chdir(tmp_path)
    assert check_cache().text.startswith(f'{tmp_path / "home"}: ')
    assert check_cwd().text.startswith(f'{tmp_path}: ')


@pytest.mark.parametrize(
    ('text', 'version'),
    [
        ('NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19', '535.104.05'),
        ('NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  550.54.15  Rel', '550.54.15'),
        ('NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65  Sat Aug 19', '580.65'),
        ('something else\n', None),
    ],
)
def test_driver_is_read(gpu, text, version):
    machine.DRIVER.write_text(text)
    assert driver_version() == version


def test_machine_without_a_device_has_no_gpu_although_the_driver_shows(gpu):
    assert has_gpu()
    gpu.unlink()
    assert not has_gpu() and driver_version() == '550.54.15'
    finding = explain_no_cuda('13.0', '')
    assert finding.state == 'note' and finding.text.startswith('no NVIDIA GPU here')


@pytest.mark.parametrize('hidden', ['', '-1'])
def test_hidden_gpu_is_a_note_that_names_the_variable(gpu, monkeypatch, hidden):
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', hidden)
    finding = explain_no_cuda('13.0', '')
    assert finding.state == 'note' and finding.text.startswith('CUDA_VISIBLE_DEVICES hides')


def test_gpu_beside_a_torch_for_the_cpu_is_wrong(gpu):
    finding = explain_no_cuda(None, '')
    assert finding.state == 'wrong' and 'built for the CPU alone' in finding.text


def test_gpu_that_torch_cannot_use_is_wrong_with_what_torch_said(gpu):
    finding = explain_no_cuda('13.0', 'The NVIDIA driver is too old')
    assert finding.state == 'wrong'
    assert finding.text.endswith('CUDA 13.0, driver 550.54.15 The NVIDIA driver is too old')
    assert 'update the driver' in finding.remedy


@pytest.mark.parametrize(('bf16', 'state'), [(True, 'ok'), (False, 'note')])
def test_gpu_is_described_and_lacking_bfloat16_is_a_note(gpu, monkeypatch, bf16, state):
    properties = namedtuple('Properties', 'name total_memory')('H', 80 << 30)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 1)
    monkeypatch.setattr(torch.cuda, 'get_device_properties', lambda index: properties)
    monkeypatch.setattr(torch.cuda, 'is_bf16_supported', lambda including_emulation: bf16)
    monkeypatch.setattr(torch.cuda, 'device', contextlib.nullcontext)
    monkeypatch.setattr(torch.version, 'cuda', '13.0')
    (finding,) = check_cuda()
    assert (finding.state, finding.subject) == (state, 'cuda:0')
    assert finding.text.startswith('H, 80 GiB, CUDA 13.0, driver 550.54.15, ')


def test_no_cuda_is_explained(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '-1')
    (finding,) = check_cuda()
    assert finding.state == 'note' and finding.subject == 'CUDA'


def test_forward_pass_gives_a_finite_map_for_each_class():
    finding = next(check_forward())
    assert (finding.state, finding.subject) == ('ok', 'forward pass, cpu')
    assert finding.text.endswith('(1, 12, 48, 64)')


@pytest.mark.parametrize(
    ('shape', 'finite'),
    [((1, 12, 48, 64), False), ((1, 12, 24, 32), True), ((2, 12, 48, 64), True)],
)
def test_wrong_output_of_the_forward_pass_is_wrong(shape, finite):
    assert judge_output('cpu', (1, 12, 48, 64), True).state == 'ok'
    assert judge_output('cpu', shape, finite).state == 'wrong'

"""Find what is wrong with an installation, and say what to do about it.

Each check imports what it needs itself, so that a broken package does not keep the doctor from
starting. pip's ``pip check`` and MMEngine's ``collect_env`` add what is not checked here.
"""

import importlib
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, NamedTuple

import mmdpt
from mmdpt.errors import InputError
from mmdpt.files.shipped import shipped

PACKAGES = {'torch': 'torch', 'torchvision': 'torchvision', 'cv2': 'opencv-python', 'av': 'av'}
PACKAGES |= {name: f'onedl-{name}' for name in ('mmengine', 'mmcv', 'mmseg', 'mmpretrain')}
PACKAGES['mmseg'] = 'onedl-mmsegmentation'
"""Modules that mmdpt imports, each after those that it needs, and what to install for them."""
GET_STARTED = 'https://pytorch.org/get-started'
PAIRS = f'{GET_STARTED}/previous-versions'
DEVICES = '/dev/nvidia[0-9]*'
PAGES = {
    'docs/datasets-depth.md': ('kitti', 'mix6', 'nyu', 'tum'),
    'docs/zero-shot.md': ('diw', 'eth3d', 'sintel'),
    'configs/dpt/README.md': ('indoor_rgbd',),
}
"""Pages that describe folders below data/; docs/datasets.md describes the others."""


class Finding(NamedTuple):
    """What was found about a subject, and what to do; a 'note' stops nothing, 'wrong' must go."""

    state: Literal['ok', 'note', 'wrong']
    subject: str
    text: str
    remedy: str = ''

    def __str__(self) -> str:
        text = f'{self.text} -> {self.remedy}' if self.remedy else self.text
        return f'{self.state:5}  {self.subject:28}  {" ".join(text.split())}'


def examine(config: str | None = None, options: Sequence[str] = ()) -> Iterator[Finding]:
    """Look at the installation and the machine, and for the data of a config, or of all configs.

    The config is a path or a name, and the options override it, 'key=value'.
    """
    for check in (check_versions, check_pip, check_cores):
        yield from _run(check.__name__, check)
    for finding in _run('imports', check_imports):
        yield finding
        if finding.state == 'wrong':
            text = 'CUDA, the forward pass and the data were not looked at'
            yield Finding('note', 'the rest', text, f'mend {finding.subject} first')
            return
    for check in (check_cuda, check_environment, check_forward):
        yield from _run(check.__name__, check)
    yield from _run(config or 'data', lambda: check_data(config, options))


def _run(subject: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """Run a check; an error in it becomes a finding."""
    try:
        yield from check()
    except Exception as error:
        kind = '' if isinstance(error, InputError) else f'{type(error).__name__}: '
        yield Finding('wrong', subject, f'{kind}{error}')


def check_versions() -> Iterator[Finding]:
    """Compare the installed versions with what mmdpt declares and with what it is tested with."""
    from packaging.requirements import Requirement
    from packaging.version import Version

    if not installed('mmdpt'):
        yield Finding('wrong', 'mmdpt', 'is not installed', 'pip install -e . in its folder')
        return
    yield Finding('ok', 'mmdpt', f'{mmdpt.__version__} in {Path(mmdpt.__file__).parent}')
    constraints = shipped('requirements') / 'constraints.txt'  # in a checkout
    lines = constraints.read_text().splitlines() if constraints.is_file() else []
    tested = dict(line.partition(' ;')[0].split('==') for line in lines if '==' in line)
    declared = [line for line in metadata.requires('mmdpt') or [] if 'extra ==' not in line]
    for needed in map(Requirement, declared):
        name, install = needed.name, f"pip install '{needed}'"
        version, pin, upstream = installed(name), tested.get(name), name.removeprefix('onedl-')
        if not version and installed(upstream):
            text = f'{upstream} {installed(upstream)} stands in for it, which is not tested'
            yield Finding('note', name, text, f'if it gives trouble: {install}')
        elif not version:
            yield Finding('wrong', name, 'is not installed', install)
        elif not needed.specifier.contains(version, prereleases=True):
            yield Finding('wrong', name, f'{version}, but mmdpt needs {needed.specifier}', install)
        elif pin and Version(version).public != pin:
            yield Finding('note', name, f'{version}; mmdpt is tested with {pin}')
        else:
            yield Finding('ok', name, version + (', as tested' if pin else ''))


def installed(name: str) -> str:
    """Give the version of an installed package, '' if it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ''


def check_pip() -> Iterator[Finding]:
    """Let pip compare the installed packages; find those that wrote the same module."""
    done = subprocess.run([sys.executable, '-m', 'pip', 'check'], capture_output=True, text=True)
    for line in done.stdout.splitlines() or done.stderr.splitlines()[-1:]:
        if line.startswith('torchvision ') and ' torch' in line:  # each needs one torch
            yield Finding('wrong', 'torch, torchvision', line, f'install a pair of {PAIRS}')
        else:
            yield Finding('note' if done.returncode else 'ok', 'pip check', line)
    owners = metadata.packages_distributions()
    for module in PACKAGES:
        if len(names := sorted(set(owners.get(module, [])), reverse=True)) > 1:
            text = f'{" and ".join(names)} have overwritten each other'
            remedy = f'pip uninstall {" ".join(names)}; pip install {names[0]}'
            yield Finding('note' if module == 'cv2' else 'wrong', module, text, remedy)


def check_cores() -> Iterator[Finding]:
    """Compare the threads that torch starts with the cores that it may use."""
    from mmdpt.scenes.cores import usable_cores

    cores, threads = usable_cores(), os.environ.get('OMP_NUM_THREADS') or os.cpu_count() or 1
    text = f'{cores} usable, torch starts {threads} threads'
    remedy = f'export OMP_NUM_THREADS={cores}: more are slower' if int(threads) > cores else ''
    yield Finding('note' if remedy else 'ok', 'cores', text, remedy)


def check_imports() -> Iterator[Finding]:
    """Import modules up to the first that fails, since others would fail with it."""
    for module, package in PACKAGES.items():
        try:
            file = importlib.import_module(module).__file__
        except BaseException as error:  # SystemExit too
            text = f'{type(error).__name__}: {error}'
            remedy = f'pip install --force-reinstall {package}'
            if f"No module named '{module}'" in text:
                remedy = f'pip install {package}'
            elif module == 'cv2' and '.so' in text:
                remedy = 'pip uninstall opencv-python; pip install --force-reinstall --no-deps '
                remedy += 'opencv-python-headless (or as root: apt install libgl1 libglib2.0-0)'
            elif module == 'torchvision':
                remedy = 'install torch and torchvision together, so that they match'
            yield Finding('wrong', f'import {module}', text, remedy)
            return
        yield Finding('ok', f'import {module}', f'from {file}')


def check_cuda() -> Iterator[Finding]:
    """Say why torch sees no GPU; MMEngine's environment names those that it sees."""
    import torch

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        available = torch.cuda.is_available()
    built_for, hidden = torch.version.cuda, os.environ.get('CUDA_VISIBLE_DEVICES') in ('', '-1')
    if available:
        yield Finding('ok', 'CUDA', f'{built_for}, {torch.cuda.device_count()} GPU')
    elif hidden or not any(Path('/').glob(DEVICES.lstrip('/'))):
        why = 'CUDA_VISIBLE_DEVICES hides every GPU' if hidden else 'no NVIDIA GPU here'
        yield Finding('note', 'CUDA', f'{why}: everything runs on the CPU')
    elif built_for is None:
        text = 'there is an NVIDIA GPU, but this torch is built for the CPU alone'
        yield Finding('wrong', 'CUDA', text, f'install a torch built for CUDA: {GET_STARTED}')
    else:
        said = '; '.join([f'CUDA {built_for}', *(str(warning.message) for warning in caught)])
        text = f'there is an NVIDIA GPU, but torch cannot use it: {said}'
        remedy = f'update the driver, or install a torch built for an older CUDA: {GET_STARTED}'
        yield Finding('wrong', 'CUDA', text, remedy)


def check_environment() -> Iterator[Finding]:
    """Give what MMEngine says of GPUs, compilers and libraries."""
    from mmengine.utils.dl_utils import collect_env

    told = [f'{key} {value}' for key, value in collect_env().items() if len(str(value)) < 200]
    yield Finding('ok', 'environment', ', '.join(told))


def check_forward() -> Iterator[Finding]:
    """Run a tiny DPT of random weights on the CPU and, if there is one, on the GPU."""
    import torch

    from mmdpt.inference.model import init_model

    for device in ['cpu', 'cuda'] if torch.cuda.is_available() else ['cpu']:
        model: Any = init_model('dpt_vit-ti16_scenes', device=device)
        with torch.no_grad():
            image = torch.linspace(-1, 1, 3 * 48 * 64, device=device).view(1, 3, 48, 64)
            logits = model.encode_decode(image, [dict(img_shape=(48, 64))])
        good = logits.isfinite().all() and logits.shape[2:] == image.shape[2:]
        text = f'logits {tuple(logits.shape)} from {logits.min():.3g} to {logits.max():.3g}'
        remedy = '' if good else 'run the tests (make test); if they pass, install what is tested'
        yield Finding('ok' if good else 'wrong', f'forward pass, {device}', text, remedy)


def check_data(config: str | None, options: Sequence[str] = ()) -> Iterator[Finding]:
    """Look for the data of a config, which cannot run without, or of all: nobody needs all."""
    from mmdpt.config import check_config, load_config
    from mmdpt.config.config_files import own_configs

    if config:
        check_config(load_config(config, options))
    ours = [*own_configs(), *map(str, shipped('configs').glob('_base_/zero_shot/*.py'))]
    roots: dict[str, list[str]] = {}
    for name in [config] if config else ours:
        cfg = load_config(name, options)
        for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
            for root, key in data_roots(cfg.get(loader), loader):
                roots.setdefault(root, []).append(key)
    for root, keys in sorted(roots.items()):
        if Path(root).is_dir():
            reader = f'; mmdpt check-dataset {config} reads it' if config else ''
            yield Finding('ok', root, f'is there{reader}')
            continue
        parts = set(Path(root).parts)
        page = next((page for page in PAGES if parts.intersection(PAGES[page])), 'docs/datasets.md')
        remedy = f'{page} describes it'
        if 'scenes' in parts:
            remedy = 'mmdpt dataset-converters/scenes data/scenes renders it'
        if config:
            remedy += '; or name another place: --cfg-options ' + '=... '.join([*keys, ''])
        yield Finding(
            'wrong' if config else 'note', root, f'no folder {Path(root).absolute()}', remedy
        )


def data_roots(node: Any, key: str) -> Iterator[tuple[str, str]]:
    """Give the folders of a loader's data sets, or of their list files, and the keys for them."""
    if isinstance(node, dict):
        root, listed = node.get('data_root'), node.get('ann_file')
        if root:
            yield root, f'{key}.data_root'
        elif listed:
            yield str(Path(listed).parent), f'{key}.ann_file'
        for name, value in node.items():
            yield from data_roots(value, f'{key}.{name}')
    elif isinstance(node, (list, tuple)):
        for index, value in enumerate(node):
            yield from data_roots(value, f'{key}.{index}')

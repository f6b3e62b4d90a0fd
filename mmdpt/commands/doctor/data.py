"""The folders of data that configs expect."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .findings import Finding

if TYPE_CHECKING:
    from mmengine.config import Config

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
IMAGES, DEPTH, ZERO_SHOT = 'docs/datasets.md', 'docs/datasets-depth.md', 'docs/zero-shot.md'
CONFIGS = 'configs/dpt/README.md'
PAGES = {
    'ade': IMAGES,
    'camvid': IMAGES,
    'cityscapes': IMAGES,
    'mine': IMAGES,
    'indoor_rgbd': CONFIGS,
    'scenes': IMAGES,
    'VOCdevkit': IMAGES,
    'kitti': DEPTH,
    'mix6': DEPTH,
    'nyu': DEPTH,
    'tum': DEPTH,
    'diw': ZERO_SHOT,
    'eth3d': ZERO_SHOT,
    'sintel': ZERO_SHOT,
}
"""Which page of mmdpt describes a folder below data/."""
COMMANDS = {'scenes': 'mmdpt dataset-converters/scenes data/scenes'}
"""What makes the data without a download."""


def data_roots(cfg: 'Config') -> dict[str, list[str]]:
    """Give the folders of a config's data sets, and the keys that name each."""
    roots: dict[str, list[str]] = {}
    for loader in LOADERS:
        for root, key in _roots_in(cfg.get(loader), loader):
            roots.setdefault(root, []).append(key)
    return roots


def _roots_in(node: Any, key: str) -> Iterator[tuple[str, str]]:
    """Walk a loader's data sets, those inside of others too.

    A data set without data_root may read a list file: the list's folder is its root.
    """
    if isinstance(node, dict):
        root, listed = node.get('data_root'), node.get('ann_file')
        if isinstance(root, str) and root:
            yield root, f'{key}.data_root'
        elif isinstance(listed, str) and listed:
            yield str(Path(listed).parent), f'{key}.ann_file'
        for name, value in node.items():
            yield from _roots_in(value, f'{key}.{name}')
    elif isinstance(node, (list, tuple)):
        for index, value in enumerate(node):
            yield from _roots_in(value, f'{key}.{index}')


def check_config_data(config: str, options: Sequence[str] = ()) -> Iterator[Finding]:
    """Look for the data of one config, without which it cannot run.

    Args:
        config: Path of a config, or the name of one of mmdpt.
        options: Overrides, 'key=value'.

    Raises:
        InputError: If the config cannot be read.
    """
    from mmdpt.config import check_config, load_config

    cfg = load_config(config, options)
    check_config(cfg)
    for root, keys in data_roots(cfg).items():
        splits = ', '.join(dict.fromkeys(key.partition('_')[0] for key in keys))
        if Path(root).is_dir():
            text = f'is there, for {splits} of {config}; mmdpt check-dataset {config} reads it'
            yield Finding('ok', root, text)
        else:
            text = f'no folder {Path(root).absolute()}, for {splits} of {config}'
            elsewhere = ' '.join(f'{key}=...' for key in keys)
            remedy = f'{where_from(root)}; or name another place: --cfg-options {elsewhere}'
            yield Finding('wrong', root, text, remedy)


def check_all_data() -> Iterator[Finding]:
    """Look for the data of all of mmdpt's configs; nobody needs all of it."""
    from mmdpt.config import load_config
    from mmdpt.files.shipped import shipped

    configs = shipped('configs')
    readers: dict[str, int] = {}
    for path in [*configs.glob('[!_]*/*.py'), *configs.glob('_base_/zero_shot/*.py')]:
        for root in data_roots(load_config(str(path))):
            readers[root] = readers.get(root, 0) + 1
    for root, number in sorted(readers.items()):
        read_by = f'for {number} config{"s" if number > 1 else ""}'
        if Path(root).is_dir():
            yield Finding('ok', root, f'is there, {read_by}')
        else:
            yield Finding('note', root, f'is not there, {read_by}', where_from(root))


def where_from(root: str) -> str:
    """Say how to get the data of a folder."""
    parts = Path(root).parts
    name = parts[1] if parts[:1] == ('data',) and len(parts) > 1 else ''
    page = f'{PAGES[name]} describes it' if name in PAGES else f'{IMAGES} says what goes into it'
    return f'{COMMANDS[name]} renders it' if name in COMMANDS else page

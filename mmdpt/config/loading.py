"""Find, read and override a config."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config, DictAction
from mmengine.config.utils import MODULE2PACKAGE

from mmdpt.errors import InputError
from mmdpt.files.shipped import shipped

from .names import nearest_names

MODULE2PACKAGE.setdefault('mmdpt', 'mmdpt')  # so that _base_ = ['mmdpt::dpt/NAME.py'] resolves


def load_config(name_or_path: str, options: Sequence[str] = ()) -> Config:
    """Read a config.

    Args:
        name_or_path: Path of a config file, or the name of one that travels with mmdpt, such as
            'dpt_vit-l16_ade20k'.
        options: Overrides as the command line gives them, 'a.b=value'.

    Raises:
        InputError: If there is no such config or it cannot be read.
    """
    path = find_config(name_or_path)
    try:
        cfg = Config.fromfile(str(path))
        cfg.merge_from_dict(parse_options(options))
    except (KeyError, TypeError, SyntaxError, FileNotFoundError) as error:
        raise InputError(f'cannot read config {path}: {error}') from error
    return cfg


def find_config(name_or_path: str) -> Path:
    """Give the path of a config file; a name is looked up among mmdpt's own configs."""
    path = Path(name_or_path)
    if path.is_file():
        return path
    if path.suffix or path.parent != Path('.'):
        raise InputError(f'no config file {path}')
    own = own_configs()
    if name_or_path not in own:
        raise InputError(
            f'no config file and no config of mmdpt named {name_or_path}; '
            f'the nearest names: {", ".join(nearest_names(name_or_path, own) or own)}'
        )
    return own[name_or_path]


def own_configs() -> dict[str, Path]:
    """Give the configs that travel with mmdpt by name."""
    return {path.stem: path for path in sorted(configs_root().glob('[!_]*/*.py'))}


def configs_root() -> Path:
    """Give the folder of mmdpt's configs: in the wheel, or in the checkout."""
    return shipped('configs')


def parse_options(options: Sequence[str]) -> dict:
    """Parse 'key=value' overrides by MMEngine's rules.

    Raises:
        InputError: If one is not of that form.
    """
    for option in options:
        if '=' not in option:
            raise InputError(f'--cfg-options takes key=value, got {option!r}')
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    return parser.parse_args(['--cfg-options', *options] if options else []).cfg_options

"""Find, read and override a config."""

import ast
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from mmengine.config import Config, DictAction
from mmengine.config.utils import MODULE2PACKAGE

from mmdpt.errors import InputError
from mmdpt.files.paths import check_file
from mmdpt.files.shipped import shipped

from .names import nearest_names

MODULE2PACKAGE.setdefault('mmdpt', 'mmdpt')  # so that _base_ = ['mmdpt::dpt/NAME.py'] resolves


def load_config(name_or_path: str, options: Sequence[str] = ()) -> Config:
    """Read a config.

    Args:
        name_or_path: Path of a config file, or the name of one of mmdpt's, such as
            'dpt_vit-l16_ade20k'.
        options: Overrides as on the command line, 'a.b=value'.

    Raises:
        InputError: If there is no such config or it cannot be read.
    """
    path = find_config(name_or_path)
    parsed = parse_options(options)
    try:
        cfg = Config.fromfile(str(path))
        cfg.merge_from_dict(parsed)
    except Exception as error:  # a config is Python
        kind = '' if isinstance(error, OSError) else f'{type(error).__name__}: '
        raise InputError(f'cannot read config {path}: {kind}{error}') from error
    return cfg


def find_config(name_or_path: str) -> Path:
    """Give the path of a config file, or of mmdpt's own config with that name."""
    path = Path(name_or_path)
    if path.is_file():
        return path
    if path.suffix or path.parent != Path('.'):
        return check_file(path, 'config')
    own = own_configs()
    if name_or_path not in own:
        raise InputError(
            f'no config file and no config of mmdpt named {name_or_path}; '
            f'the nearest names: {", ".join(nearest_names(name_or_path, own) or own)}'
        )
    return own[name_or_path]


def own_configs() -> dict[str, Path]:
    """Give the paths of mmdpt's own configs by name."""
    return {path.stem: path for path in sorted(shipped('configs').glob('[!_]*/*.py'))}


def parse_options(options: Sequence[str]) -> dict:
    """Parse 'key=value' overrides.

    A value is a number, true, false, None, a list such as '[1, 2]', '1,2' or '[mIoU, mDice]', a
    tuple in round brackets, or else the text as typed, with its spaces and commas.

    Raises:
        InputError: If one is not of that form.
    """
    parsed = {}
    for option in options:
        key, separator, value = option.partition('=')
        if not separator or not key:
            raise InputError(f'--cfg-options takes key=value, got {option!r}')
        parsed[key] = _parse_value(value)
    return parsed


def _parse_value(text: str) -> Any:
    quoted = len(text) > 1 and text[0] == text[-1] in ('"', "'") and text.count(text[0]) == 2
    bare = text[1:-1] if quoted else text
    value = DictAction._parse_int_float_bool(bare)
    if value != bare:
        return value
    if ',' in bare or bare.startswith(('[', '(', '{')):
        with suppress(ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            value = ast.literal_eval(bare)
            return list(value) if isinstance(value, tuple) and bare[0] != '(' else value
    if bare[:1] + bare[-1:] not in ('[]', '()'):
        return bare
    words = [_parse_value(word.strip()) for word in _split(bare[1:-1])]
    return tuple(words) if bare[0] == '(' else words


def _split(text: str) -> list[str]:
    """Split at the commas outside of brackets."""
    words, depth = [''], 0
    for letter in text:
        depth += (letter in '[(') - (letter in '])')
        if letter == ',' and not depth:
            words.append('')
        else:
            words[-1] += letter
    return words

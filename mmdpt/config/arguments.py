"""What the class of a component takes, by the signatures along its bases."""

import ast
import inspect
import textwrap
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from .names import near

GIVEN = {
    *('runner', 'dataloader', 'evaluator', 'dataset', 'sampler', 'batch_size'),
    *('optimizer', 'params', 'model', 'module', 'seed', 'save_dir', 'metrics'),
}
"""What MMEngine hands to a class when it builds it."""
FOLDERS = ('img_path', 'seg_map_path', 'depth_map_path')
"""What a data set has a ``data_prefix`` of, beside what its own default names."""
METAINFO = {'classes', 'palette'}
"""What a data set's ``metainfo`` is looked at for; it may hold anything else."""


def faults(cls: Any, settings: Mapping, path: str, also: tuple[str, ...] = ()) -> Iterator[str]:
    """Say what is wrong with the arguments of a component.

    Args:
        cls: Its class or function.
        settings: The component's config.
        path: Where it is in the config.
        also: Further keys, which whoever builds the component reads.
    """
    if inspect.isclass(cls):
        parameters, own, taken = _parameters(cls)
    else:
        found = inspect.signature(cls).parameters.values()
        parameters, own, taken = {p.name: p for p in found}, [], set()
    any_name = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    names = {p.name for p in parameters.values() if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
    for key, value in settings.items():
        if key in ('type', '_scope_', *also):
            continue
        if key in taken:
            yield f'{path}.{key}: {cls.__name__} sets {key!r} itself; leave it out'
        elif key not in names and not any_name:
            takes = sorted(names - taken)
            hint = near(key, takes) or (
                f'; it takes {takes}. If it comes from _base_, {path}=dict(_delete_=True, ...) '
                'leaves out all that _base_ says'
            )
            yield f'{path}.{key}: {cls.__name__} takes no argument {key!r}{hint}'
        elif key == 'data_prefix' and isinstance(value, Mapping):
            known = {*FOLDERS, *(parameters[key].default or ())}
            for name in value.keys() - known:
                yield f'{path}.{key}.{name}: unknown{near(name, known)}'
        elif key == 'metainfo' and isinstance(value, Mapping):
            for name in value.keys() - METAINFO:
                if hint := near(name, METAINFO, cutoff=0.8):
                    yield f'{path}.{key}.{name}: unknown{hint}'
        elif isinstance(value, (str, int, float)) and key in names:
            annotation = parameters[key].annotation
            if isinstance(value, str) and _is_any_of(annotation, (int, float)):
                yield f'{path}.{key} must be a number, got {value!r}'
            elif not isinstance(value, bool) and _is_any_of(annotation, (dict,)):
                yield f'{path}.{key} must be a dict, got {value!r}'
    for parameter in own:
        required = parameter.default is parameter.empty and parameter.name in names
        if required and parameter.name not in settings and parameter.name not in GIVEN:
            yield f'{path}: {cls.__name__} needs {parameter.name!r}'


def _parameters(cls: type) -> tuple[dict[str, inspect.Parameter], list, set[str]]:
    """Collect parameters along ``**kwargs`` to the bases.

    Returns:
        All by name, with a ``**kwargs`` only if it takes any name; those of the class itself; and
        the names that are no arguments, since a class on the way sets them.
    """
    parameters: dict[str, inspect.Parameter] = {}
    own: list[inspect.Parameter] = []
    taken: set[str] = set()
    rest: inspect.Parameter | None = None
    for base in cls.__mro__:
        if '__init__' not in vars(base) or base is object:
            continue
        init = vars(base)['__init__']
        found = list(inspect.signature(init).parameters.values())[1:]
        own = own or found
        rest = next((p for p in found if p.kind is p.VAR_KEYWORD), None)
        for parameter in found:
            if parameter is not rest:
                parameters.setdefault(parameter.name, parameter)
        if rest is None:
            break
        taken |= _set_names(init) - parameters.keys()
    if rest is not None:
        parameters[rest.name] = rest
    return parameters, own, taken


def _set_names(init: Any) -> set[str]:
    """Give the names that an ``__init__`` passes on: ``super().__init__(name=...)``, ``update``."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(init)))
    except (OSError, TypeError, SyntaxError):  # no source
        return set()
    return {
        keyword.arg
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)
        if ast.unparse(call.func) in ('super().__init__', 'kwargs.update')
        for keyword in call.keywords
        if keyword.arg is not None
    }


def _is_any_of(annotation: Any, kinds: tuple[type, ...]) -> bool:
    """Tell whether a parameter takes some of these types, and no text or just anything."""
    parts = {annotation}
    if isinstance(annotation, str):
        parts = {part.strip() for part in annotation.split('|')}
    elif typing.get_origin(annotation) in (typing.Union, types.UnionType):
        parts = set(typing.get_args(annotation))
    names = {part if isinstance(part, str) else getattr(part, '__name__', '') for part in parts}
    return bool(names & {kind.__name__ for kind in kinds}) and not names & {'str', 'Any'}

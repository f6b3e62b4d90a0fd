"""Find config keys that no component takes, before anything is built."""

import difflib
import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.registry import Registry

from mmdpt.errors import InputError
from mmdpt.registry import DATASETS, HOOKS, MODELS, TRANSFORMS

from .classes import check_classes

BUILT_ELSEWHERE = ('_cfg', 'sampler')
"""Endings of keys that other registries build: mmcv's layers, mmseg's pixel samplers."""

Component = tuple[str, Mapping, Registry]


def check_config(cfg: Mapping) -> None:
    """Check the components of model, ``predict_pipeline``, data loaders' data sets and hooks.

    Raises:
        InputError: If a component is unknown or does not take a key; names the key, the component
            and its nearest argument.
    """
    for path, component, registry in _components(cfg):
        _check_component(path, component, registry)
    check_classes(cfg)


def _components(cfg: Mapping) -> Iterator[Component]:
    yield from _typed('model', cfg.get('model'), MODELS)
    yield from _typed('predict_pipeline', cfg.get('predict_pipeline'), TRANSFORMS)
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        dataset = (cfg.get(loader) or {}).get('dataset')
        if dataset is not None:
            yield from _datasets(f'{loader}.dataset', dataset)
    for hooks in ('default_hooks', 'custom_hooks'):
        yield from _typed(hooks, cfg.get(hooks), HOOKS)


def _datasets(path: str, dataset: Mapping) -> Iterator[Component]:
    """Walk a data set, its pipeline and the data sets that it wraps or joins."""
    yield path, dataset, DATASETS
    yield from _typed(f'{path}.pipeline', dataset.get('pipeline'), TRANSFORMS)
    if isinstance(dataset.get('dataset'), Mapping):
        yield from _datasets(f'{path}.dataset', dataset['dataset'])
    for index, child in enumerate(dataset.get('datasets', ())):
        yield from _datasets(f'{path}.datasets[{index}]', child)


def _typed(path: str, value: Any, registry: Registry) -> Iterator[Component]:
    """Walk dicts and lists for component configs, dicts that name a type."""
    if isinstance(value, Mapping):
        if isinstance(value.get('type'), str):
            yield path, value, registry
        for key, child in value.items():
            if not str(key).endswith(BUILT_ELSEWHERE):
                yield from _typed(f'{path}.{key}', child, registry)
    elif isinstance(value, (list, tuple)):
        for index, child in enumerate(value):
            yield from _typed(f'{path}[{index}]', child, registry)


def _check_component(path: str, component: Mapping, registry: Registry) -> None:
    name = component.get('type')
    if not isinstance(name, str):  # a class: Python checks it
        return
    cls = registry.get(name)
    if cls is None:
        hint = _nearest(name, _registered_names(registry))
        raise InputError(f'{path}.type: there is no {registry.name} {name!r}{hint}')
    accepted = _accepted_arguments(cls)
    for key in component:
        if accepted is not None and key not in accepted and key not in ('type', '_scope_'):
            raise InputError(
                f'{path}.{key}: {cls.__name__} takes no argument {key!r}'
                f'{_nearest(key, accepted) or f"; it takes {sorted(accepted)}"}. If it comes from '
                f'_base_, {path}=dict(_delete_=True, ...) leaves out all that _base_ says'
            )


def _accepted_arguments(cls: type) -> set[str] | None:
    """Collect argument names along ``**kwargs`` to the bases; None if any name is accepted."""
    if not inspect.isclass(cls):
        return None
    accepted: set[str] = set()
    passes_on = False
    for base in cls.__mro__:
        if '__init__' not in vars(base) or base is object:
            continue
        parameters = list(inspect.signature(vars(base)['__init__']).parameters.values())[1:]
        accepted |= {
            p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
        }
        passes_on = any(p.kind is p.VAR_KEYWORD for p in parameters)
        if not passes_on:
            break
    return None if passes_on else accepted


def _registered_names(registry: Registry | None) -> set[str]:
    names: set[str] = set()
    while registry is not None:
        names |= set(registry.module_dict)
        registry = registry.parent
    return names


def _nearest(name: str, candidates: set[str]) -> str:
    close = difflib.get_close_matches(name, sorted(candidates), n=1)
    return f"; did you mean '{close[0]}'?" if close else ''

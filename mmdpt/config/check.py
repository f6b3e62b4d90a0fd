"""Find keys that nothing reads, and values that do not fit, before anything is built."""

import importlib
import inspect
from collections.abc import Iterator, Mapping
from logging import WARNING
from types import NoneType
from typing import Any, NamedTuple

import torch
from mmengine.logging import print_log
from mmengine.optim import DefaultOptimWrapperConstructor
from mmengine.registry import FUNCTIONS, Registry
from mmengine.runner import Runner, set_random_seed
from torch.utils.data import DataLoader

from mmdpt import registry as ours
from mmdpt.errors import InputError

from .arguments import faults
from .names import near
from .parts import nested_datasets, parts_of
from .values import idle_end, misfits

BUILT_ELSEWHERE = ('_cfg', 'sampler')
"""Endings of keys that other registries build: mmcv's layers, mmseg's pixel samplers."""
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
DICTS = (
    *(*LOADERS, 'model', 'optim_wrapper', 'train_cfg', 'val_cfg', 'test_cfg', 'default_hooks'),
    *('env_cfg', 'randomness', 'log_processor', 'visualizer', 'model_wrapper_cfg'),
)
"""Keys of a config that are dicts, or None."""
MOVED = dict(seed='randomness.seed', resume_from='load_from')
"""Keys of OpenMMLab's configs before MMEngine, which are not like today's."""
OF_LOADERS = (
    *('dataset', 'sampler', 'batch_sampler', 'collate_fn', 'worker_init_fn'),
    *('num_batch_per_epoch', 'disable_subprocess_warning'),
)
ALSO_READ = {
    *('runner_type', 'custom_imports', 'predict_pipeline', 'tta_pipeline', 'tta_model'),
    *('model_wrapper_cfg', 'find_unused_parameters', 'sync_bn', 'activation_checkpointing'),
    *('efficient_conv_bn_eval', 'compile', 'vis_backends', 'work_dir'),
}
"""Keys of a config beside the arguments of MMEngine's runner."""
TEST_CFG = (
    *('mode', 'crop_size', 'stride', 'flip', 'keep_logits'),
    *('resize_mode', 'resize_align_corners'),
)
PLAIN = {
    'env_cfg': ('cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit'),
    'env_cfg.mp_cfg': ('mp_start_method', 'opencv_num_threads'),
    'env_cfg.dist_cfg': (
        *('init_backend', *inspect.signature(torch.distributed.init_process_group).parameters),
    ),
    'randomness': tuple(inspect.signature(set_random_seed).parameters),
    'auto_scale_lr': ('enable', 'base_batch_size'),
    'custom_imports': ('imports', 'allow_failed_imports'),
    'optim_wrapper.clip_grad': (
        *('type', 'max_norm', 'norm_type', 'error_if_nonfinite', 'foreach', 'clip_value'),
    ),
}
"""Keys of dicts that are no components."""
OF_LAYER = ('lr_mult', 'decay_mult')
"""Keys of ``custom_keys.NAME``."""
PARAMWISE = (
    *('custom_keys', 'bias_lr_mult', 'bias_decay_mult', 'norm_decay_mult', 'dwconv_decay_mult'),
    *('flat_decay_mult', 'dcn_offset_lr_mult', 'bypass_duplicate'),
)


class Component(NamedTuple):
    """A part of a config that is built.

    Attributes:
        path: Its keys.
        settings: The part.
        registry: What its type is a name in.
        default: Its type where it names none; None: it must name one.
        also: Keys that are no arguments of its class, but read.
    """

    path: str
    settings: Mapping
    registry: Registry
    default: Any = None
    also: tuple[str, ...] = ()


def check_config(cfg: Mapping) -> None:
    """Check that something takes every key of a config, and that values fit one another.

    The names of components are looked up in ``default_scope`` of the config, as MMEngine does.

    Raises:
        InputError: If a component is unknown, nothing takes a key, an argument is missing or a
            value does not fit; names each such key and the nearest one.
    """
    importlib.import_module('mmdpt._openmmlab')  # before the hosts' own imports, which chat
    scope = cfg.get('default_scope') or 'mmdpt'
    wrong = [key for key in DICTS if not isinstance(cfg.get(key), (Mapping, NoneType))]
    if wrong:
        raise InputError('\n'.join(f'{key} must be a dict, got {cfg[key]!r}' for key in wrong))
    lines = [*_top_level(cfg)]
    for path, known in PLAIN.items():
        lines += _unknown_keys(path, _at(cfg, path), known)
    wrapper = cfg.get('optim_wrapper') or {}
    constructor = wrapper.get('constructor', DefaultOptimWrapperConstructor.__name__)
    if constructor == DefaultOptimWrapperConstructor.__name__:
        path, paramwise = 'optim_wrapper.paramwise_cfg', wrapper.get('paramwise_cfg') or {}
        lines += _unknown_keys(path, paramwise, PARAMWISE)
        for name, settings in (paramwise.get('custom_keys') or {}).items():
            if not isinstance(settings, Mapping):
                lines.append(f'{path}.custom_keys.{name} must be a dict, got {settings!r}')
            lines += _unknown_keys(f'{path}.custom_keys.{name}', settings, OF_LAYER)
    for component in _components(cfg):
        lines += _component_faults(component, scope)
    if not lines:
        lines += misfits(cfg)
    if lines:
        raise InputError('\n'.join(dict.fromkeys(lines)))
    if line := idle_end(cfg):
        print_log(line, 'current', WARNING)


def _top_level(cfg: Mapping) -> Iterator[str]:
    """Find keys like one that is read; warn of other parts that nothing reads or was made of."""
    read = {*inspect.signature(Runner.__init__).parameters, *ALSO_READ} - {'self', 'cfg'}
    used = {repr(value) for key in read for value in parts_of(cfg.get(key))}
    unread = []
    for key, value in cfg.items():
        if key in read:
            continue
        hint = '' if key.endswith('pipeline') else near(key, read, cutoff=0.8)
        if key in MOVED and _at(cfg, MOVED[key]) != value:
            hint = f"; did you mean '{MOVED[key]}'?"
        parts = {repr(part) for part in parts_of(value) if not isinstance(part, (int, NoneType))}
        if hint:
            yield f'{key}: no part of a config has this name{hint}'
        elif isinstance(value, (Mapping, list)) and not parts & used:
            unread.append(key)
    if unread:
        print_log(
            f'nothing reads these keys of the config: {", ".join(unread)}', 'current', WARNING
        )


def _at(cfg: Mapping, path: str) -> Any:
    first, *others = path.split('.')
    node = cfg.get(first)
    for key in others:
        node = node.get(key) if isinstance(node, Mapping) else None
    return node


def _unknown_keys(path: str, settings: Any, known: tuple[str, ...]) -> Iterator[str]:
    for key in settings if isinstance(settings, Mapping) else ():
        if key not in known:
            yield f'{path}.{key}: unknown{near(key, known) or f"; it may have {sorted(known)}"}'


def _components(cfg: Mapping) -> Iterator[Component]:
    for key in ('model', 'tta_model', 'data_preprocessor'):
        yield from _typed(key, cfg.get(key), ours.MODELS)
    model = cfg.get('model') or {}
    if model.get('pretrained') and 'backbone' in model:  # mmseg's segmentors hand it on
        backbone = {**model['backbone'], 'pretrained': model['pretrained']}
        yield Component('model.backbone', backbone, ours.MODELS)
    for key in ('predict_pipeline', 'tta_pipeline'):
        yield from _typed(key, cfg.get(key), ours.TRANSFORMS)
    for key in LOADERS:
        yield from _loader(key, cfg.get(key))
    yield from _optimizer('optim_wrapper', cfg.get('optim_wrapper'))
    also = ('convert_to_iter_based', 'epoch_length')
    for component in _typed('param_scheduler', cfg.get('param_scheduler'), ours.PARAM_SCHEDULERS):
        yield component._replace(also=also)
    for key in ('default_hooks', 'custom_hooks'):
        for path, hook in _entries(key, cfg.get(key)):
            yield Component(path, hook, ours.HOOKS, also=('priority',))
    for key in ('val_evaluator', 'test_evaluator'):
        evaluator = cfg.get(key)
        if isinstance(evaluator, Mapping) and 'metrics' in evaluator:
            yield Component(key, evaluator, ours.EVALUATOR, 'Evaluator')
            evaluator = evaluator['metrics']
        evaluator = [evaluator] if isinstance(evaluator, Mapping) else evaluator
        for path, metric in _entries(key, evaluator):
            yield Component(path, metric, ours.METRICS)
    if isinstance(cfg.get('visualizer'), Mapping):
        yield Component('visualizer', cfg['visualizer'], ours.VISUALIZERS, 'Visualizer')
        backends = cfg['visualizer'].get('vis_backends')
        yield from _typed('visualizer.vis_backends', backends, ours.VISBACKENDS)
    for key, registry, default in (
        ('val_cfg', ours.LOOPS, 'ValLoop'),
        ('test_cfg', ours.LOOPS, 'TestLoop'),
        ('log_processor', ours.LOG_PROCESSORS, 'LogProcessor'),
        ('model_wrapper_cfg', ours.MODEL_WRAPPERS, 'MMDistributedDataParallel'),
    ):
        if isinstance(cfg.get(key), Mapping):
            yield Component(key, cfg[key], registry, default)
    train = cfg.get('train_cfg')
    if isinstance(train, Mapping):
        default = 'EpochBasedTrainLoop' if train.get('by_epoch') else 'IterBasedTrainLoop'
        yield Component('train_cfg', train, ours.LOOPS, default, ('by_epoch',))


def _loader(path: str, loader: Any) -> Iterator[Component]:
    if not isinstance(loader, Mapping):
        return
    yield Component(path, loader, ours.FUNCTIONS, DataLoader, OF_LOADERS)
    yield from _datasets(f'{path}.dataset', loader.get('dataset'))
    for key in ('sampler', 'batch_sampler'):
        yield from _typed(f'{path}.{key}', loader.get(key), ours.DATA_SAMPLERS)
    for key in ('collate_fn', 'worker_init_fn'):
        yield from _typed(f'{path}.{key}', loader.get(key), FUNCTIONS)


def _optimizer(path: str, wrapper: Any) -> Iterator[Component]:
    if not isinstance(wrapper, Mapping):
        return
    if 'constructor' in wrapper and 'optimizer' not in wrapper:  # builds several
        for key, part in wrapper.items():
            yield from _optimizer(f'{path}.{key}', part)
        return
    also = ('optimizer', 'paramwise_cfg', 'constructor')
    yield Component(path, wrapper, ours.OPTIM_WRAPPERS, 'OptimWrapper', also)
    if isinstance(wrapper.get('optimizer'), Mapping):
        yield Component(f'{path}.optimizer', wrapper['optimizer'], ours.OPTIMIZERS)


def _entries(path: str, parts: Any) -> Iterator[tuple[str, Any]]:
    """Give the dicts of a dict or list of them."""
    if isinstance(parts, Mapping):
        pairs = [(f'{path}.{key}', part) for key, part in parts.items()]
    else:
        parts = parts if isinstance(parts, (list, tuple, NoneType)) else [parts]
        pairs = [(f'{path}[{index}]', part) for index, part in enumerate(parts or ())]
    yield from ((name, part) for name, part in pairs if isinstance(part, (Mapping, str, int)))


def _datasets(path: str, dataset: Any) -> Iterator[Component]:
    """Walk a data set and those that it wraps or joins, with their pipelines."""
    for name, part in nested_datasets(path, dataset):
        yield Component(name, part, ours.DATASETS)
        yield from _typed(f'{name}.pipeline', part.get('pipeline'), ours.TRANSFORMS)


def _typed(path: str, value: Any, registry: Registry) -> Iterator[Component]:
    """Walk dicts and lists for component configs, dicts that name a type."""
    if isinstance(value, Mapping):
        if 'type' in value:
            yield Component(path, value, registry)
        if value.get('type') == 'Albu':  # albumentations builds its parts
            return
        for key, child in value.items():
            if not str(key).endswith(BUILT_ELSEWHERE):
                yield from _typed(f'{path}.{key}', child, registry)
    elif isinstance(value, (list, tuple)):
        for index, child in enumerate(value):
            yield from _typed(f'{path}[{index}]', child, registry)


def _component_faults(component: Component, scope: str) -> Iterator[str]:
    path, settings, registry, default, also = component
    if not isinstance(settings, Mapping):
        yield f'{path} must be a dict with a type, got {settings!r}'
        return
    cls = settings.get('type', default)
    if cls is None:
        yield f'{path} names no type'
        return
    if isinstance(cls, str):
        name = cls
        with registry.switch_scope_and_registry(settings.get('_scope_', scope)) as switched:
            cls = switched.get(name)
        if cls is None:
            hint = near(name, _registered_names(switched))
            yield f'{path}.type: there is no {registry.name} {name!r}{hint}'
            return
    if callable(cls):
        yield from faults(cls, settings, path, also)
    test_cfg = settings.get('test_cfg')
    if getattr(cls, '__module__', '').startswith('mmdpt.') and registry is ours.MODELS:
        yield from _unknown_keys(f'{path}.test_cfg', test_cfg, TEST_CFG)


def _registered_names(registry: Registry | None) -> set[str]:
    names: set[str] = set()
    while registry is not None:
        names |= set(registry.module_dict)
        registry = registry.parent
    return names

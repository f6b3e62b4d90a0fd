"""Values of a config that do not fit one another."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

METRICS = ('aAcc', 'mIoU', 'mAcc', 'mDice', 'mFscore', 'mPrecision', 'mRecall')
"""Those of mmseg, whose capitals are easily mistaken."""
COARSEST = 32
"""Image pixels per pixel of the coarsest map."""
NO_EPOCHS = (
    ' counts epochs (by_epoch=True is the default), and train_cfg counts iterations, all in '
    'one epoch: set by_epoch=False'
)


def misfits(cfg: Mapping) -> Iterator[str]:
    """Say which values do not fit one another, in a config whose keys are right."""
    model = cfg.get('model') or {}
    yield from _windows('model.test_cfg', model.get('test_cfg') or {})
    heads = {key: _listed(model.get(key)) for key in ('decode_head', 'auxiliary_head')}
    for name, parts in heads.items():
        for head in parts:
            yield from _outputs(f'model.{name}', head)
            for loss in _listed(head.get('loss_decode')):
                yield from _class_weight(f'model.{name}', head, loss)
    size = (model.get('data_preprocessor') or {}).get('size') or ()
    norms = {(head.get('norm_cfg') or {}).get('type') for head in heads['decode_head']}
    batch = (cfg.get('train_dataloader') or {}).get('batch_size')
    if batch == 1 and norms & {'BN', 'SyncBN'} and size and max(size) <= COARSEST:
        yield (
            f'train_dataloader.batch_size is 1 and the crop {tuple(size)} px: the coarsest map has '
            'one pixel, of which BatchNorm has no statistics; take larger crops or batches'
        )
    train_cfg = cfg.get('train_cfg') or {}
    for key in ('max_iters', 'max_epochs', 'val_interval'):
        if isinstance(value := train_cfg.get(key), (int, float)) and value < 1:
            yield f'train_cfg.{key} must be at least 1, got {value}'
    hook = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    if 'max_iters' in train_cfg and hook.get('by_epoch', True) and hook.get('interval', -1) > 0:
        yield f'default_hooks.checkpoint{NO_EPOCHS}'
    yield from _best(hook.get('save_best'))
    for index, schedule in enumerate(_listed(cfg.get('param_scheduler'))):
        by_epoch = schedule.get('by_epoch', True) and not schedule.get('convert_to_iter_based')
        if 'max_iters' in train_cfg and by_epoch:
            yield f'param_scheduler[{index}]{NO_EPOCHS}'
            continue
        length = 'max_epochs' if schedule.get('by_epoch', True) else 'max_iters'
        begin, end = schedule.get('begin', 0), schedule.get('end', train_cfg.get(length))
        if end is not None and end <= begin:
            yield f'param_scheduler[{index}] ends at {end} and begins at {begin}'


def idle_end(cfg: Mapping) -> str | None:
    """Tell a learning rate of 0 before the end of the training, as after a longer max_iters."""
    iterations = (cfg.get('train_cfg') or {}).get('max_iters', 0)
    schedules = _listed(cfg.get('param_scheduler'))
    if not schedules:
        return None
    last = max(schedules, key=lambda schedule: schedule.get('end', math.inf))
    falls = last.get('type') in ('PolyLR', 'CosineAnnealingLR') and not last.get('by_epoch', True)
    least = last.get('eta_min') or last.get('eta_min_ratio')
    if not falls or least or last.get('end', math.inf) >= iterations:
        return None
    return (
        f'param_scheduler[{schedules.index(last)}] ends at {last["end"]} with a learning rate of '
        f'0, and the training at {iterations}: nothing is learnt in between'
    )


def _best(save_best: Any) -> Iterator[str]:
    """Find metrics in other capitals: the first validation would end in an error."""
    known = {name.lower(): name for name in METRICS}
    for name in [save_best] if isinstance(save_best, str) else save_best or ():
        if known.get(name.lower(), name) != name:
            yield (
                f'default_hooks.checkpoint.save_best: there is no metric {name!r}; did you mean '
                f"'{known[name.lower()]}'?"
            )


def _outputs(path: str, head: Mapping) -> Iterator[str]:
    outputs, classes = head.get('out_channels'), head.get('num_classes')
    if outputs is not None and outputs != classes and (outputs, classes) != (1, 2):
        yield (
            f'{path}.out_channels is {outputs} and num_classes {classes}: leave it out, or set it '
            'to 1 for two classes'
        )


def _listed(parts: Any) -> list[Mapping]:
    parts = parts if isinstance(parts, (list, tuple)) else [parts]
    return [part for part in parts if isinstance(part, Mapping)]


def _windows(path: str, test_cfg: Mapping) -> Iterator[str]:
    if test_cfg.get('mode') != 'slide':
        return
    sizes: list[Any] = [test_cfg.get('crop_size'), test_cfg.get('stride')]
    if not all(isinstance(size, (list, tuple)) and len(size) == 2 for size in sizes):
        yield f"{path}: mode 'slide' needs crop_size=(height, width) and stride=(rows, columns)"
    elif not all(0 < stride <= crop for crop, stride in zip(*sizes, strict=True)):
        yield f'{path}.stride must be in 1..crop_size = {tuple(sizes[0])}, got {tuple(sizes[1])}'


def _class_weight(path: str, head: Mapping, loss: Mapping) -> Iterator[str]:
    weight, classes = loss.get('class_weight'), head.get('out_channels') or head.get('num_classes')
    known = head.get('type') in ('DPTHead', 'FCNHead')  # others have classes of their own
    if not known or not isinstance(weight, (list, tuple)) or classes is None:
        return
    if len(weight) != classes:
        yield f'{path}.loss_decode.class_weight has {len(weight)} numbers for {classes} classes'
    elif loss.get('use_sigmoid') and classes > 1:
        yield (
            f'{path}.loss_decode: class_weight with use_sigmoid weighs columns of pixels in mmseg, '
            'not classes; leave it out'
        )

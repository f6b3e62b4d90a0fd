"""Resume an optimiser and its schedules: state from the checkpoint, settings from the config."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.optim import OptimWrapperDict

from .checkpoint_contents import to_plain

SCHEDULE_STATE = (
    *('last_step', '_global_step', '_last_value', 'base_values', 'verbose'),
    *('best', 'num_bad_epochs', 'cooldown_counter'),  # of ReduceOnPlateau
)
"""What is no setting in the ``state_dict`` of MMEngine's schedules."""
SCALER_STATE = ('scale', '_growth_tracker')
"""What is no setting in the ``state_dict`` of torch's GradScaler."""


def restore_progress(
    wrapper: Any, schedules: Any, saved: Mapping[str, Any], done: Mapping[str, int]
) -> list[str]:
    """Restore the state of an optimiser and its schedules, or of several by name.

    If a setting differs from the checkpoint's, the config's holds: what the schedules set, such as
    the learning rate, is then computed as if the training had had the config's settings from its
    start. Only what follows a metric (ReduceOnPlateau) keeps its value.

    Args:
        wrapper: The optimiser's wrapper, or a dict of them.
        schedules: List of its schedules, or lists by name; None for none.
        saved: 'optimizer' and 'param_schedulers' of the checkpoint, None where it holds none; a
            part that is absent is not asked for.
        done: Numbers of iterations, 'iter', and epochs, 'epoch', that are done.

    Returns:
        A line for each difference.

    Raises:
        KeyError, TypeError: If the checkpoint's are other optimisers, or a part is missing.
        ValueError: If the checkpoint's is another optimiser, or has other groups of parameters.
    """
    if isinstance(wrapper, OptimWrapperDict):
        lines: list[str] = []
        for name, part in wrapper.items():
            of_name = {key: states and states[name] for key, states in saved.items()}
            own = schedules and schedules[name]
            found = restore_progress(part, own, of_name, done)
            lines += [f'{name}: {line}' for line in found]
        return lines
    schedules = schedules or []
    optimizer, states = saved.get('optimizer'), saved.get('param_schedulers')
    needed = [key for key in saved if schedules or key == 'optimizer']
    lines = [f'{key} is not in the checkpoint' for key in needed if saved[key] is None]
    if states is not None:
        lines += _schedule_differences(schedules, states)
    own = wrapper.state_dict()
    if optimizer is not None:
        lines += _group_differences(_groups(own), _groups(optimizer))
        restored = {**own, **optimizer}
        if 'loss_scaler' in own and 'loss_scaler' in optimizer:
            kept = {key: optimizer['loss_scaler'].get(key) for key in SCALER_STATE}
            restored['loss_scaler'] = {**optimizer['loss_scaler'], **own['loss_scaler'], **kept}
        if lines:
            settings = ('param_groups', 'base_param_settings')
            restored.update({key: own[key] for key in settings if key in own})
        wrapper.load_state_dict(restored)
    if not lines and optimizer is not None and states is not None:
        for schedule, state in zip(schedules, states, strict=True):
            schedule.load_state_dict(state)
        return []
    _replay(wrapper, schedules, done['iter'], done['epoch'])
    for schedule, state in zip(schedules, states or (), strict=False):
        if hasattr(schedule, 'monitor'):
            schedule.load_state_dict({key: state[key] for key in SCHEDULE_STATE if key in state})
            for group, value in zip(wrapper.param_groups, schedule._last_value, strict=True):
                group[schedule.param_name] = value
    return lines


def _replay(wrapper: Any, schedules: Sequence[Any], iterations: int, epochs: int) -> None:
    """Step new schedules as often as a training has done by now."""
    for schedule in schedules:
        schedule.last_step = schedule._global_step = -1
        for group in wrapper.param_groups:
            group[schedule.param_name] = group[f'initial_{schedule.param_name}']
    epoch_length = iterations // epochs if epochs else iterations + 1
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # no optimiser's step comes between these
        for iteration in range(iterations + 1):
            new_epoch = iteration % epoch_length == 0
            for schedule in schedules:
                if not schedule.by_epoch or new_epoch:
                    schedule.step()


def _groups(state: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give the groups' settings: what schedules change, as it was before the first iteration."""
    groups = [*state['param_groups']]
    if state.get('base_param_settings') is not None:
        groups.append(state['base_param_settings'])
    return [
        {**group, **{key.removeprefix('initial_'): value for key, value in group.items()
                     if key.startswith('initial_')}}
        for group in to_plain(groups, 'optimizer')
    ]  # fmt: skip


def _group_differences(own: list[dict], theirs: list[dict]) -> list[str]:
    if len(own) != len(theirs):
        raise ValueError(f'it holds {len(theirs)} groups of parameters, the config {len(own)}')
    lines: dict[str, str] = {}
    for mine, before in zip(own, theirs, strict=True):
        only_mine, only_theirs = mine.keys() - before.keys(), before.keys() - mine.keys()
        if _without_initial(only_mine) and _without_initial(only_theirs):
            raise ValueError('it is of another kind of optimiser')
        for key in sorted(_without_initial(mine.keys() & before.keys()) - {'params'}):
            if mine[key] != before[key]:
                lines.setdefault(key, _difference(f'optimizer.{key}', mine[key], before[key]))
    return list(lines.values())


def _without_initial(keys: Any) -> set[str]:
    return {key for key in keys if not key.startswith(('initial_', 'max_', 'min_'))}


def _schedule_differences(schedules: Sequence[Any], states: Sequence[Mapping]) -> list[str]:
    if len(schedules) != len(states):
        return [_difference('number of param_scheduler', len(schedules), len(states))]
    lines = []
    for index, (schedule, before) in enumerate(zip(schedules, states, strict=True)):
        own = to_plain(schedule.state_dict(), 'param_schedulers')
        if own.keys() != before.keys():
            lines.append(f'param_scheduler[{index}] is another kind of schedule than before')
            continue
        lines += [
            _difference(f'param_scheduler[{index}].{key}', value, before[key])
            for key, value in own.items()
            if key not in SCHEDULE_STATE and value != before[key]
        ]
    return lines


def _difference(what: str, new: Any, before: Any) -> str:
    return f"{what}: {new} of the config, instead of the checkpoint's {before}"

"""A resumed training has the checkpoint's state, and the config's settings."""

import pytest
import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.registry import PARAM_SCHEDULERS
from torch import nn

from mmdpt.training.resume.checkpoint_contents import to_plain
from mmdpt.training.resume.settings import restore_progress

EPOCH, DONE, TOTAL = 2, 4, 9
DONE_AT = dict(iter=DONE, epoch=DONE // EPOCH)
POLY = [
    ('LinearLR', dict(start_factor=0.1, end=2, by_epoch=False)),
    ('PolyLR', dict(begin=2, end=DONE, by_epoch=False)),
]
RESTART = dict(restart_weights=[1, 1], eta_min=0.1, by_epoch=False)


class Training:
    """Two groups of parameters whose rates and momentum follow schedules."""

    def __init__(self, schedules, optimizer=torch.optim.SGD, **settings):
        torch.manual_seed(0)
        settings = {**dict(lr=1.0, momentum=0.9, weight_decay=0.0), **settings}
        groups = [dict(params=[nn.Parameter(torch.ones(1))], **more) for more in ({}, dict(lr=0.1))]
        self.wrapper = OptimWrapper(optimizer(groups, **settings))
        self.wrapper.base_param_settings = dict(params=torch.zeros(()), **settings)
        self.schedules = [
            PARAM_SCHEDULERS.get(kind)(self.wrapper, **settings) for kind, settings in schedules
        ]
        self.iteration = 0

    def run(self, steps):
        """Train as MMEngine's hooks do; give rates, momentum and decay after each iteration."""
        found = []
        for _ in range(steps):
            self.wrapper.optimizer.zero_grad()
            for group in self.wrapper.optimizer.param_groups:
                (group['params'][0] ** 2).sum().backward()
            self.wrapper.step()
            self.iteration += 1
            for schedule in self.schedules:
                if not schedule.by_epoch or self.iteration % EPOCH == 0:
                    schedule.step()
            found.append(
                [(g['lr'], g['momentum'], g['weight_decay']) for g in self.wrapper.param_groups]
            )
        return found

    def saved(self):
        states = [schedule.state_dict() for schedule in self.schedules]
        return to_plain(dict(optimizer=self.wrapper.state_dict(), param_schedulers=states), '')

    def resume(self, saved):
        self.iteration = DONE
        return restore_progress(self.wrapper, self.schedules, saved, DONE_AT)


def after(schedules, **settings):
    """What a training left after four iterations."""
    training = Training(schedules, **settings)
    training.run(DONE)
    return training.saved()


@pytest.mark.parametrize(
    ('before', 'now', 'told'),
    [
        (POLY, [POLY[0], ('PolyLR', dict(begin=2, end=TOTAL, by_epoch=False))], '[1].end: 9'),
        (POLY, [('PolyLR', dict(end=TOTAL, by_epoch=False))], 'number of param_scheduler: 1 of'),
        (POLY, [], 'number of param_scheduler: 0 of'),
        ([], POLY, 'number of param_scheduler: 2 of'),
        (POLY, [POLY[0], ('CosineAnnealingLR', dict(T_max=TOTAL, by_epoch=False))], 'another kind'),
        ([('OneCycleLR', dict(eta_max=0.5, total_steps=6, by_epoch=False))],
         [('OneCycleLR', dict(eta_max=0.5, total_steps=10, by_epoch=False))], 'total_steps: 10'),
        ([('CosineRestartLR', dict(periods=[4, 9], **RESTART))],
         [('CosineRestartLR', dict(periods=[6, 9], **RESTART))], 'periods: [6, 9]'),
        ([('LinearMomentum', dict(start_factor=0.1, end=4, by_epoch=False))],
         [('LinearMomentum', dict(start_factor=0.1, end=8, by_epoch=False))], 'end: 8'),
        ([('MultiStepLR', dict(milestones=[1])), POLY[0]],
         [('MultiStepLR', dict(milestones=[3])), POLY[0]], 'milestones'),
        ([('StepLR', dict(step_size=1))], [('StepLR', dict(step_size=3))], 'step_size: 3'),
        ([('ExponentialLR', dict(gamma=0.5))], [('ExponentialLR', dict(gamma=0.9))], 'gamma: 0.9'),
        ([('ConstantLR', dict(factor=0.5, end=3))], [('ConstantLR', dict(factor=0.5, end=4))],
         'end'),
    ],
)  # fmt: skip
def test_another_schedule_goes_on_as_if_it_had_been_from_the_start(before, now, told):
    expected = Training(now).run(TOTAL)
    assert Training(before).run(DONE + 1)[DONE] != expected[DONE]
    training = Training(now)
    lines = training.resume(after(before))
    assert any(told in line for line in lines), lines
    assert training.run(TOTAL - DONE) == expected[DONE:]


@pytest.mark.parametrize(
    ('setting', 'told'),
    [
        (dict(lr=2.0), "optimizer.lr: 2.0 of the config, instead of the checkpoint's 1.0"),
        (dict(weight_decay=0.1), 'optimizer.weight_decay: 0.1 of the config, instead of'),
    ],
)
def test_other_settings_of_the_optimiser_hold_and_its_state_goes_on(setting, told):
    saved = after(POLY)
    training = Training(POLY, **setting)
    (line,) = training.resume(saved)
    assert line.startswith(told)
    state = training.wrapper.state_dict()['state']
    assert state[0]['momentum_buffer'] == saved['optimizer']['state'][0]['momentum_buffer']
    assert training.run(TOTAL - DONE) == Training(POLY, **setting).run(TOTAL)[DONE:]


def test_the_same_settings_go_on_without_a_word_and_without_their_functions(tmp_path):
    schedules = [('OneCycleLR', dict(eta_max=0.5, total_steps=10, by_epoch=False)), POLY[1]]
    torch.save(after(schedules), tmp_path / 'saved.pth')
    training = Training(schedules)
    assert training.resume(torch.load(tmp_path / 'saved.pth', weights_only=True)) == []
    assert training.run(TOTAL - DONE) == Training(schedules).run(TOTAL)[DONE:]


def test_a_rate_that_follows_a_metric_stays_where_it_is():
    def schedules(patience):
        return [('ReduceOnPlateauLR', dict(monitor='loss', patience=patience))]

    before = Training(schedules(0))
    for _ in range(3):
        before.schedules[0].step(dict(loss=1.0))  # the second and third are no better
    training = Training(schedules(2))
    (line,) = training.resume(before.saved())
    assert 'param_scheduler[0].patience: 2' in line
    assert training.schedules[0].best == 1.0
    assert training.run(1)[0][0][0] == pytest.approx(0.01)


def test_several_optimisers_go_on_each_and_what_is_not_saved_starts_anew():
    saved = dict(a=after(POLY), b=after([]))
    states = {key: {name: saved[name][key] for name in saved} for key in saved['a']}
    new = dict(a=Training(POLY), b=Training([], lr=3.0))
    wrappers = OptimWrapperDict(**{name: part.wrapper for name, part in new.items()})
    schedules = {name: part.schedules for name, part in new.items()}
    (line,) = restore_progress(wrappers, schedules, states, DONE_AT)
    assert line.startswith('b: optimizer.lr: 3.0')
    expected = saved['a']['optimizer']['param_groups'][0]['lr']
    assert new['a'].wrapper.param_groups[0]['lr'] == expected
    nothing = dict.fromkeys(('optimizer', 'param_schedulers'))
    lines = restore_progress(wrappers, None, nothing, DONE_AT)
    assert lines == [f'{name}: optimizer is not in the checkpoint' for name in 'ab']


def test_another_optimiser_is_refused():
    adam = Training([], optimizer=lambda groups, lr, **_: torch.optim.Adam(groups, lr))
    with pytest.raises(ValueError, match='it is of another kind of optimiser'):
        adam.resume(after([]))
    fewer = Training([])
    fewer.wrapper.base_param_settings = None
    with pytest.raises(ValueError, match='it holds 3 groups of parameters, the config 2'):
        fewer.resume(after([]))

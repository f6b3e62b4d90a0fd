"""A loss that is not finite stops the training with all there is to know, or is left out."""

from types import SimpleNamespace

import numpy as np
import pytest
import tiny
import torch
from mmengine.logging import MessageHub
from mmengine.optim import OptimWrapper as Other
from torch import nn

from mmdpt.errors import InputError
from mmdpt.training.nonfinite import nonfinite_hook
from mmdpt.training.nonfinite.nonfinite_hook import LEFT_OUT, NonFiniteHook
from mmdpt.training.nonfinite.optim_wrapper import OptimWrapper

NAN = float('nan')


@pytest.fixture
def runner(tmp_path):
    """A runner whose model is one BatchNorm, at the seventh iteration."""
    model, warnings = nn.BatchNorm1d(2), []
    return SimpleNamespace(
        work_dir=str(tmp_path),
        model=model,
        optim_wrapper=OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1)),
        iter=6,
        logger=SimpleNamespace(warning=warnings.append),
        warnings=warnings,
        message_hub=MessageHub(f'nonfinite-{tmp_path}'),
    )


def batch():
    """One image whose name and labels are known."""
    meta = dict(img_path='some/a.jpg', scale_factor=np.float32(0.5))
    sample = tiny.sample(torch.full((1, 2, 3), 4), **meta)
    return dict(inputs=[torch.full((3, 2, 3), 9, dtype=torch.uint8)], data_samples=[sample])


def step(runner, hook, factor):
    """One iteration whose loss is multiplied by ``factor``; give the loss terms as logged."""
    data = batch()
    hook.before_train_iter(runner, runner.iter, data)
    loss = factor * runner.model(torch.tensor([[1.0, 2.0], [3.0, 8.0]]) * factor).square().mean()
    runner.optim_wrapper.update_params(loss)
    outputs = dict(loss=loss, acc_seg=torch.tensor([25.0]))
    hook.after_train_iter(runner, runner.iter, data, outputs)
    return outputs


def start(runner, skip_up_to=0):
    hook = NonFiniteHook(skip_up_to)
    hook.before_train(runner)
    return hook


def test_error_names_all_there_is_to_know_and_keeps_the_batch_as_plain_tensors(runner, tmp_path):
    hook = start(runner)
    assert step(runner, hook, 1.0).keys() == {'loss', 'acc_seg'}
    assert not runner.warnings and not list(tmp_path.iterdir())
    with pytest.raises(InputError) as error:
        step(runner, hook, NAN)
    path = tmp_path / 'nonfinite' / 'iter_7_rank_0.pth'
    assert str(error.value).startswith(
        'iteration 7: the loss is not finite. Rank 0: loss nan, acc_seg 25; '
        f'files some/a.jpg; the batch is in {path}.'
    )
    assert 'default_hooks.nonfinite.skip_up_to' in str(error.value)
    saved = torch.load(path, weights_only=True)
    assert (saved['iteration'], saved['rank'], saved['files']) == (7, 0, ['some/a.jpg'])
    assert np.isnan(saved['losses']['loss']) and saved['losses']['acc_seg'] == 25
    assert torch.equal(saved['inputs'][0], torch.full((3, 2, 3), 9, dtype=torch.uint8))
    sample = saved['data_samples'][0]
    assert sample['img_path'] == 'some/a.jpg' and sample['scale_factor'] == 0.5
    assert torch.equal(sample['gt_sem_seg']['data'], torch.full((1, 2, 3), 4))


def test_gradient_is_named_where_the_loss_is_finite(runner):
    hook = start(runner)
    loss = (0 * runner.model.weight).sqrt().sum()
    runner.optim_wrapper.update_params(loss)
    with pytest.raises(InputError, match=r'gradient is not finite\. Rank 0: loss 0; files some'):
        hook.after_train_iter(runner, 6, batch(), dict(loss=loss))


def test_batch_that_cannot_be_kept_is_reported_all_the_same(runner, tmp_path):
    (tmp_path / 'nonfinite').write_text('a file where the folder should be')
    with pytest.raises(InputError, match=r'files some/a.jpg; the batch is lost: cannot write'):
        step(runner, start(runner), NAN)


def test_skipping_puts_buffers_back_and_keeps_the_log_clean(runner, tmp_path):
    """Momentum 0.1, batch means 2 and 5, variances (unbiased) 2 and 18, from 0 and 1."""
    hook = start(runner, skip_up_to=1)
    step(runner, hook, 1.0)
    weight = runner.model.weight.detach().clone()
    assert step(runner, hook, NAN) == {}
    torch.testing.assert_close(runner.model.running_mean, torch.tensor([0.2, 0.5]))
    torch.testing.assert_close(runner.model.running_var, torch.tensor([1.1, 2.7]))
    assert runner.model.num_batches_tracked == 1
    assert torch.equal(runner.model.weight, weight)
    assert len(runner.warnings) == 1 and runner.warnings[0].endswith('Left out, 1 of at most 1')
    assert (tmp_path / 'nonfinite' / 'iter_7_rank_0.pth').is_file()


def test_training_stops_after_as_many_as_were_allowed_the_checkpoint_s_included(runner):
    runner.message_hub.update_info(LEFT_OUT, 1)  # as the checkpoint of a resumed training says
    hook = start(runner, skip_up_to=2)
    step(runner, hook, NAN)
    hook.after_train(runner)
    assert runner.warnings[-1].startswith('2 batches without a finite loss or gradient')
    with pytest.raises(InputError, match='the training stops after 2 left out'):
        step(runner, hook, NAN)


def test_rank_with_a_finite_loss_reports_the_others_and_keeps_no_batch(
    runner, tmp_path, monkeypatch
):
    other = 'Rank 1: loss nan; files some/b.jpg; the batch is elsewhere.'
    monkeypatch.setattr(nonfinite_hook, 'all_gather_object', lambda mine: [mine, other])
    hook = start(runner)
    runner.optim_wrapper.agreement.nonfinite = True  # as the all-reduce says
    with pytest.raises(InputError) as error:
        hook.after_train_iter(runner, 6, batch(), dict(loss=torch.tensor(1.0)))
    assert str(error.value).startswith(f'iteration 7: the loss is not finite. {other} No update')
    assert not list(tmp_path.iterdir())


def test_other_wrapper_is_named_and_a_negative_number_refused(runner):
    with pytest.raises(InputError, match='skip_up_to must be 0 or more, got -1'):
        NonFiniteHook(-1)
    runner.optim_wrapper = Other(torch.optim.SGD(runner.model.parameters(), lr=0.1))
    hook = start(runner)
    assert runner.warnings[0].startswith('OptimWrapper updates the weights whatever the loss is')
    step(runner, hook, 1.0)

"""Bad samples of all ranks are counted and listed once, a resumed run's too."""

import logging
from types import SimpleNamespace

import pytest
from mmengine.logging import MessageHub
from mmengine.structures import BaseDataElement

import mmdpt.training.bad_sample_hook as module
from mmdpt.training.bad_sample_hook import BAD_SAMPLES, BadSampleHook

A, B, C = (('a.png', 'label a.png holds [9]'), ('b.png', 'b.png is empty'), ('c.png', 'c.png: odd'))


@pytest.fixture
def runner(tmp_path):
    hub, logger = MessageHub('bad samples'), logging.getLogger('bad samples')
    return SimpleNamespace(message_hub=hub, logger=logger, work_dir=str(tmp_path), iter=0)


def batch(*skipped):
    """A batch of a good sample, and of one in whose place were those left out."""
    instead = BaseDataElement(metainfo=dict(skipped=list(skipped)) if skipped else {})
    return dict(inputs=[], data_samples=[BaseDataElement(), instead])


def started(runner, *batches):
    hook = BadSampleHook()
    hook.before_train(runner)
    for number, data in enumerate(batches):
        hook.after_train_iter(runner, number, data_batch=data)
    return hook


def listed(runner, tmp_path):
    return (tmp_path / 'bad_samples.txt').read_text().splitlines()


def test_samples_are_counted_and_listed_at_the_end(runner, tmp_path, caplog):
    hook = started(runner, batch(B), batch(), batch(A, B), batch(B))
    assert [record.message for record in caplog.records] == [
        'bad sample left out: b.png is empty',
        'bad sample left out: label a.png holds [9]',
    ]
    caplog.clear()
    hook.after_train(runner)
    assert listed(runner, tmp_path) == ['1 x label a.png holds [9]', '3 x b.png is empty']
    (record,) = caplog.records
    assert record.message.startswith('2 bad samples were left out, 4 times in all, see ')
    assert record.message.endswith('\n  1 x label a.png holds [9]\n  3 x b.png is empty')


def test_the_file_has_what_the_log_leaves_out(runner, tmp_path, caplog):
    many = [(f'{number:02d}.png', f'{number:02d}.png is empty') for number in range(25)]
    hook = started(runner, batch(*many))
    hook.after_train(runner)
    assert caplog.records[-1].message.endswith('1 x 19.png is empty\n  and 5 more')
    assert listed(runner, tmp_path) == [f'1 x {number:02d}.png is empty' for number in range(25)]


def test_resumed_run_goes_on_with_the_list_of_its_checkpoint(runner, tmp_path, caplog):
    started(runner, batch(A), batch(A))
    saved = runner.message_hub.state_dict()
    runner.message_hub = MessageHub('resumed')
    runner.message_hub.load_state_dict(saved)
    runner.iter = 2
    caplog.clear()
    hook = started(runner, batch(A), batch(C))
    assert [record.message for record in caplog.records] == ['bad sample left out: c.png: odd']
    hook.after_train(runner)
    assert listed(runner, tmp_path) == ['3 x label a.png holds [9]', '1 x c.png: odd']


def test_run_that_starts_anew_does_not_and_none_is_no_list(runner, tmp_path, caplog):
    runner.message_hub.update_info(BAD_SAMPLES, {'a.png': [7, 'old']})
    started(runner, batch(), None).after_train(runner)
    assert not caplog.records and not list(tmp_path.iterdir())
    started(runner, batch(B)).after_train(runner)
    assert listed(runner, tmp_path) == ['1 x b.png is empty']


def test_every_rank_knows_the_samples_of_all(runner, tmp_path, monkeypatch):
    """Two ranks, exchanged at a validation and at the end."""
    found = []
    monkeypatch.setattr(module, 'get_world_size', lambda: 2)
    monkeypatch.setattr(module, 'all_gather_object', lambda _: found)
    ranks = [started(runner, batch(A)), started(runner, batch(A, B))]

    def exchange(step):
        found[:] = [rank.new for rank in ranks]
        for rank in ranks:
            getattr(rank, step)(runner)

    exchange('before_val')
    ranks[1].after_train_iter(runner, 1, data_batch=batch(B))
    exchange('after_train')
    expected = {'a.png': [2, A[1]], 'b.png': [2, B[1]]}
    assert ranks[0].known == ranks[1].known == expected
    assert listed(runner, tmp_path) == ['2 x label a.png holds [9]', '2 x b.png is empty']

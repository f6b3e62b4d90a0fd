"""Training starts from a release by name or from a foreign file, and resumes its own checkpoint."""

import logging
import shutil

import pytest
import torch
from mmengine.runner.checkpoint import CheckpointLoader

from mmdpt.apis import init_model
from mmdpt.checkpoints import read_checkpoint, to_foreign
from mmdpt.checkpoints.reading.download import cached_path
from mmdpt.checkpoints.reading.releases import RELEASES, Release
from mmdpt.config import load_config, prepare_test
from mmdpt.errors import InputError
from mmdpt.training import IterBasedTrainLoop, build_runner

ADDRESS = 'https://models.test/tiny.pt'
OPTIONS = ('model.decode_head.readout_type=project',)


@pytest.fixture
def weights(config, tmp_path, monkeypatch):
    """A release 'tiny' in an empty cache: isl-org's names, 20 classes; give its state, as ours."""
    monkeypatch.setenv('MMDPT_HOME', str(tmp_path / 'home'))
    monkeypatch.setitem(RELEASES, 'tiny', Release(str(config), ADDRESS, OPTIONS))
    torch.manual_seed(1)
    state = init_model(str(config), cfg_options=['model.decode_head.num_classes=20']).state_dict()
    cached_path(ADDRESS).parent.mkdir(parents=True)
    torch.save(to_foreign(state, 'isl-org')[0], cached_path(ADDRESS))
    return state


@pytest.fixture
def start(config, tmp_path, monkeypatch, forget_runs):
    """Do what precedes the first iteration; give the runner and its log."""

    def run(*options, resume=False):
        cfg = load_config(str(config), options)
        cfg.resume = resume
        forget_runs()
        runner = build_runner(cfg, str(tmp_path / 'work'))
        lines = []
        handler = logging.Handler()
        handler.emit = lambda record: lines.append(f'{record.levelname} {record.getMessage()}')
        runner.logger.addHandler(handler)
        monkeypatch.setattr(IterBasedTrainLoop, 'run', lambda loop: None)
        runner.train()
        return runner, '\n'.join(lines)

    return run


def assert_holds_all_but_the_classifiers(model, state):
    own = model.state_dict()
    anew = {key for key, value in state.items() if own[key].shape != value.shape}
    parts = ('decode_head.', 'decode_head.auxiliary.')
    assert anew == {f'{part}conv_seg.{leaf}' for part in parts for leaf in ('bias', 'weight')}
    assert_equal(*({key: each[key] for key in state.keys() - anew} for each in (own, state)))


def assert_equal(own, expected):
    torch.testing.assert_close(own, expected, rtol=0, atol=0, check_device=False)


def test_a_release_or_its_file_is_loaded_but_for_its_classifiers(start, weights):
    loader = CheckpointLoader.load_checkpoint
    runner, log = start('load_from=tiny')
    assert loader == CheckpointLoader.load_checkpoint  # MMEngine's again
    assert_holds_all_but_the_classifiers(runner.model, weights)
    assert '4 of another shape (decode_head.conv_seg.weight: checkpoint (20, 8, 1, 1)' in log
    assert 'what is of another shape or missing starts anew' in log and 'match exactly' not in log
    assert f'tiny, for equal numbers: --cfg-options {OPTIONS[0]}' in log
    runner, log = start(f'load_from={cached_path(ADDRESS)}')
    assert_holds_all_but_the_classifiers(runner.model, weights)
    assert 'is a checkpoint of isl-org (segmentation)' in log and 'for equal numbers' not in log


def test_another_architecture_and_an_unknown_name_are_refused(start, weights):
    keys = ('model.backbone.arch.embed_dims', 'model.decode_head.embed_dims')
    narrow = [f'{key}=12' for key in keys]
    with pytest.raises(InputError, match=r'checkpoint tiny does not fit the model .*: of .* shape'):
        start('load_from=tiny', *narrow, 'model.decode_head.channels=4')
    message = r'no checkpoint file tinny, and list_models\(\) has no release'
    with pytest.raises(InputError, match=message):
        start('load_from=tinny')


@pytest.fixture
def work_dir(trained, tmp_path):
    """A work dir with a checkpoint of its own."""
    folder = tmp_path / 'work'
    folder.mkdir()
    shutil.copy(trained / 'iter_2.pth', folder)
    (folder / 'last_checkpoint').write_text(str(folder / 'iter_2.pth'))
    return folder


@pytest.mark.parametrize('where', ['tiny', 'iter_4.pth'])
def test_resuming_prefers_the_work_dir_to_load_from(start, weights, trained, work_dir, where):
    source = where if where == 'tiny' else trained / where
    runner, _ = start(f'load_from={source}', resume='auto')
    expected = read_checkpoint(work_dir / 'iter_2.pth').state_dict
    assert runner.iter == 2
    assert_equal(runner.model.state_dict(), expected)


def test_resuming_with_other_classes_is_refused(start, work_dir):
    with pytest.raises(InputError, match=r'iter_2\.pth does not fit the model .*: .*4 of another'):
        start('model.decode_head.num_classes=20', resume=True)


def test_resuming_before_the_first_checkpoint_starts_from_the_release(start, weights):
    runner, _ = start('load_from=tiny', resume='auto')
    assert runner.iter == 0
    assert_holds_all_but_the_classifiers(runner.model, weights)


@pytest.mark.parametrize('tta', [False, True])
def test_a_test_reads_a_release_by_name_unless_it_has_other_classes(
    config, tmp_path, weights, tta, forget_runs
):
    def loaded(*options):
        cfg = load_config(str(config), options)
        forget_runs()
        prepare_test(cfg, 'tiny', tta=tta)
        runner = build_runner(cfg, str(tmp_path / 'work'))
        runner.load_or_resume()
        return (runner.model.module if tta else runner.model).state_dict()

    assert_equal(loaded('model.decode_head.num_classes=20'), weights)
    message = r'checkpoint tiny does not fit the model .*: .*4 of another'
    with pytest.raises(InputError, match=message):
        loaded()

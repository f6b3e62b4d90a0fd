"""What MMEngine's runner promises to hooks, loaders and files holds for ours; each asks both."""

import copy

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset, Compose
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.registry import init_default_scope
from mmengine.runner import Runner as MMEngineRunner
from mmengine.structures import PixelData
from mmpretrain.engine.hooks import SwitchRecipeHook
from mmseg.structures import SegDataSample
from torch import nn
from torch.utils.data import DataLoader, IterableDataset

from mmdpt.config import load_config
from mmdpt.errors import InputError
from mmdpt.registry import HOOKS, LOG_PROCESSORS, LOOPS, METRICS, MODELS, VISBACKENDS, VISUALIZERS
from mmdpt.training import IterBasedTrainLoop, Runner
from mmdpt.training.launch import build_runner
from mmdpt.training.train_loop import EpochBasedTrainLoop

FOUR, TWO, THREE = (dict(by_epoch=False, max_iters=number) for number in (4, 2, 3))
RUNNERS = dict(mmengine=MMEngineRunner, mmdpt=Runner)
SEEN = []
"""The batches that the model got."""


class Numbers(BaseDataset):
    """Samples 0, 1, ... 7."""

    built = 0

    def __init__(self, **kwargs):
        Numbers.built += 1
        super().__init__(pipeline=[], **kwargs)

    def load_data_list(self):
        return [dict(inputs=torch.tensor([float(number)])) for number in range(8)]


class Stream(IterableDataset):
    def __iter__(self):
        return iter([dict(inputs=torch.tensor([float(number)])) for number in range(5)])

    def __len__(self):
        return 5


class Loader(DataLoader):
    """A user's own."""


class Line(BaseModel):
    def __init__(self):
        super().__init__()
        self.layer, self.other = nn.Linear(1, 1), nn.Linear(1, 1)

    def forward(self, inputs, mode='tensor', **_):
        if mode == 'predict':
            return inputs
        SEEN.append(torch.stack(list(inputs)).flatten().tolist())
        return dict(loss=(self.layer(torch.stack(list(inputs))) - 1).square().mean())

    def train_step(self, data, optim_wrapper):
        if not hasattr(optim_wrapper, 'items'):
            return super().train_step(data, optim_wrapper)
        loss = self(**self.data_preprocessor(data), mode='loss')['loss']
        optim_wrapper['layer'].zero_grad()
        loss.backward()
        optim_wrapper['layer'].step()
        return dict(loss=loss)


class Nothing(BaseMetric):
    def process(self, *_):
        self.results.append(1)

    def compute_metrics(self, results):
        return dict(number=len(results))


def loader(dataset=Numbers, **changes):
    cfg = dict(batch_size=2, num_workers=0, dataset=dict(type=dataset))
    return cfg | dict(sampler=dict(type='InfiniteSampler', shuffle=False)) | changes


@pytest.fixture(params=RUNNERS)
def build(request, tmp_path, forget_runs):
    """Build a runner, MMEngine's and ours."""

    def run(folder='run', by=None, **changes):
        scope = by or request.param
        forget_runs()
        SEEN.clear()
        cfg = dict(
            default_scope=scope,
            work_dir=str(tmp_path / folder),
            model=dict(type=Line),
            train_dataloader=loader(),
            optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1)),
            train_cfg=FOUR,
            default_hooks=dict(checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=2)),
            log_processor=dict(by_epoch=False),
            log_level='ERROR',
            randomness=dict(seed=0),
        )
        return RUNNERS[scope].from_cfg(Config(cfg | changes))

    return run


def weight(runner):
    return runner.model.layer.weight.item()


@pytest.mark.parametrize(
    ('given', 'resume', 'iteration'),
    [(None, True, 4), ('iter_2', True, 2), ('iter_2', False, 0), (None, False, 0)],
)
def test_load_from_and_resume_say_where_a_training_begins(build, given, resume, iteration):
    trained = build()
    trained.train()
    path = given and f'{trained.work_dir}/{given}.pth'
    runner = build(load_from=path, resume=resume)
    runner.load_or_resume()
    assert (runner.iter, runner._has_loaded) == (iteration, bool(given or resume))
    if given:
        saved = torch.load(path, weights_only=False)['state_dict']
        assert weight(runner) == saved['layer.weight'].item()
        by_hand = build(load_from=path)
        by_hand.resume(f'{trained.work_dir}/iter_4.pth')
        by_hand.train()  # there is no iteration left
        assert weight(by_hand) == weight(trained)  # it is not replaced by load_from


def test_the_loader_and_its_data_set_stay_the_users(build):
    own = Loader(Numbers(), batch_size=2)
    runner = build(train_dataloader=loader())
    runner._train_dataloader = own
    runner.train()
    assert runner.train_dataloader is own and type(own.dataset) is Numbers
    assert own.batch_size == 2 and runner.train_loop.dataloader is own
    assert SEEN == [[0, 1], [2, 3], [4, 5], [6, 7]]


def test_a_hook_switches_the_pipeline_of_an_iteration_based_training(build):
    class Tenfold(Hook):
        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            if batch_idx == 1:
                tenfold = Compose([lambda info: dict(inputs=10 * info['inputs'])])
                SwitchRecipeHook._switch_train_pipeline(runner, tenfold)

    build(custom_hooks=[dict(type=Tenfold)]).train()
    assert SEEN == [[0, 1], [2, 3], [40, 50], [60, 70]]


@pytest.mark.parametrize('kind', [Stream, lambda: list(Stream())])
def test_a_stream_or_a_list_trains_and_is_resumed(build, kind):
    def start(**changes):
        runner = build(**changes)
        runner._train_dataloader = DataLoader(kind(), batch_size=5)
        runner.train()

    start(train_cfg=TWO)
    start(train_cfg=THREE, resume=True)
    assert SEEN == [[0, 1, 2, 3, 4]]


class Noting(Hook):
    """Keeps an array, a number of NumPy and a set, in the file and in the message hub."""

    found = None

    def before_save_checkpoint(self, runner, checkpoint):
        checkpoint['noted'] = dict(table=np.arange(6.0).reshape(2, 3), score=np.float32(0.5))
        runner.message_hub.update_info('names', {'a', 'b'})
        checkpoint['message_hub'] = runner.message_hub.state_dict()

    def after_load_checkpoint(self, runner, checkpoint):
        Noting.found = copy.deepcopy(checkpoint.get('noted'))


@pytest.mark.parametrize('resume', [True, False])
def test_what_a_hook_saves_comes_back(build, resume):
    hooks = [dict(type=Noting)]
    trained = build(custom_hooks=hooks)
    trained.train()
    path = f'{trained.work_dir}/iter_4.pth'
    runner = build('next', custom_hooks=hooks, load_from=path, resume=resume)
    runner.load_or_resume()
    np.testing.assert_array_equal(Noting.found['table'], np.arange(6.0).reshape(2, 3), strict=True)
    assert Noting.found['score'] == 0.5
    assert runner.message_hub.runtime_info.get('names') == ({'a', 'b'} if resume else None)


def test_validating_builds_no_training_data_and_a_loop_draws_before_it_runs(build):
    loop = build().train_loop
    assert [next(loop.dataloader_iterator)['inputs'][0].item() for _ in range(3)] == [0, 2, 4]
    validation = dict(
        val_dataloader=loader(sampler=dict(type='DefaultSampler', shuffle=False)),
        val_cfg=dict(),
        val_evaluator=dict(type=Nothing),
    )
    runner = build(**validation)
    before = Numbers.built
    assert runner.val() == dict(number=4)
    assert Numbers.built == before + 1 and isinstance(runner._train_loop, dict)


def test_several_optimisers_without_schedules_are_resumed(build):
    def start(**changes):
        runner = build(**changes)
        layer, other = (
            OptimWrapper(torch.optim.SGD(part.parameters(), 0.1, momentum=0.9))
            for part in (runner.model.layer, runner.model.other)
        )
        runner.optim_wrapper = OptimWrapperDict(layer=layer, other=other)
        runner.train()
        return weight(runner)

    whole = start()
    start(folder='half', train_cfg=TWO)
    assert start(folder='half', resume=True) == whole


def test_the_file_says_which_checkpoints_are_kept(build):
    hook = dict(type='CheckpointHook', by_epoch=False, interval=1, max_keep_ckpts=2)
    runner = build(default_hooks=dict(checkpoint=hook))
    runner.train()
    saved = torch.load(f'{runner.work_dir}/iter_4.pth', weights_only=False)
    assert saved['message_hub']['runtime_info']['keep_ckpt_ids'] == [3, 4]
    assert saved.keys() == {'meta', 'state_dict', 'message_hub', 'optimizer'}  # no schedules


@pytest.mark.parametrize('reader', RUNNERS)
def test_either_runner_resumes_the_others_checkpoint(build, reader):
    trained = build(train_cfg=TWO)
    trained.train()
    runner = build(by=reader, resume=True)
    runner.train()
    assert runner.iter == 4 and len(SEEN) == 2
    whole = build('whole')
    whole.train()
    assert weight(runner) == weight(whole)


@pytest.mark.parametrize('by_epoch', [True, False])
def test_by_epoch_means_the_runners_own_loops(build, by_epoch):
    length = dict(max_epochs=1) if by_epoch else dict(max_iters=4)
    data = loader(sampler=dict(type='DefaultSampler', shuffle=False))
    runner = build(train_cfg=dict(by_epoch=by_epoch, **length), train_dataloader=data)
    ours = EpochBasedTrainLoop if by_epoch else IterBasedTrainLoop
    assert isinstance(runner.train_loop, ours) == (type(runner) is Runner)


@pytest.mark.parametrize(
    ('registry', 'name'),
    [
        *((METRICS, 'mmseg.DepthMetric'), (MODELS, 'mmseg.SiLogLoss'), (MODELS, 'mmseg.DPTHead')),
        *((VISBACKENDS, 'mmengine.LocalVisBackend'), (HOOKS, 'mmengine.CheckpointHook')),
        *((LOOPS, 'mmengine.IterBasedTrainLoop'), (LOG_PROCESSORS, 'mmengine.LogProcessor')),
    ],
)
def test_names_with_the_hosts_prefix_are_the_hosts(registry, name):
    init_default_scope('mmdpt')
    host, _, own = name.partition('.')
    assert registry.get(name).__module__.startswith(f'{host}.')
    assert registry.get(own).__module__.startswith('mmdpt.')


def test_mmsegs_hook_draws_into_the_run_folder(tmp_path, forget_runs):
    init_default_scope('mmdpt')
    cfg = load_config('configs/_base_/default_runtime.py').visualizer
    visualizer = VISUALIZERS.build(dict(cfg, save_dir=str(tmp_path)))
    visualizer.dataset_meta = dict(classes=('a', 'b'), palette=[[255, 0, 0], [0, 255, 0]])
    image, labels = str(tmp_path / 'a.png'), PixelData(data=torch.ones(1, 32, 48).long())
    cv2.imwrite(image, np.zeros((32, 48, 3), np.uint8))
    sample = SegDataSample(metainfo=dict(img_path=image), pred_sem_seg=labels)
    hook = HOOKS.build(dict(type='SegVisualizationHook', draw=True))
    hook.after_test_iter(None, 0, {}, [sample])
    (drawn,) = (tmp_path / 'vis_data').rglob('test_a*.png')
    assert cv2.imread(str(drawn))[..., 1].any()  # green: class b


def test_a_runner_that_does_not_exist_is_refused():
    with pytest.raises(InputError, match="runner_type: there is no runner 'Shared'"):
        build_runner(Config(dict(runner_type='Shared')))

"""Configs: found by path or name, overridden, checked before anything is built."""

from fnmatch import fnmatch
from pathlib import Path

import mmseg
import pytest
import torch
from mmengine.config import Config

from mmdpt.config import check, check_classes, check_config, load_config
from mmdpt.config import machine as devices
from mmdpt.config.config_files import parse_options
from mmdpt.config.machine import fit_config_to_machine
from mmdpt.errors import InputError

NAME = 'dpt_vit-ti16_scenes'


def test_name_and_path_give_the_same_config():
    by_name = load_config(NAME)
    assert load_config(by_name.filename).pretty_text == by_name.pretty_text


def test_unknown_name_gives_the_nearest_and_a_missing_path_is_named():
    with pytest.raises(InputError, match='nearest names: dpt_vit-l16_ade20k'):
        load_config('dpt_vit-l16_ade')
    with pytest.raises(InputError, match=r'no config file configs/mine\.py'):
        load_config('configs/mine.py')


def test_a_config_of_a_checkout_is_inherited_by_its_package(tmp_path):
    path = tmp_path / 'mine.py'
    path.write_text(
        f"_base_ = ['mmdpt::dpt/{NAME}.py']\nmodel = dict(decode_head=dict(channels=8))\n"
    )
    assert load_config(str(path)).model.decode_head.channels == 8


@pytest.mark.parametrize(
    ('text', 'reason'),
    [("_base_ = ['./gone.py']\n", r'gone\.py'), ('a = b\n', "NameError: name 'b' is not defined")],
)
def test_config_with_a_mistake_is_named(tmp_path, text, reason):
    path = tmp_path / 'wrong.py'
    path.write_text(text)
    with pytest.raises(InputError, match=rf'cannot read config .*wrong\.py.*{reason}'):
        load_config(str(path))


def test_overrides_are_merged():
    options = ['model.decode_head.channels=32', 'model.backbone.init_cfg=None', 'a.b=[1,2]']
    cfg = load_config(NAME, options)
    assert cfg.model.decode_head.channels == 32
    assert cfg.model.backbone.init_cfg is None
    assert cfg.a.b == [1, 2]


@pytest.mark.parametrize(
    ('text', 'value'),
    [
        *((text, text) for text in ('w/my runs/a', 'w/a,b', 'w/a, b (1', "it's", 'a=b', '')),
        ('5', 5),
        ('1e-3', 1e-3),
        ('true', True),
        ('None', None),
        ('1,2', [1, 2]),
        ('[1, 2]', [1, 2]),
        ('"[1, 2]"', [1, 2]),
        ('(1, 2)', (1, 2)),
        ('[(1, 2), [a, b c]]', [(1, 2), ['a', 'b c']]),
        ('[mIoU,mDice]', ['mIoU', 'mDice']),
        ('{"a": 1}', {'a': 1}),
    ],
)
def test_values_are_taken_as_typed(text, value):
    assert parse_options([f'a.b={text}']) == {'a.b': value}


def test_option_given_twice_keeps_both(call_tool, capsys):
    options = ('--cfg-options', 'work_dir=w/my runs', '--cfg-options', 'launcher=mpi')
    assert call_tool('print_config.py', NAME, *options) == 0
    printed = capsys.readouterr().out
    assert "work_dir = 'w/my runs'" in printed and "launcher = 'mpi'" in printed


MIX, CAMVID, JOINT = 'dpt_vit-b16_mix6', 'dpt_vit-ti16_camvid', 'dpt_vit-ti16_scenes-joint'
PARTS = 'train_dataloader.dataset.datasets'
WEIGHTED_BCE = dict(type='CrossEntropyLoss', use_sigmoid=True, class_weight=[1.0] * 12)
TOO_FAR = dict(mode='slide', crop_size=(8, 8), stride=(9, 8))
SMALL = 'model.data_preprocessor.size=(32, 32)'
NOTHING = dict(type='DPTHead', _delete_=True)

MISTAKES = [
    *((option, f"key=value, got '{option}'") for option in ('channels', '=3')),
    *(
        (f'{key}=3', rf'^{key} must be a dict, got 3$')
        for key in ('model', 'train_cfg', 'default_hooks', 'model.backbone', 'model.neck')
    ),
    ('optim_wrapper.clip_grad=1.0', 'clip_grad must be a dict, got 1.0'),
    ('val_evaluator=3', r'val_evaluator\[0\] must be a dict with a type, got 3'),
    ('seed=3', "^seed: no part .* did you mean 'randomness.seed'"),
    ('modle.type=x', "^modle: no part .* did you mean 'model'"),
    ('train_dataloader.dataset.metainfo={"clases": []}', "clases: unknown.* 'classes'"),
    *(
        (f'model.backbone.{key}=x', f"VisionTransformerDPT sets '{key}' itself")
        for key in ('final_norm', 'out_type')
    ),
    ('model.decode_head.readout=add', r"decode_head\.readout: DPTHead .*'readout_type'"),
    ('model.backbone.num_layers=2', r"argument 'num_layers'; did you mean 'arch'"),
    ('model.pretrained=a.pth', r"backbone\.pretrained: Vision\w+ .*'init_cfg'"),
    ('model.decode_head.reassemble_factors=[4]', "did you mean 'reassemble_scales'"),
    ('model.type=DepthEncoderDecoder', r"model\.type: .* did you mean 'DepthEstimator'"),
    ('model.backbone.drop_pth_rate=0.1', r"VisionTransformerDPT .*'drop_path_rate'"),
    ('model.backbnoe.arch=base', r"model\.backbnoe: EncoderDecoder .*'backbone'"),
    ('model.decode_head.loss_decode.weight=2', r'loss_decode\.weight: CrossEntropyLoss'),
    ('train_dataloader.dataset.dataroot=x', r"train_dataloader\.dataset\..*'data_root'"),
    ('train_dataloader.dataset.pipeline.1.colour=x', r'pipeline\[1\]\.colour: LoadAnnotations'),
    ('default_hooks.logger.intervall=1', r"logger\.intervall: LoggerHook .*'interval'"),
    ('model.decode_head.type=DTPHead', r"decode_head\.type: .*'DTPHead'.*'DPTHead'"),
    ('train_dataloader.batchsize=1', "DataLoader takes no .* did you mean 'batch_size'"),
    ('train_dataloader.batch_size=four', "batch_size must be a number, got 'four'"),
    ('train_dataloader.sampler.type=InfinitSampler', "sampler.* 'InfiniteSampler'"),
    ('train_dataloader.dataset.data_prefix.img_pth=x', "img_pth: unknown.*'img_path'"),
    ('optim_wrapper.optimizer.type=Adamw', "no optimizer 'Adamw'; did you mean 'AdamW'"),
    ('optim_wrapper.optimizer.learning_rate=1', "AdamW takes no .* did you mean 'lr'"),
    ('optim_wrapper.optimizer.lr=ten', "lr must be a number, got 'ten'"),
    ('optim_wrapper.clip_grad.maxnorm=1', "clip_grad.maxnorm: unknown.* 'max_norm'"),
    ('optim_wrapper.paramwise_cfg.bias_lr=1', "bias_lr: unknown.* 'bias_lr_mult'"),
    ('optim_wrapper.paramwise_cfg.custom_keys.a=1', 'custom_keys.a must be a dict, got 1'),
    ('optim_wrapper.paramwise_cfg.custom_keys.a.lrmult=1', "lrmult: unknown.* 'lr_mult'"),
    ('optim_wraper.type=x', "no part of a config has this name.* 'optim_wrapper'"),
    ('train_cfg.maxiters=1', "IterBasedTrainLoop takes no .* did you mean 'max_iters'"),
    ('train_cfg.max_iters=zehn', "train_cfg.max_iters must be a number, got 'zehn'"),
    ('train_cfg.max_iters=0', 'max_iters must be at least 1, got 0'),
    ('train_cfg.val_interval=0', 'val_interval must be at least 1, got 0'),
    ('default_hooks.checkpoint.save_best=miou', "no metric 'miou'; did you mean 'mIoU'"),
    ('model.decode_head.out_channels=3', 'out_channels is 3 and num_classes 12: leave'),
    ('val_cfg.typ=x', 'ValLoop takes no argument'),
    ('param_scheduler.1.ende=9', r"param_scheduler\[1\]\.ende: PolyLR takes no .* 'end'"),
    ('param_scheduler.1.by_epoch=True', r'param_scheduler\[1\] counts epochs'),
    ('default_hooks.checkpoint.by_epoch=True', 'checkpoint counts epochs'),
    ('param_scheduler.1.end=10', r'param_scheduler\[1\] ends at 10 and begins at 30'),
    ('val_evaluator.iou_metric=mIoU', r"IoUMetric takes no .* did you mean 'iou_metrics'"),
    ('log_processor.by_epok=1', "LogProcessor takes no .* did you mean 'by_epoch'"),
    ('visualizer.vis_backends.0.type=LocalBackend', "no vis_backend 'LocalBackend'; did"),
    ('custom_hooks=[{"type": "EMAHok"}]', r"custom_hooks\[0\]\.type: .* 'EMAHook'"),
    ('custom_hooks=[dict(type="EMAHook")]', r'custom_hooks\[0\] must be a dict with a type'),
    ('default_hooks.more={"interval": 1}', 'default_hooks.more names no type'),
    ('env_cfg.mp_cfg.start_method=fork', "start_method: unknown.* 'mp_start_method'"),
    ('randomness.sed=1', "randomness.sed: unknown; did you mean 'seed'"),
    ('resum=True', "resum: no part of a config has this name; did you mean 'resume'"),
    ('model.test_cfg.crop=9', "model.test_cfg.crop: unknown; did you mean 'crop_size'"),
    ('model.test_cfg.mode=slide', 'needs crop_size'),
    (f'model.test_cfg={TOO_FAR}', r'stride must be in 1..crop_size = \(8, 8\), got \(9, 8\)'),
    ('model.decode_head.loss_decode.class_weight=[1]', 'has 1 numbers for 12 classes'),
    (f'model.decode_head.loss_decode={WEIGHTED_BCE}', 'weighs columns of pixels'),
    (f'train_dataloader.batch_size=1; {SMALL}', 'coarsest map has one pixel'),
    (f'model.decode_head={NOTHING}', "decode_head: DPTHead needs 'num_classes'"),
]
"""Options of the scenes' config, and what is said of them."""


@pytest.mark.parametrize(
    ('name', 'option', 'message'),
    [
        *((NAME, *row) for row in MISTAKES),
        # a key of the base stays
        (
            *(CAMVID, 'model.backbone.type=mmseg.ResNet'),
            r'it comes from _base_, model\.backbone=dict\(_delete_=True, \.\.\.\) leaves out all',
        ),
        (MIX, f'{PARTS}.1.ann_fle=a.csv', rf"{PARTS}\[1\]\.ann_fle: .*'ann_file'"),
        (MIX, f'{PARTS}.2.pipeline.1.type=LoadDeth', r"datasets\[2\]\.pipeline\[1\].*'LoadDepth'"),
    ],
)
def test_what_no_component_takes_and_unknown_components_are_named(name, option, message):
    with pytest.raises(InputError, match=message):
        check_config(load_config(name, option.split('; ')))


def test_arguments_of_host_components_pass():
    options = ['model.backbone.drop_path_rate=0.1', 'model.decode_head.ignore_index=254']
    of_data = ('img_suffix=.png', 'pipeline.2.keep_ratio=True')
    options += [f'train_dataloader.dataset.{option}' for option in of_data]
    check_config(load_config(NAME, options))


@pytest.mark.parametrize(
    ('name', 'option', 'message'),
    [
        (
            *(CAMVID, 'model.decode_head.num_classes=3'),
            r'decode_head\.num_classes is 3, but train_dataloader\.dataset has 11 classes',
        ),
        (
            *(JOINT, 'model.decode_head.num_classes=2'),
            r'is 2, but train_dataloader\.dataset\.datasets\[0\] has 12 classes',
        ),
        (
            *(CAMVID, f'val_dataloader.dataset.metainfo.classes={[str(k) for k in range(256)]}'),
            r'val_dataloader\.dataset has 256 classes: at most 255',
        ),
        (
            *(CAMVID, 'val_dataloader.dataset.metainfo.palette=[[0, 0, 0]]'),
            r'val_dataloader\.dataset\.metainfo\.palette has 1 colours for 11 classes',
        ),
    ],
)
def test_classes_that_the_head_has_not_are_named(name, option, message):
    with pytest.raises(InputError, match=message):
        check_classes(load_config(name, [option]))


def test_more_classes_than_the_data_and_other_names_are_warnings(capfd, forget_runs):
    names = [str(k) for k in range(11)]
    options = ['num_classes=20', 'loss_decode.class_weight=None']
    options = [f'model.decode_head.{option}' for option in options]
    options.append(f'val_dataloader.dataset.metainfo.classes={names}')
    check_classes(load_config(CAMVID, options))
    said = ''.join(capfd.readouterr())
    assert said.count('num_classes is 20, but train_dataloader.dataset has 11 classes') == 1
    assert said.count('is 20') == 1
    assert 'the classes of val_dataloader.dataset have other names than those of train' in said


@pytest.mark.parametrize(
    ('option', 'line'),
    [
        ('lr_config.policy=poly', 'nothing reads these keys of the config: lr_config'),
        (
            'train_cfg.max_iters=1000',
            'param_scheduler[1] ends at 900 with a learning rate of 0, and the training at 1000: '
            'nothing is learnt in between',
        ),
        ('train_cfg.max_iters=800', None),
    ],
)
def test_what_nothing_reads_and_an_idle_end_are_told(monkeypatch, option, line):
    told = []
    monkeypatch.setattr(check, 'print_log', lambda line, *_: told.append(line))
    check_config(load_config(NAME, [option]))
    assert told == ([line] if line else [])


HOST = sorted(Path(mmseg.__file__).parent.glob('.mim/configs/*/*.py'))
DPT = next(path for path in HOST if path.parent.name == 'dpt')


def test_the_host_s_own_config_of_dpt_passes_and_ours_tells_it_key_by_key():
    check_config(load_config(str(DPT)))
    with pytest.raises(InputError) as caught:
        check_config(load_config(str(DPT), ['default_scope=mmdpt']))
    assert str(caught.value).splitlines() == [
        "model.decode_head.in_channels: DPTHead sets 'in_channels' itself; leave it out",
        'model.decode_head.post_process_channels: DPTHead takes no argument '
        "'post_process_channels'; did you mean 'reassemble_channels'?",
        "model.decode_head.input_transform: DPTHead sets 'input_transform' itself; leave it out",
        "model.decode_head.in_index: DPTHead sets 'in_index' itself; leave it out",
    ]


@pytest.mark.nightly
@pytest.mark.parametrize('path', HOST, ids=lambda path: path.stem)
def test_no_config_of_the_host_is_refused(path):
    if path.parent.name in ('_base_', 'mask2former', 'maskformer'):  # these need mmdet
        pytest.skip('no config of mmseg alone')
    mistakes = {'bisenetv2*-ohem-*': 'models: no part of', 'dnl*80k*769': 'phi.wd_mult: unknown'}
    for pattern, message in mistakes.items():  # of keys that nothing reads
        if fnmatch(path.stem, f'{pattern}*'):
            with pytest.raises(InputError, match=message):
                check_config(load_config(str(path)))
            return
    check_config(load_config(str(path)))


CONFIG = dict(
    launcher='pytorch',
    model=dict(norm_cfg=dict(type='SyncBN', eps=1e-3), heads=[dict(norm_cfg=dict(type='SyncBN'))]),
    env_cfg=dict(dist_cfg=dict(backend='nccl')),
    optim_wrapper=dict(type='AmpOptimWrapper', loss_scale='dynamic'),
)


def test_without_cuda(monkeypatch):
    said = []
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    monkeypatch.setattr(devices, 'print_log', lambda message, **_: said.append(message))
    cfg = Config(CONFIG)
    fit_config_to_machine(cfg)
    assert cfg.model.norm_cfg == dict(type='BN', eps=1e-3)
    assert cfg.model.heads[0].norm_cfg.type == 'BN'
    assert cfg.env_cfg.dist_cfg.backend == 'gloo'
    assert cfg.optim_wrapper == dict(type='Bf16OptimWrapper')
    assert len(said) == 1
    assert 'no CUDA' in said[0] and 'BN for SyncBN' in said[0] and 'gloo for nccl' in said[0]


def test_with_cuda_batches_are_pinned_unless_the_config_says_otherwise(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    loaders = dict(train_dataloader=dict(batch_size=2), val_dataloader=dict(pin_memory=False))
    cfg = Config({**CONFIG, **loaders})
    fit_config_to_machine(cfg)
    loaders['train_dataloader'] = dict(batch_size=2, pin_memory=True)
    assert cfg.to_dict() == Config({**CONFIG, **loaders}).to_dict()


@pytest.mark.parametrize('computes', [True, False])
def test_bfloat16_only_where_the_machine_computes_it(monkeypatch, computes):
    from mmdpt.training.nonfinite import optim_wrapper

    monkeypatch.setattr(optim_wrapper, 'computes_bfloat16', lambda: computes)
    model = torch.nn.Linear(2, 2)
    wrapper = optim_wrapper.Bf16OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    with wrapper.optim_context(model):
        output = model(torch.ones(1, 2))
    assert output.dtype is (torch.bfloat16 if computes else torch.float32)
    wrapper.update_params(output.float().sum())
    assert model.weight.dtype is torch.float32

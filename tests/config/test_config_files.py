"""Configs: found by path or name, overridden, checked before anything is built."""

import pytest

from mmdpt.config import check_config, load_config
from mmdpt.config.config_files import parse_options
from mmdpt.errors import InputError

NAME = 'dpt_vit-ti16_scenes'


def test_name_and_path_give_the_same_config():
    by_name = load_config(NAME)
    assert load_config(by_name.filename).pretty_text == by_name.pretty_text


def test_unknown_name_gives_the_nearest():
    with pytest.raises(InputError, match='nearest names: dpt_vit-l16_ade20k'):
        load_config('dpt_vit-l16_ade')


def test_missing_path_is_named():
    with pytest.raises(InputError, match=r'no config file configs/mine\.py'):
        load_config('configs/mine.py')


def test_config_with_a_mistake_is_named(tmp_path):
    path = tmp_path / 'wrong.py'
    path.write_text("_base_ = ['./gone.py']\n")
    with pytest.raises(InputError, match=r'cannot read config .*wrong\.py.*gone\.py'):
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
        ('w/my runs/a', 'w/my runs/a'),
        ('w/a,b', 'w/a,b'),
        ('w/a, b (1', 'w/a, b (1'),
        ("it's", "it's"),
        ('a=b', 'a=b'),
        ('', ''),
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


def test_override_without_value_is_refused():
    with pytest.raises(InputError, match="key=value, got 'channels'"):
        load_config(NAME, ['channels'])


TINY, MIX = NAME, 'dpt_vit-b16_mix6'
PARTS = 'train_dataloader.dataset.datasets'


@pytest.mark.parametrize(
    ('name', 'option', 'message'),
    [
        (TINY, 'model.decode_head.readout=add', r"decode_head\.readout: DPTHead .*'readout_type'"),
        (TINY, 'model.backbone.drop_pth_rate=0.1', r"VisionTransformerDPT .*'drop_path_rate'"),
        (TINY, 'model.backbnoe.arch=base', r"model\.backbnoe: EncoderDecoder .*'backbone'"),
        (TINY, 'model.decode_head.loss_decode.weight=2', r'loss_decode\.weight: CrossEntropyLoss'),
        (TINY, 'train_dataloader.dataset.dataroot=x', r"train_dataloader\.dataset\..*'data_root'"),
        (
            *(TINY, 'train_dataloader.dataset.pipeline.1.colour=x'),
            r'pipeline\[1\]\.colour: LoadAnnotations',
        ),
        (TINY, 'default_hooks.logger.intervall=1', r"logger\.intervall: LoggerHook .*'interval'"),
        (TINY, 'model.decode_head.type=DTPHead', r"decode_head\.type: .*'DTPHead'.*'DPTHead'"),
        (MIX, f'{PARTS}.1.ann_fle=a.csv', rf"{PARTS}\[1\]\.ann_fle: .*'ann_file'"),
        (MIX, f'{PARTS}.2.pipeline.1.type=LoadDeth', r"datasets\[2\]\.pipeline\[1\].*'LoadDepth'"),
    ],
)
def test_key_that_no_component_takes_and_unknown_component_are_named(name, option, message):
    with pytest.raises(InputError, match=message):
        check_config(load_config(name, [option]))


def test_arguments_of_host_components_pass():
    cfg = load_config(
        NAME,
        [
            'model.backbone.drop_path_rate=0.1',
            'model.decode_head.ignore_index=254',
            'train_dataloader.dataset.img_suffix=.png',
            'train_dataloader.dataset.pipeline.2.keep_ratio=True',
        ],
    )
    check_config(cfg)


CAMVID = 'dpt_vit-ti16_camvid'


def test_a_key_of_the_base_is_said_to_stay():
    hint = r'If it comes from _base_, model\.backbone=dict\(_delete_=True, \.\.\.\) leaves out all'
    with pytest.raises(InputError, match=hint):
        check_config(load_config(CAMVID, ['model.backbone.type=mmseg.ResNet']))


@pytest.mark.parametrize(
    ('name', 'option', 'message'),
    [
        (
            *(CAMVID, 'model.decode_head.num_classes=3'),
            r'decode_head\.num_classes is 3, but train_dataloader\.dataset has 11 classes',
        ),
        (
            *('dpt_vit-ti16_scenes-joint', 'model.decode_head.num_classes=2'),
            r'is 2, but train_dataloader\.dataset\.datasets\[0\] has 12 classes',
        ),
        (
            *(CAMVID, f'val_dataloader.dataset.metainfo.classes={[str(k) for k in range(256)]}'),
            r'val_dataloader\.dataset has 256 classes: at most 255',
        ),
    ],
)
def test_classes_that_the_head_has_not_are_named(name, option, message):
    with pytest.raises(InputError, match=message):
        check_config(load_config(name, [option]))


def test_more_classes_than_the_data_and_other_names_are_warnings(capfd, forget_runs):
    names = [str(k) for k in range(11)]
    options = ['model.decode_head.num_classes=20']
    check_config(
        load_config(CAMVID, [*options, f'val_dataloader.dataset.metainfo.classes={names}'])
    )
    said = ''.join(capfd.readouterr())
    assert said.count('num_classes is 20, but train_dataloader.dataset has 11 classes') == 1
    assert said.count('is 20') == 1
    assert 'the classes of val_dataloader.dataset have other names than those of train' in said

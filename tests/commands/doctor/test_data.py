"""The folders that configs expect, and what tells how to fill them."""

from pathlib import Path

import pytest
from mmengine.config import Config

from mmdpt.commands.doctor import data
from mmdpt.commands.doctor.data import check_all_data, check_config_data, data_roots, where_from
from mmdpt.config import load_config
from mmdpt.errors import InputError
from mmdpt.files.shipped import shipped

REPO = Path(__file__).resolve().parents[3]
NAME = 'dpt_vit-ti16_scenes'


def found_for(subject, findings):
    (finding,) = [finding for finding in findings if finding.subject == subject]
    return finding


def test_roots_come_with_the_keys_that_name_them():
    nested = dict(
        datasets=[
            dict(type='A', data_root='data/a'),
            dict(dataset=dict(type='B', ann_file='data/b/list.csv')),
        ]
    )
    cfg = Config(
        dict(
            train_dataloader=dict(dataset=nested),
            val_dataloader=dict(dataset=dict(data_root='data/a', ann_file='val.txt')),
            test_dataloader=None,
        )
    )
    assert data_roots(cfg) == {
        'data/a': [
            'train_dataloader.dataset.datasets.0.data_root',
            'val_dataloader.dataset.data_root',
        ],
        'data/b': ['train_dataloader.dataset.datasets.1.dataset.ann_file'],
    }


def test_config_without_data_has_no_roots():
    assert data_roots(Config(dict(train_dataloader=None, model=dict(data_root='x')))) == {}


def test_keys_of_a_mix_are_overrides_that_work():
    cfg = load_config('dpt_vit-l16_mix6')
    keys = [key for keys in data_roots(cfg).values() for key in keys]
    moved = load_config('dpt_vit-l16_mix6', [f'{key}=/elsewhere' for key in keys])
    assert data_roots(moved) == {'/elsewhere': keys} and len(keys) == 9


def test_data_that_a_config_lacks_is_wrong_with_page_and_override(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (finding,) = check_config_data('dpt_vit-l16_nyu')
    assert (finding.state, finding.subject) == ('wrong', 'data/nyu')
    assert f'no folder {tmp_path / "data" / "nyu"}, for train, val, test of' in finding.text
    assert finding.remedy.startswith('docs/datasets-depth.md describes it')
    assert 'val_dataloader.dataset.data_root=...' in finding.remedy


def test_one_folder_that_lacks_is_the_only_one_that_is_wrong(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ('redweb', 'hrwsi', 'blendedmvs', 'megadepth', 'tartanair', 'apolloscape', 'irs'):
        (tmp_path / 'data' / 'mix6' / name).mkdir(parents=True)
    wrong = [f.subject for f in check_config_data('dpt_vit-l16_mix6') if f.state == 'wrong']
    assert wrong == ['data/nyu']


def test_data_that_is_there_or_elsewhere_is_fine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'data' / 'scenes').mkdir(parents=True)
    (finding,) = check_config_data(NAME)
    assert finding.state == 'ok' and 'mmdpt check-dataset' in finding.text
    (tmp_path / 'mine').mkdir()
    loaders = ('train', 'val', 'test')
    options = [f'{loader}_dataloader.dataset.data_root=mine' for loader in loaders]
    (finding,) = check_config_data(NAME, options)
    assert (finding.state, finding.subject) == ('ok', 'mine')


def test_file_in_the_place_of_the_folder_is_wrong(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'data').mkdir()
    (tmp_path / 'data' / 'scenes').write_text('')
    (finding,) = check_config_data(NAME)
    assert finding.state == 'wrong'
    assert finding.remedy.startswith('mmdpt dataset-converters/scenes data/scenes renders it')


def test_config_that_is_not_there_is_an_input_error():
    with pytest.raises(InputError, match='no config file and no config of mmdpt named dpt_gone'):
        list(check_config_data('dpt_gone'))


def test_config_with_a_wrong_key_is_an_input_error():
    with pytest.raises(InputError, match='dataroot'):
        list(check_config_data(NAME, ['train_dataloader.dataset.dataroot=x']))


def test_data_of_all_configs_is_information(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'data' / 'camvid').mkdir(parents=True)
    findings = list(check_all_data())
    assert {finding.state for finding in findings} == {'ok', 'note'}
    assert [finding.subject for finding in findings if finding.state == 'ok'] == ['data/camvid']
    assert found_for('data/eth3d', findings).text == 'is not there, for 1 config'
    assert 'docs/zero-shot.md' in found_for('data/eth3d', findings).remedy


def test_every_root_of_mmdpt_has_a_page_that_mentions_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {Path(finding.subject).parts[1] for finding in check_all_data()}
    assert names == set(data.PAGES)
    for name in names:
        page = (REPO / data.PAGES[name]).read_text(encoding='utf-8')
        assert name.partition('_')[0] in page, name


def test_command_that_makes_the_data_exists():
    for command in data.COMMANDS.values():
        program, tool, _ = command.split()
        assert program == 'mmdpt'
        assert (shipped('tools') / f'{tool.replace("-", "_")}.py').is_file()


@pytest.mark.parametrize('root', ['/data/nyu', 'mine', 'data', 'data/other', '.'])
def test_unknown_folder_gets_the_page_about_data(root):
    assert where_from(root) == 'docs/datasets.md says what goes into it'

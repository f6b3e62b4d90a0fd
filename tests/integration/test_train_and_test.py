"""Training and testing through the tools, as a user types them."""

import json
import re

import numpy as np
import pytest
import torch
from PIL import Image

from mmdpt.apis import init_model
from mmdpt.scenes import CLASSES


def load(path):
    return torch.load(path, map_location='cpu', weights_only=False)['state_dict']


def miou(text):
    return float(re.findall(r'mIoU: ([\d.]+)', text)[-1])


def test_training_learns_and_evaluates(trained):
    scalars = next(trained.glob('*/vis_data/scalars.json'))
    rows = [json.loads(line) for line in scalars.read_text().splitlines()]
    losses = [row['loss'] for row in rows if 'loss' in row]
    assert len(losses) == 4
    assert all(np.isfinite(losses))
    assert any('mIoU' in row for row in rows)
    assert any('decode.aux_loss_ce' in row for row in rows)


def test_console_is_fit_to_read(trained):
    """No dump of parameters, config or hooks, no messages of absent packages, no warnings."""
    console = (trained / 'console.txt').read_text()
    for noise in ('Could not import', 'Name of parameter', 'init_cfg', 'Warning', 'WARNING'):
        assert noise not in console, console
    assert len(console.splitlines()) < 60
    assert 'eta:' in console
    assert console.count('no CUDA') == (0 if torch.cuda.is_available() else 1)
    log = next(trained.glob('*/*.log')).read_text()
    assert 'System environment' in log and 'Config:' in log


def test_resumed_training_ends_with_the_same_weights(config, run_tool, tmp_path):
    """Samples and their augmentation, weights, optimiser and schedule go on; workers may differ."""
    path = tmp_path / 'augmented.py'
    path.write_text(f"""
_base_ = ['{config}']
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomResize', scale=(64, 48), ratio_range=(1.0, 1.5), keep_ratio=True),
    dict(type='RandomCrop', crop_size=(48, 64)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
model = dict(decode_head=dict(dropout_ratio=0.1))
""")
    whole, resumed = tmp_path / 'whole', tmp_path / 'resumed'
    workers = ('--cfg-options', 'train_dataloader.num_workers=2')
    assert run_tool('train.py', path, '--work-dir', whole, *workers).returncode == 0
    resumed.mkdir()
    (resumed / 'iter_2.pth').write_bytes((whole / 'iter_2.pth').read_bytes())
    (resumed / 'last_checkpoint').write_text(str(resumed / 'iter_2.pth'))
    done = run_tool('train.py', path, '--work-dir', resumed, '--resume')
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'Iter(train) [3/4]' in done.stdout and 'Iter(train) [1/4]' not in done.stdout
    expected, weights = load(whole / 'iter_4.pth'), load(resumed / 'iter_4.pth')
    assert weights.keys() == expected.keys()
    for key, value in expected.items():
        torch.testing.assert_close(weights[key], value, rtol=0, atol=0)


def test_test_gives_the_metrics_of_the_last_validation(trained, config, run_tool, tmp_path):
    pictures, maps = tmp_path / 'pictures', tmp_path / 'maps'
    done = run_tool(
        *('test.py', config, trained / 'iter_4.pth', '--work-dir', tmp_path / 'work'),
        *('--show-dir', pictures, '--out', maps),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert miou(done.stdout) == miou((trained / 'console.txt').read_text())
    names = [f'scene_{index:08d}.png' for index in (1, 2, 3)]
    assert sorted(p.name for p in pictures.iterdir()) == names
    assert sorted(p.name for p in maps.iterdir()) == names
    picture = np.asarray(Image.open(pictures / names[0]))
    assert picture.shape == (48, 4 * 64 + 3 * 4, 3)
    labels = np.asarray(Image.open(maps / names[0]))
    assert labels.shape == (48, 64)
    assert labels.min() >= 1 and labels.max() <= len(CLASSES)


def test_pictures_show_the_predicted_labels(trained, config, run_tool, scenes, tmp_path):
    from mmdpt.scenes import PALETTE

    done = run_tool(
        *('test.py', config, trained / 'iter_4.pth', '--work-dir', tmp_path / 'work'),
        *('--show-dir', tmp_path / 'pictures', '--out', tmp_path / 'maps'),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    name = 'scene_00000002'
    picture = np.asarray(Image.open(tmp_path / 'pictures' / f'{name}.png')).astype(float)
    image = np.asarray(Image.open(scenes / 'images' / 'validation' / f'{name}.jpg')).astype(float)
    truth = np.asarray(Image.open(scenes / 'annotations' / 'validation' / f'{name}.png'))
    labels = np.asarray(Image.open(tmp_path / 'maps' / f'{name}.png'))
    for start, shown in ((68, truth), (136, labels)):
        colours = np.array(PALETTE)[shown - 1]
        column = picture[:, start : start + 64]
        np.testing.assert_allclose(column, 0.7 * colours + 0.3 * image, atol=3)
    wrong = (picture[:, 204:] == [230, 30, 60]).all(axis=2)
    assert (wrong == ((truth != labels) & (truth > 0))).all()
    assert wrong.any() and not wrong.all()


def test_test_time_augmentation_averages(trained, config, run_tool, tmp_path):
    done = run_tool('test.py', config, trained / 'iter_4.pth', '--work-dir', tmp_path, '--tta')
    assert done.returncode == 0, done.stdout + done.stderr
    assert 0 <= miou(done.stdout) <= 100


def test_amp_trains(config, run_tool, tmp_path):
    done = run_tool('train.py', config, '--work-dir', tmp_path, '--amp')
    assert done.returncode == 0, done.stdout + done.stderr
    if not torch.cuda.is_available():
        assert 'bfloat16 autocast' in done.stdout


def test_saved_model_predicts_the_same_after_loading(trained, config):
    first = init_model(str(config), str(trained / 'iter_4.pth'))
    second = init_model(str(config), str(trained / 'iter_4.pth'))
    image = torch.randn(1, 3, 50, 70)
    meta = [dict(img_shape=(50, 70), ori_shape=(50, 70))]
    with torch.no_grad():
        outputs = [model.encode_decode(image, meta) for model in (first, second)]
    assert outputs[0].shape == (1, len(CLASSES), 50, 70)
    torch.testing.assert_close(*outputs, rtol=0, atol=0)
    assert first.dataset_meta['classes'] == CLASSES


def test_pictures_of_the_training_samples(config, run_tool, tmp_path):
    done = run_tool('browse_dataset.py', config, '--out', tmp_path, '--number', '3')
    assert done.returncode == 0, done.stdout + done.stderr
    pictures = sorted(tmp_path.glob('*.png'))
    assert len(pictures) == 3
    assert np.asarray(Image.open(pictures[0])).shape[1] > 64


def test_print_config_merges_the_bases(config, run_tool):
    done = run_tool('print_config.py', config, '--cfg-options', 'model.decode_head.channels=16')
    assert done.returncode == 0
    assert 'channels=16' in done.stdout and "type='AdamW'" in done.stdout


@pytest.mark.parametrize('extra', [(), ('--tta',)])
def test_checkpoint_of_another_model_is_refused(trained, config, run_tool, tmp_path, extra):
    done = run_tool(
        *('test.py', config, trained / 'iter_4.pth', '--work-dir', tmp_path, *extra),
        *('--out', tmp_path / 'maps', '--cfg-options', 'model.decode_head.channels=16'),
    )
    assert done.returncode == 1
    error = done.stderr.splitlines()[-1]
    assert error.startswith('error: checkpoint') and 'iter_4.pth does not fit' in error
    assert 'of another shape (decode_head.' in error
    assert not list((tmp_path / 'maps').glob('*'))


def test_wrong_label_stops_the_training_with_its_name(config, run_tool, scenes, tmp_path):
    for folder in ('images', 'annotations'):
        for split in ('training', 'validation'):
            (tmp_path / 'data' / folder / split).mkdir(parents=True)
            for path in (scenes / folder / split).iterdir():
                (tmp_path / 'data' / folder / split / path.name).write_bytes(path.read_bytes())
    for path in (tmp_path / 'data' / 'annotations' / 'training').iterdir():
        Image.fromarray(np.full((48, 64), 99, np.uint8)).save(path)
    done = run_tool(
        *('train.py', config, '--work-dir', tmp_path / 'work', '--cfg-options'),
        f'train_dataloader.dataset.data_root={tmp_path / "data"}',
        'train_dataloader.num_workers=1',
    )
    assert done.returncode == 1
    assert re.search(r'error: label \S+annotations/training/\S+\.png holds \[99\]', done.stderr)
    assert 'Traceback' not in done.stderr
    assert not list((tmp_path / 'work').glob('*.pth'))


def test_missing_data_root_is_named(config, run_tool, tmp_path):
    done = run_tool(
        *('train.py', config, '--work-dir', tmp_path / 'work', '--cfg-options'),
        'train_dataloader.dataset.data_root=/nowhere/at/all',
    )
    assert done.returncode == 1
    assert 'error: data root /nowhere/at/all does not exist' in done.stderr
    assert 'docs/datasets.md' in done.stderr


def test_unknown_key_is_named(config, run_tool, tmp_path):
    done = run_tool(
        *('train.py', config, '--work-dir', tmp_path / 'work', '--cfg-options'),
        'model.decode_head.readout=add',
    )
    assert done.returncode == 1
    assert "did you mean 'readout_type'?" in done.stderr
    assert not (tmp_path / 'work').exists()


def test_missing_checkpoint_is_named(config, run_tool, tmp_path):
    done = run_tool('test.py', config, tmp_path / 'gone.pth')
    assert done.returncode == 1
    assert f'error: no checkpoint file {tmp_path / "gone.pth"}' in done.stderr

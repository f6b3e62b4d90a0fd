"""Training and testing through the tools, as a user types them."""

import json
import re
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from mmdpt.config import load_config, prepare_test
from mmdpt.scenes import CLASSES, PALETTE


def read(path):
    return np.asarray(Image.open(path))


@pytest.fixture(scope='module')
def tested(trained, config, succeed, tmp_path_factory):
    """The folder of a test's ``pictures`` and ``maps``."""
    folder = tmp_path_factory.mktemp('tested')
    succeed(
        *('test.py', config, trained / 'iter_4.pth', '--work-dir', folder / 'work'),
        *('--show-dir', folder / 'pictures', '--out', folder / 'maps'),
    )
    return folder


def test_training_learns_evaluates_and_says_it_so_that_it_can_be_read(trained):
    """No dump of parameters, config or hooks, no messages of absent packages, no warnings."""
    scalars = next(trained.glob('*/vis_data/scalars.json')).read_text().splitlines()
    rows = [json.loads(line) for line in scalars]
    losses = [row['loss'] for row in rows if 'loss' in row]
    assert len(losses) == 4 and all(np.isfinite(losses))
    assert all(any(name in row for row in rows) for name in ('mIoU', 'decode.aux_loss_ce'))
    console = (trained / 'console.txt').read_text()
    for noise in ('Could not import', 'Name of parameter', 'init_cfg', 'Warning', 'WARNING'):
        assert noise not in console, console
    assert len(console.splitlines()) < 60 and 'eta:' in console
    assert console.count('no CUDA') == (0 if torch.cuda.is_available() else 1)
    log = next(trained.glob('*/*.log')).read_text()
    assert 'System environment' in log and 'Config:' in log


@pytest.mark.parametrize('taken', ['dpt_vit-b16_ade20k', 'configs/a.py'])
def test_a_config_after_resume_is_not_taken_for_a_checkpoint(run_tool, taken):
    done = run_tool('train.py', '--resume', taken)
    assert done.returncode == 2
    assert f'{taken} is no checkpoint; a config goes before --resume' in done.stderr


def test_a_test_draws_every_image_and_writes_its_labels(tested, scenes):
    """Image | true labels | labels | error."""
    names = [f'scene_{index:08d}.png' for index in (1, 2, 3)]
    assert sorted(path.name for path in (tested / 'pictures').iterdir()) == names
    assert sorted(path.name for path in (tested / 'maps').iterdir()) == names
    picture, labels = (read(tested / kind / names[1]) for kind in ('pictures', 'maps'))
    assert picture.shape == (48, 4 * 64 + 3 * 4, 3)
    assert labels.shape == (48, 64)
    assert labels.min() >= 1 and labels.max() <= len(CLASSES)
    truth = read(scenes / 'annotations/validation' / names[1])
    image = read(scenes / 'images/validation' / names[1].replace('png', 'jpg'))
    for start, shown in ((68, truth), (136, labels)):
        expected = 0.7 * np.array(PALETTE)[shown - 1] + 0.3 * image
        np.testing.assert_allclose(picture[:, start : start + 64], expected, atol=3)
    wrong = (picture[:, 204:] == [230, 30, 60]).all(axis=2)
    assert (wrong == ((truth != labels) & (truth > 0))).all()
    assert wrong.any() and not wrong.all()


def test_images_without_labels_get_the_same_predictions(trained, tested, config, succeed, tmp_path):
    done = succeed(
        *('test.py', config, trained / 'iter_4.pth', '--work-dir', tmp_path / 'work'),
        *('--show-dir', tmp_path / 'pictures', '--out', tmp_path / 'maps', '--cfg-options'),
        'test_dataloader.dataset.data_prefix.seg_map_path=None',
    )
    assert 'there are no metrics' in done.stdout and 'mIoU' not in done.stdout
    for path in (tested / 'maps').iterdir():
        assert (tmp_path / 'maps' / path.name).read_bytes() == path.read_bytes()
        assert read(tmp_path / 'pictures' / path.name).shape == (48, 2 * 64 + 4, 3)


def test_test_time_augmentation_averages(trained, config, succeed, tmp_path):
    command = ('test.py', config, trained / 'iter_4.pth', '--work-dir', tmp_path)
    done = succeed(*command, '--tta')
    assert 0 <= float(re.findall(r'mIoU: ([\d.]+)', done.stdout)[-1]) <= 100


def test_amp_trains(config, succeed, tmp_path):
    done = succeed('train.py', config, '--work-dir', tmp_path, '--amp')
    if not torch.cuda.is_available():
        assert 'bfloat16 autocast' in done.stdout


# what is wrong is named


def test_wrong_label_stops_the_training_with_its_name(config, run_tool, scenes, tmp_path):
    data = shutil.copytree(scenes, tmp_path / 'data')
    for path in (data / 'annotations/training').iterdir():
        Image.fromarray(np.full((48, 64), 99, np.uint8)).save(path)
    done = run_tool(
        *('train.py', config, '--work-dir', tmp_path / 'work', '--cfg-options'),
        *(f'train_dataloader.dataset.data_root={data}', 'train_dataloader.num_workers=1'),
    )
    assert done.returncode == 1
    assert re.search(r'error: label \S+annotations/training/\S+\.png holds \[99\]', done.stderr)
    assert 'Traceback' not in done.stderr
    assert not list((tmp_path / 'work').glob('*.pth'))


@pytest.mark.parametrize(
    ('tool', 'options', 'message'),
    [
        (
            *('train.py', ('--cfg-options', 'train_dataloader.dataset.data_root=/nowhere/at/all')),
            'error: data root /nowhere/at/all does not exist; how to prepare data: docs/data',
        ),
        (
            *('train.py', ('--cfg-options', 'model.decode_head.readout=add')),
            "did you mean 'readout_type'?",
        ),
        (
            *('train.py', ('--work-dir', 'file/work')),
            'error: cannot write into file/work: Not a directory',
        ),
        ('test.py', ('gone.pth',), 'error: no checkpoint file gone.pth'),
    ],
)
def test_what_is_wrong_is_named_first(config, run_tool, tmp_path, tool, options, message):
    (tmp_path / 'file').touch()
    done = run_tool(tool, config, '--work-dir', tmp_path / 'work', *options, cwd=tmp_path)
    (error,) = done.stderr.splitlines()
    assert done.returncode == 1 and message in error
    assert not list(tmp_path.glob('work/*.pth'))


# depth


@pytest.fixture(scope='module')
def depth_config(config_of):
    return config_of('depth')


def test_depth_trains_is_evaluated_written_and_drawn(depth_config, succeed, tmp_path):
    done = succeed('train.py', depth_config, '--work-dir', tmp_path)
    losses = [float(x) for x in re.findall(r'decode\.loss_silog: ([\d.]+)', done.stdout)]
    assert len(losses) == 4 and all(0 < loss < 10 for loss in losses)
    assert 'WARNING' not in done.stdout and 'Warning' not in done.stderr
    out, drawn = tmp_path / 'depth', tmp_path / 'pictures'
    done = succeed(
        *('test.py', depth_config, tmp_path / 'iter_4.pth', '--work-dir', tmp_path / 'test'),
        *('--show-dir', drawn, '--out', out),
    )
    d1, abs_rel = re.findall(r'd1: ([\d.]+).*abs_rel: ([\d.]+)', done.stdout)[-1]
    assert 0 <= float(d1) <= 1 and float(abs_rel) > 0
    depth = np.load(sorted(out.glob('*.npy'))[0])
    assert depth.shape == (48, 64) and depth.dtype == np.float32
    assert (depth >= 0.1).all() and (depth <= 65).all()
    assert len(list(drawn.glob('*.png'))) == 3
    assert {path.stem for path in out.glob('*.npy')} == {path.stem for path in drawn.iterdir()}
    assert all(read(path).shape == (48 + 34, 4 * 64 + 3 * 4, 3) for path in drawn.iterdir())


@pytest.mark.nightly
def test_variants_are_compared_with_their_base(depth_config, succeed, tmp_path):
    """One variant trains, one is the base tested at another size, a third is the base itself."""
    changes = {
        'readout-add': "model = dict(decode_head=dict(readout_type='add'))",
        'resolution': 'test_dataloader = _base_.test_dataloader\n'
        'test_dataloader.dataset.pipeline[2].scale = (32, 24)',
        'same': '',
    }
    paths = [tmp_path / f'{name}.py' for name in changes]
    for path, change in zip(paths, changes.values(), strict=True):
        path.write_text(f"_base_ = '{depth_config}'\n{change}\n")
    work_dir = tmp_path / 'work'
    succeed('ablate.py', *paths, '--base', depth_config, '--iters', 31, '--work-dir', work_dir)
    rows = [line.split(' | ') for line in (work_dir / 'table.md').read_text().splitlines()[2:]]
    assert [row[0] for row in rows] == ['| base', *(f'| {name}' for name in changes)]
    assert rows[3][1:] == [rows[0][1], '+0.0000 (+0.0000 to +0.0000)', *rows[0][3:]]
    assert rows[1][1] != rows[0][1] and rows[2][1] != rows[0][1]
    trained = sorted(path.parent.name for path in work_dir.glob('*/iter_31.pth'))
    assert trained == ['base', 'readout-add']


def test_variants_of_fewer_iterations_than_the_warm_up(depth_config, run_tool, tmp_path):
    done = run_tool('ablate.py', '--base', depth_config, '--iters', '30', '--work-dir', tmp_path)
    assert done.returncode == 1
    assert done.stderr == 'error: --iters must be more than the 30 of the warm-up\n'


def test_tta_of_depth_averages_with_the_mirror_image(depth_config, tmp_path):
    cfg = load_config(str(depth_config))
    (tmp_path / 'a.pth').touch()
    prepare_test(cfg, str(tmp_path / 'a.pth'), tta=True)
    assert cfg.model.test_cfg.flip is True

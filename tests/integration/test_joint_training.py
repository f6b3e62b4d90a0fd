"""Segmentation and depth on one encoder through the tools: trained, evaluated, drawn."""

import re

import numpy as np
import pytest
import tiny
import torch
from PIL import Image

from mmdpt.config import load_config
from mmdpt.scenes import PALETTE


@pytest.fixture(scope='module')
def joint_config(config_of):
    """Of eight scenes three have both labels, three class labels, two depth."""
    return config_of('joint')


@pytest.fixture(scope='module')
def trained_jointly(joint_config, succeed, tmp_path_factory):
    """The work dir of four iterations, and what the console said."""
    work_dir = tmp_path_factory.mktemp('joint')
    done = succeed('train.py', joint_config, '--work-dir', work_dir)
    assert 'WARNING' not in done.stdout and 'Warning' not in done.stderr
    return work_dir, done.stdout


@pytest.fixture(scope='module')
def tested_jointly(trained_jointly, joint_config, succeed, tmp_path_factory):
    """The folder of pictures of a test, and what the console said."""
    pictures = tmp_path_factory.mktemp('pictures')
    work_dir, _ = trained_jointly
    done = succeed(
        *('test.py', joint_config, work_dir / 'iter_4.pth', '--work-dir', work_dir / 'test'),
        *('--show-dir', pictures),
    )
    return pictures, done.stdout


def metrics(text):
    """mIoU [%], AbsRel and d1 as they stand in the last evaluation."""
    return [
        float(re.findall(rf'\b{name}: ([\d.]+)', text)[-1]) for name in ('mIoU', 'abs_rel', 'd1')
    ]


def test_both_tasks_train_and_are_evaluated(trained_jointly):
    _, console = trained_jointly
    for name in ('decode.loss_ce', 'decode.aux_loss_ce', 'depth.loss_silog'):
        values = [float(x) for x in re.findall(rf'{re.escape(name)}: ([\d.]+)', console)]
        assert len(values) == 4 and all(0 <= value < 10 for value in values)
        assert max(values) > 0
    miou, abs_rel, d1 = metrics(console)
    assert 0 <= miou <= 100 and abs_rel > 0 and 0 <= d1 <= 1


def test_validation_has_metrics_and_pictures_of_a_test(trained_jointly, tested_jointly):
    assert metrics(tested_jointly[1]) == metrics(trained_jointly[1])
    work_dir, console = trained_jointly
    path = work_dir / 'pictures' / 'iter_4.png'
    assert f'picture of the validation: {path}' in console
    tested = [np.asarray(Image.open(path)) for path in sorted(tested_jointly[0].glob('*.png'))]
    tops = np.cumsum([0] + [len(picture) + 4 for picture in tested])
    drawn = np.asarray(Image.open(path))
    assert len(drawn) == tops[-1] - 4
    for top, picture in zip(tops, tested, strict=False):
        np.testing.assert_array_equal(drawn[top : top + len(picture)], picture)


def test_every_image_has_a_picture_with_labels_above_depth(tested_jointly, scenes):
    """Above image | true labels | labels | error; below image | true depth | depth | error."""
    drawn = sorted(tested_jointly[0].glob('*.png'))
    assert [path.stem for path in drawn] == [f'scene_{k:08d}' for k in (1, 2, 3)]
    for path in drawn:
        assert np.asarray(Image.open(path)).shape == (48 + 4 + 48 + 34, 4 * 64 + 3 * 4, 3)
    name = 'scene_00000002'
    picture = np.asarray(Image.open(tested_jointly[0] / f'{name}.png')).astype(float)
    image = np.asarray(Image.open(scenes / f'images/validation/{name}.jpg')).astype(float)
    truth = np.asarray(Image.open(scenes / f'annotations/validation/{name}.png'))
    labels = 0.7 * np.array(PALETTE)[truth - 1] + 0.3 * image
    np.testing.assert_allclose(picture[:48, :64], image, atol=3)
    np.testing.assert_allclose(picture[:48, 68:132], labels, atol=3)
    assert (picture[48:52] == 255).all()
    np.testing.assert_allclose(picture[52:100, :64], image, atol=3)
    depth = np.asarray(Image.open(scenes / 'nyu/annotations/test/street_0002_00002.png'))
    assert (depth == 0).any() and (depth > 0).any()
    # no depth is black, which is none of the scale's colours
    black = (picture[52:100, 68:132] == 0).all(axis=-1)
    np.testing.assert_array_equal(black, depth == 0)


def test_calibrated_checkpoint_predicts_depths_that_fit_better(tmp_path, scenes, succeed):
    """The head starts at the data's median; a checkpoint is scaled to the test's depth."""
    more = """
model["depth_head"].update(max_depth=None, median_depth=2.0)
custom_hooks = [dict(type="MedianDepthHook", samples=4)]
"""
    config, calibrated = tiny.write_config(tmp_path, 'joint', scenes, more), tmp_path / 'c.pth'
    console = succeed('train.py', config, '--work-dir', tmp_path).stdout
    assert re.search(r'the depth head starts at the median depth, \d+(\.\d+)? m', console)
    console = succeed('test.py', config, tmp_path / 'iter_4.pth', '--calibrate', calibrated).stdout
    factor, before, after = re.search(
        r'on 3 images: every depth times ([\d.]+) takes AbsRel from ([\d.]+) to ([\d.]+)', console
    ).groups()
    assert float(factor) != 1 and float(after) < float(before)
    again = succeed('test.py', config, calibrated).stdout
    for text, error in ((console, before), (again, after)):
        assert metrics(text)[1] == pytest.approx(float(error), rel=0.02)  # of some pixels
    assert metrics(again)[0] == metrics(console)[0]


def test_half_of_the_training_images_have_both_labels():
    cfg = load_config(str(tiny.REPO / 'configs/dpt/dpt_vit-ti16_scenes-joint.py'))
    parts = cfg.train_dataloader.dataset.datasets
    assert sorted(k for part in parts for k in part.indices) == list(range(960))
    assert [len(part.indices) for part in parts] == [480, 240, 240]
    loaders = [
        [step.type for step in part.pipeline if step.type in ('LoadAnnotations', 'LoadDepth')]
        for part in parts
    ]
    assert loaders == [['LoadAnnotations', 'LoadDepth'], ['LoadAnnotations'], ['LoadDepth']]
    # rooms and streets alternate: every part has both in equal numbers
    assert [sum(k % 2 for k in part.indices) for part in parts] == [240, 120, 120]


@pytest.mark.distributed
def test_process_without_a_kind_of_label_trains_with_one_that_has_it(
    joint_config, succeed, run_ranks, tmp_path
):
    """One process sees labels only, the other depth only; neither waits for the other.

    One step of plain SGD at rate 1, without normalisation layers: the weights move by the
    gradient. Each process's task has zero gradients in the other process, and DDP takes the mean:
    half of what one process has that sees both samples.
    """
    path = tmp_path / 'plain.py'
    path.write_text(f"""
_base_ = ['{joint_config}']
model = dict(decode_head=dict(norm_cfg=None), depth_head=dict(norm_cfg=None))
train_dataloader = _base_.train_dataloader
train_dataloader.sampler.shuffle = False
train_dataloader.dataset.datasets = train_dataloader.dataset.datasets[1:]
for part in train_dataloader.dataset.datasets:
    part.indices = part.indices[:1]
    part.pipeline[-3].prob = 0.0
    del part.pipeline[-2]
optim_wrapper = dict(_delete_=True, type='OptimWrapper', optimizer=dict(type='SGD', lr=1.0))
param_scheduler = None
train_cfg = dict(max_iters=1, val_interval=100)
default_hooks = dict(checkpoint=dict(interval=1))
""")
    one, two, start = (tmp_path / name for name in ('one', 'two', 'start'))
    options = ('--cfg-options', 'optim_wrapper.optimizer.lr=0')
    succeed('train.py', path, '--work-dir', start, *options)
    succeed('train.py', path, '--work-dir', one)
    options = ('--launcher', 'pytorch', '--cfg-options', 'train_dataloader.batch_size=1')
    done = run_ranks(2, 'train.py', path, '--work-dir', two, *options)
    assert not any(rank.returncode for rank in done), done
    initial, single, double = (
        torch.load(folder / 'iter_1.pth', weights_only=False)['state_dict']
        for folder in (start, one, two)
    )
    assert initial.keys() == double.keys()
    for key, value in initial.items():
        gradient = value - single[key]
        assert gradient.abs().max() > 0, f'{key} was not trained'
        torch.testing.assert_close(value - double[key], gradient / 2, rtol=1e-4, atol=1e-5)

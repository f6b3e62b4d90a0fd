"""Segmentation and depth on one encoder through the tools: trained, evaluated, drawn."""

import re

import numpy as np
import pytest
import tiny
from PIL import Image

from mmdpt.config import load_config
from mmdpt.scenes import PALETTE


@pytest.fixture(scope='module')
def joint_config(scenes, tmp_path_factory):
    """Of eight scenes three have both labels, three class labels, two depth."""
    more = """
model['decode_head'].update(auxiliary_weight=0.2)
model['depth_head'].update(max_depth=None, median_depth=2.0)
custom_hooks = [*_base_.custom_hooks, dict(type='MedianDepthHook', samples=4)]
"""
    return tiny.write_config(tmp_path_factory.mktemp('configs'), 'joint', scenes, more)


@pytest.fixture(scope='module')
def trained_jointly(joint_config, succeed, tmp_path_factory):
    """The work dir of four iterations, and what the console said."""
    work_dir = tmp_path_factory.mktemp('joint')
    done = succeed('train.py', joint_config, '--work-dir', work_dir)
    assert 'WARNING' not in done.stdout and 'Warning' not in done.stderr
    return work_dir, done.stdout


@pytest.fixture(scope='module')
def tested_jointly(trained_jointly, joint_config, succeed, tmp_path_factory):
    """The folder of pictures of a test, and what the console said; it writes 'calibrated.pth'."""
    pictures = tmp_path_factory.mktemp('pictures')
    work_dir, _ = trained_jointly
    done = succeed(
        *('test.py', joint_config, work_dir / 'iter_4.pth', '--work-dir', work_dir / 'test'),
        *('--show-dir', pictures, '--calibrate', work_dir / 'calibrated.pth'),
    )
    return pictures, done.stdout


def metrics(text):
    """mIoU [%], AbsRel and d1 as they stand in the last evaluation."""
    return [
        float(re.findall(rf'\b{name}: ([\d.]+)', text)[-1]) for name in ('mIoU', 'abs_rel', 'd1')
    ]


def test_both_tasks_train_and_a_validation_has_metrics_and_pictures_of_a_test(
    trained_jointly, tested_jointly
):
    work_dir, console = trained_jointly
    for name in ('decode.loss_ce', 'decode.aux_loss_ce', 'depth.loss_silog'):
        values = [float(x) for x in re.findall(rf'{re.escape(name)}: ([\d.]+)', console)]
        assert len(values) == 4 and max(values) > 0 and all(0 <= value < 10 for value in values)
    miou, abs_rel, d1 = metrics(console)
    assert 0 <= miou <= 100 and abs_rel > 0 and 0 <= d1 <= 1
    assert metrics(tested_jointly[1]) == [miou, abs_rel, d1]
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


def test_calibrated_checkpoint_predicts_depths_that_fit_better(
    trained_jointly, tested_jointly, joint_config, succeed, tmp_path
):
    """The head starts at the data's median; a checkpoint is scaled to the test's depth."""
    (work_dir, console), (_, tested) = trained_jointly, tested_jointly
    assert re.search(r'the depth head starts at the median depth, \d+(\.\d+)? m', console)
    factor, before, after = re.search(
        r'on 3 images: every depth times ([\d.]+) takes AbsRel from ([\d.]+) to ([\d.]+)', tested
    ).groups()
    assert float(factor) != 1 and float(after) < float(before)
    command = ('test.py', joint_config, work_dir / 'calibrated.pth', '--work-dir', tmp_path)
    again = succeed(*command).stdout
    for text, error in ((tested, before), (again, after)):
        assert metrics(text)[1] == pytest.approx(float(error), rel=0.02)  # of some pixels
    assert metrics(again)[0] == metrics(tested)[0]


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

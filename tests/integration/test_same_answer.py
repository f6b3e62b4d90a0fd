"""One evaluation, whatever the batch, the workers, the processes and their threads."""

import json
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from PIL import Image

from mmdpt.apis import DPTInferencer, init_model
from mmdpt.scenes import CLASSES, write_scenes

IMAGES = 5
"""On 2 and on 3 processes some have one image more than others."""


@pytest.fixture(scope='module')
def joint(tmp_path_factory):
    """The folder of five scenes, a config and a checkpoint whose predictions vary."""
    root = tmp_path_factory.mktemp('same_answer')
    write_scenes(root / 'scenes', num_train=1, num_val=IMAGES, size=tiny.SIZE, workers=1)
    more = """
test_evaluator = _base_.test_evaluator
test_evaluator[1].per_image_file = 'per_image.jsonl'
"""
    config = tiny.write_config(root, 'joint', root / 'scenes', more)
    tiny.save(tiny.randomise(init_model(str(config))), root / 'model.pth')
    return root


class Answer:
    """What a test leaves: metrics, the errors of each image, label maps and depth."""

    def __init__(self, folder):
        (self.metrics,) = (json.loads(path.read_text()) for path in folder.glob('work/*/*.json'))
        lines = (folder / 'per_image.jsonl').read_text().splitlines()
        self.per_image = [json.loads(line) for line in lines]
        self.labels = {path.name: np.asarray(Image.open(path)) for path in folder.glob('out/*.png')}
        self.depth = {path.name: np.load(path) for path in folder.glob('out/*.npy')}


@pytest.fixture(scope='module')
def evaluate(joint, run_ranks, tmp_path_factory):
    def run(processes, threads=1, **loader):
        folder = tmp_path_factory.mktemp('evaluation')
        options = [f'test_dataloader.{key}={value}' for key, value in loader.items()]
        done = run_ranks(
            *(processes, 'test.py', joint / 'joint.py', joint / 'model.pth'),
            *('--launcher', 'pytorch' if processes > 1 else 'none'),
            *('--work-dir', folder / 'work', '--out', folder / 'out'),
            *(('--cfg-options', *options) if options else ()),
            cwd=folder,
            before=f'import torch; torch.set_num_threads({threads})',
        )
        assert not any(rank.returncode for rank in done), done
        return Answer(folder)

    return run


@pytest.fixture(scope='module')
def alone(evaluate):
    """The answer of one process with one thread, image by image."""
    return evaluate(1)


def test_every_image_counts_once(alone, joint):
    """By another way: the confusion of the label maps that were written."""
    truth = joint / 'scenes' / 'annotations' / 'validation'
    confusion = np.zeros((len(CLASSES) + 1, len(CLASSES) + 1), dtype=np.int64)
    for name, labels in alone.labels.items():
        np.add.at(confusion, (np.asarray(Image.open(truth / name)), labels), 1)
    confusion = confusion[1:, 1:]  # 0 is ignored
    union = confusion.sum(0) + confusion.sum(1) - confusion.diagonal()
    iou = 100 * (confusion.diagonal() / np.where(union, union, np.nan))
    assert alone.metrics['mIoU'] == pytest.approx(np.nanmean(iou), abs=0.006)  # 2 decimals
    assert alone.metrics['abs_rel'] == pytest.approx(
        np.mean([image['abs_rel'] for image in alone.per_image]), rel=1e-12
    )
    assert len(alone.per_image) == len(alone.depth) == len(alone.labels) == IMAGES
    assert min(np.ptp(labels) for labels in alone.labels.values()) > 0
    assert min(np.ptp(depth) for depth in alone.depth.values()) > 0


def test_the_inferencer_gives_the_same(alone, joint):
    inferencer = DPTInferencer(str(joint / 'joint.py'), str(joint / 'model.pth'), device='cpu')
    predictions = inferencer(joint / 'scenes' / 'images' / 'validation')
    assert len(predictions) == IMAGES
    for prediction in predictions:
        name, labels = prediction.name, prediction.labels + 1  # in files from 1
        np.testing.assert_allclose(prediction.map, alone.depth[f'{name}.npy'], rtol=1e-6)
        np.testing.assert_array_equal(labels, alone.labels[f'{name}.png'])


def on_intel():
    """Tell whether MKL's sums do not depend on the number of threads: mmdpt/commands/tool.py."""
    cpus = Path('/proc/cpuinfo')
    return torch.backends.mkl.is_available() and (
        cpus.is_file() and 'GenuineIntel' in cpus.read_text()
    )


@pytest.mark.distributed
@pytest.mark.parametrize(
    ('processes', 'workers', 'threads'),
    [
        (2, 1, 1),
        (3, 0, 1),
        pytest.param(
            *(1, 2, 2), marks=pytest.mark.skipif(not on_intel(), reason='MKL on Intel alone')
        ),
    ],
)
def test_processes_workers_and_threads_change_nothing(evaluate, alone, processes, workers, threads):
    answer = evaluate(processes, threads, num_workers=workers)
    assert answer.metrics.keys() == alone.metrics.keys()
    for name, value in alone.metrics.items():
        if 'time' not in name:
            assert answer.metrics[name] == pytest.approx(value, rel=0, abs=1e-9), name
    assert [image['img_path'] for image in answer.per_image] == [
        image['img_path'] for image in alone.per_image
    ]
    for kind in ('labels', 'depth'):
        found, expected = getattr(answer, kind), getattr(alone, kind)
        assert found.keys() == expected.keys()
        for name, values in expected.items():
            np.testing.assert_array_equal(found[name], values)


def test_the_batch_changes_rounding_alone(evaluate, alone):
    """Convolutions of several images add in another order than those of one."""
    answer = evaluate(1, batch_size=4)
    assert answer.metrics['abs_rel'] == pytest.approx(alone.metrics['abs_rel'], rel=1e-6)
    assert answer.metrics['mIoU'] == pytest.approx(alone.metrics['mIoU'], abs=0.02)
    for name, depth in alone.depth.items():
        np.testing.assert_allclose(answer.depth[name], depth, rtol=1e-5)
    for name, labels in alone.labels.items():
        assert (answer.labels[name] == labels).mean() > 0.999

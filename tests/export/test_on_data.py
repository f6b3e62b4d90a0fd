"""Real pictures calibrate int8 and show what an exported file costs in accuracy."""

import numpy as np
import pytest
import tiny
import torch
from PIL import Image

from mmdpt.apis import init_model
from mmdpt.config import load_config
from mmdpt.errors import InputError
from mmdpt.export import export_model, loss_on_data, prepared_images
from mmdpt.export.module import ExportableModel
from mmdpt.inference.backends import open_openvino


@pytest.fixture(scope='module')
def config(scenes, tmp_path_factory):
    return tiny.write_config(tmp_path_factory.mktemp('configs'), 'joint', scenes)


@pytest.fixture(scope='module')
def model(config):
    return tiny.randomise(init_model(str(config))).eval().requires_grad_(False)


def test_equal_files_cost_nothing_and_others_what_they_cost(model, config):
    module = ExportableModel(model).eval()
    cfg = load_config(str(config))
    equal = loss_on_data(model, lambda image: list(module(image)), cfg)
    assert {name.rpartition('/')[2] for name in equal} >= {'mIoU', 'abs_rel'}
    assert all(np.isclose(ours, theirs, equal_nan=True) for ours, theirs in equal.values())

    def doubled(image):
        logits, depth = module(image)
        return [-logits, 2 * depth]

    off = loss_on_data(model, doubled, cfg)
    for name in ('mIoU', 'abs_rel'):
        (key,) = (key for key in off if key.rpartition('/')[2] == name)
        assert off[key][0] == equal[key][0] != off[key][1]
    assert model.encode_decode(torch.zeros(1, 3, 48, 64), [dict(img_shape=(48, 64))]).std() > 0


def test_a_config_without_test_data_is_named(model, config):
    cfg = load_config(str(config))
    cfg.pop('test_dataloader')
    with pytest.raises(InputError, match=r'joint\.py has no test_dataloader'):
        loss_on_data(model, list, cfg)


def test_calibration_gets_pictures_as_the_network_does(model, tmp_path):
    Image.new('RGB', (64, 48), (255, 0, 51)).save(tmp_path / 'a.png')
    (image,) = prepared_images(model, str(tmp_path))
    mean, std = (getattr(model.data_preprocessor, name).flatten() for name in ('mean', 'std'))
    expected = (torch.tensor([255.0, 0, 51]) - mean) / std  # RGB
    assert image.shape == (1, 3, 48, 64)
    torch.testing.assert_close(image[0, :, 5, 7], expected)


@pytest.mark.nightly
def test_int8_is_smaller_and_near(model, config, scenes, tmp_path):
    pytest.importorskip('nncf')
    pictures = str(scenes / 'images' / 'training')
    out = tmp_path / 'm.xml'
    images = prepared_images(model, pictures)
    comparisons = export_model(model, 'openvino', out, precision='int8', calibration=images)
    assert max(comparison.difference for comparison in comparisons) > 1e-4
    size = sum(parameter.nbytes for parameter in model.parameters())
    assert out.with_suffix('.bin').stat().st_size < 0.9 * size  # convolutions stay in float32
    found, expected = open_openvino(out).run(images[0]), ExportableModel(model)(images[0])
    for ours, theirs in zip(found, expected, strict=True):
        assert (ours - theirs).abs().mean() < 0.02 * theirs.abs().mean()

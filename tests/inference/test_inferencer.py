"""One line from a picture to what the model's own test says of it."""

from concurrent.futures import ThreadPoolExecutor
from unittest.mock import Mock

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.dataset import Compose, pseudo_collate
from PIL import Image

from mmdpt.apis import init_model
from mmdpt.datasets.scenes_dataset import ScenesDataset
from mmdpt.errors import InputError
from mmdpt.inference.devices import store_weights_in, usable_device, usable_dtype
from mmdpt.inference.inferencer import DPTInferencer
from mmdpt.inference.steady import Steady
from mmdpt.models import ResNetV2
from mmdpt.registry import TRANSFORMS

SIZES = [(48, 64), (90, 60), (1, 1), (7, 5), (31, 500), (96, 128)]
"""Height and width; of the first and last the prepared size is the same."""
MEANINGS = {'relative': ('relative', '', False), 'disparity': ('disparity', '1/m', True)}
TRUTH = ('LoadAnnotations', 'LoadDepth')


def picture(height, width, seed=0):
    """Smooth enough that neighbours resemble each other."""
    small = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


@pytest.fixture(scope='session')
def inferencer(paths_of):
    """Give the inferencer of a task, loaded once."""
    loaded = {}

    def give(task):
        if task not in loaded:
            loaded[task] = DPTInferencer(*paths_of(task), device='cpu')
        return loaded[task]

    return give


def assert_same(found, expected, rtol=1e-5):
    assert found.name == expected.name
    if expected.map is not None:
        np.testing.assert_allclose(found.map, expected.map, rtol=rtol)
    if expected.labels is not None:
        assert (found.labels == expected.labels).mean() > 0.999


def model_s_own(config, checkpoint, path):
    """What the model's test step makes of a file, by the steps of the test data."""
    model = init_model(config, checkpoint)
    steps = [s for s in model.cfg.test_dataloader.dataset.pipeline if s['type'] not in TRUTH]
    packed = Compose([TRANSFORMS.build(step) for step in steps])(dict(img_path=str(path)))
    with torch.no_grad():
        (sample,) = model.test_step(pseudo_collate([packed]))
    return sample


def test_a_file_gets_the_numbers_of_the_model_s_test(task, paths_of, inferencer, tmp_path):
    """Of every task, by sliding windows and averaged with the mirror image where the config is."""
    path = tmp_path / 'a.png'
    Image.fromarray(picture(90, 60)).save(path)
    expected = model_s_own(*paths_of(task), path)
    prediction = inferencer(task)(path)
    assert prediction.name == 'a'
    np.testing.assert_array_equal(prediction.image, picture(90, 60))
    if 'pred_depth_map' in expected:
        np.testing.assert_array_equal(prediction.map, expected.pred_depth_map.data[0].numpy())
        assert prediction.map.dtype == np.float32 and np.ptp(prediction.map) > 0
        meta = (expected.depth_output, expected.depth_unit, expected.is_metric)
        assert (prediction.output, prediction.unit, prediction.is_metric) == meta
        assert meta == MEANINGS.get(task, ('depth', 'm', True))
    else:
        assert prediction.map is None and prediction.output is None
    if 'pred_sem_seg' in expected:
        np.testing.assert_array_equal(prediction.labels, expected.pred_sem_seg.data[0].numpy())
        assert prediction.labels.dtype == np.uint8 and np.ptp(prediction.labels) > 0
        assert prediction.classes == tuple(ScenesDataset.METAINFO['classes'])
        assert prediction.palette == tuple(map(tuple, ScenesDataset.METAINFO['palette']))
    else:
        assert prediction.labels is None and prediction.classes == ()


def test_a_batch_of_any_sizes_equals_its_singles_in_order_each_in_its_own_pixels(task, inferencer):
    images = [picture(*size, seed) for seed, size in enumerate(SIZES * 2)]
    names = [f'image {index}' for index in range(len(images))]
    model = inferencer(task)
    together = model.predict_images(images, names)
    for image, name, found in zip(images, names, together, strict=True):
        (single,) = model.predict_images([image], [name])
        assert found.image is image
        assert_same(found, single, rtol=1e-4)
        if found.map is not None:
            assert found.map.shape == image.shape[:2] and np.isfinite(found.map).all()
        if found.labels is not None:
            assert found.labels.shape == image.shape[:2] and found.labels.max() < 12


def test_images_of_equal_prepared_size_share_a_batch(inferencer, monkeypatch):
    """48 x 64 and 96 x 128 px both become 48 x 64; 90 x 60 px does not."""
    model = inferencer('depth')
    batches = []
    forward = model.forward

    def watched(inputs):
        batches.append(len(inputs['inputs']))
        return forward(inputs)

    monkeypatch.setattr(model, 'forward', watched)
    images = [picture(*size) for size in ((48, 64), (90, 60), (96, 128), (48, 64), (90, 60))]
    assert len(model(images, batch_size=4)) == 5
    assert batches == [3, 1, 1]
    batches.clear()
    model(images)
    assert batches == [1] * 5


def test_one_input_gives_one_prediction_several_a_list_a_stream_one_by_one(inferencer, tmp_path):
    for name in ('b10', 'b9'):
        Image.fromarray(picture(48, 64)).save(tmp_path / f'{name}.png')
    model = inferencer('depth')
    assert model(str(tmp_path / 'b9.png')).name == 'b9'
    assert [prediction.name for prediction in model(tmp_path)] == ['b9', 'b10']
    assert isinstance(model([picture(48, 64)]), list)
    assert len(model(np.stack([picture(48, 64)] * 2), batch_size=2)) == 2
    (tmp_path / 'c.png').write_bytes(b'no picture')
    stream = model.stream(tmp_path)
    assert [next(stream).name, next(stream).name] == ['b9', 'b10']
    with pytest.raises(InputError, match=r'c\.png'):
        next(stream)


def test_the_frames_of_a_video_are_pictures(inferencer, tmp_path):
    film = str(tmp_path / 'film.avi')
    writer = cv2.VideoWriter(film, cv2.VideoWriter_fourcc(*'MJPG'), 10, (64, 48))
    for seed in range(3):
        writer.write(picture(48, 64, seed))
    writer.release()
    model = inferencer('depth')
    predictions = model(film, batch_size=2)
    assert [found.name for found in predictions] == [f'film_00000{index}' for index in range(3)]
    capture = cv2.VideoCapture(film)
    for prediction in predictions:
        frame = model(capture.read()[1], channel_order='bgr')
        np.testing.assert_allclose(prediction.map, frame.map, rtol=1e-4)


def test_frames_are_steady_on_demand_and_know_the_size_that_the_network_saw(inferencer):
    predict = inferencer('relative')
    frames = [picture(90, 60), picture(90, 60) // 2 + 60]
    plain, steady = predict(frames), predict(frames, batch_size=2, steady=True)
    for found, expected in zip(steady, map(Steady(), plain), strict=True):
        assert_same(found, expected)
        seen = predict.pipeline(found.image, '', None)['inputs']
        assert found.predicted_size == tuple(seen.shape[1:]) != found.map.shape
    assert (steady[1].map != plain[1].map).any()


def test_what_cannot_be_predicted_is_said_before_the_first_picture(inferencer, tmp_path):
    model = inferencer('depth')
    with pytest.raises(InputError, match=r'a camera has no end: use stream\(\)'):
        model(0)
    with pytest.raises(InputError, match=r'no\.png'):
        model.stream(tmp_path / 'no.png')
    with pytest.raises(ValueError, match='batch_size must be at least 1, got 0'):
        model.stream(picture(4, 4), batch_size=0)


def test_eight_threads_get_the_serial_answers_and_print_nothing(inferencer, capfd):
    model = inferencer('joint')
    images = [picture(*size, seed) for seed, size in enumerate(SIZES * 4)]
    serial = [model(image) for image in images]
    with ThreadPoolExecutor(8) as threads:
        parallel = list(threads.map(model, images))
    for found, expected in zip(parallel, serial, strict=True):
        assert_same(found, expected)
    assert capfd.readouterr() == ('', '')


def test_nothing_is_kept_of_a_call(inferencer):
    """Neither in the model, nor as gradients."""
    model = inferencer('depth')
    before = {key: value.clone() for key, value in model.model.state_dict().items()}
    attributes = set(vars(model))
    first = model(picture(90, 60)).map
    model(picture(31, 500))
    np.testing.assert_array_equal(model(picture(90, 60)).map, first)
    assert set(vars(model)) == attributes and not model.model.training
    assert all(torch.equal(value, before[key]) for key, value in model.model.state_dict().items())


@pytest.mark.parametrize(('precision', 'tolerance'), [('bf16', 0.05), ('fp16', 0.01)])
def test_half_precision_is_of_the_network_alone(paths_of, inferencer, precision, tolerance):
    """Its result is close to float32's, and resized to the picture in float32."""
    image = picture(90, 60)
    expected = inferencer('joint')(image)
    half = DPTInferencer(*paths_of('joint'), device='cpu', precision=precision)
    found = half(image)
    assert found.map.dtype == np.float32
    error = np.abs(found.map - expected.map).max() / expected.map.max()
    assert 0 < error < tolerance
    assert (found.labels == expected.labels).mean() > 0.9
    exact = torch.from_numpy(found.map)
    assert (exact != exact.to(half.dtype)).any()


@pytest.mark.nightly
@pytest.mark.timeout(900)  # the C++ compiler runs for two minutes
def test_compiled_parts_give_the_same_numbers(paths_of, inferencer):
    compiled = DPTInferencer(*paths_of('depth'), device='cpu', compile=True)
    methods = (compiled.model.backbone.forward, compiled.model.decode_head.with_sky)
    for size in ((90, 60), (31, 500)):
        assert_same(compiled(picture(*size)), inferencer('depth')(picture(*size)), rtol=1e-4)
    assert all(hasattr(method, '_torchdynamo_orig_callable') for method in methods)


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('dpt-larg-midas', 'named dpt-larg-midas; the nearest names: dpt-large-midas[,$]'),
        ('DPT-Large-MiDaS', 'named DPT-Large-MiDaS; the nearest names: dpt-large-midas[,$]'),
        ('depth_anything_v2_small', 'the nearest names: depth-anything-v2-small[,$]'),
        ('dpt_hybrid-ti16_scene', 'the nearest names: dpt_hybrid-ti16_scenes[,$]'),
        ('0', 'the nearest names: chmv2-large, '),  # like no other
        ('mine/dpt.py', r'no config file mine/dpt\.py'),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest_release_or_config(name, message):
    with pytest.raises(InputError, match=message):
        DPTInferencer(name)


def test_no_device_no_precision_no_model():
    """Before weights are loaded or downloaded."""
    with pytest.raises(InputError, match="cannot use device 'gpu'"):
        DPTInferencer('dpt-large-midas', device='gpu')
    with pytest.raises(ValueError, match="got 'int8'"):
        DPTInferencer('dpt-large-midas', device='cpu', precision='int8')


CPU = torch.device('cpu')


def test_cuda_is_taken_if_there_is_one_and_a_name_as_it_is_if_there_is_such_a_device(monkeypatch):
    for name in ('gpu', 'cuda:99', 'meta'):
        with pytest.raises(InputError, match=f"cannot use device '{name}': "):
            usable_device(name)
    for cuda, expected in ((True, 'cuda'), (False, 'cpu')):
        monkeypatch.setattr(torch.cuda, 'is_available', lambda cuda=cuda: cuda)
        assert usable_device(None) == torch.device(expected)
        assert usable_device('cpu') == CPU


def test_a_precision_is_a_dtype_or_refused_if_unknown_or_lacking_on_the_device(monkeypatch):
    assert usable_dtype('fp32', CPU) is None
    assert usable_dtype('bf16', CPU) == torch.bfloat16
    assert usable_dtype('fp16', CPU) == torch.float16
    with pytest.raises(ValueError, match=r"\['fp32', 'bf16', 'fp16'\], got 'int8'"):
        usable_dtype('int8', CPU)
    # as by releases of torch whose CPU kernels have no half
    lacking = Mock(side_effect=RuntimeError('"slow_conv2d_cpu" not implemented for \'Half\''))
    monkeypatch.setattr(F, 'conv2d', lacking)
    with pytest.raises(InputError, match=r'device cpu does not compute in fp16: .*Half'):
        usable_dtype('fp16', CPU)
    assert usable_dtype('fp32', CPU) is None


def test_weights_stored_in_half_give_what_autocast_gives_but_for_standardised_ones():
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3), torch.nn.Flatten(2), torch.nn.Linear(36, 5), torch.nn.LayerNorm(5)
    )
    images = torch.randn(2, 3, 8, 8)
    with torch.inference_mode(), torch.autocast('cpu', torch.bfloat16):
        converted_each_time = model(images)
        store_weights_in(torch.bfloat16, model)
        torch.testing.assert_close(model(images), converted_each_time, rtol=0, atol=0)
    assert model[0].weight.dtype == model[2].bias.dtype == torch.bfloat16
    assert model[3].weight.dtype == torch.float32
    model = ResNetV2(depths=(1, 1, 1), base_channels=32)
    store_weights_in(torch.bfloat16, model)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}

"""An image is prepared as the code that released the checkpoint does, and never cut."""

import functools
from fnmatch import fnmatch

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import init_default_scope

from mmdpt.checkpoints.reading.releases import RELEASES
from mmdpt.config import check_config, load_config
from mmdpt.errors import InputError
from mmdpt.inference.preparation import Preparation
from mmdpt.registry import MODELS, TRANSFORMS

SIZES = {  # width and height of what a model sees of 900 x 600 px, by hand
    # factors 0.43 and 0.64: the second changes less
    'dpt-*-midas': (576, 384),
    # 0.71 and 0.8; 720 / 32 = 22.5, to the even 22
    'dpt-hybrid-nyu': (704, 480),
    # 1.351 and 0.587: by 0.351 and 0.413; 600 * 1.351 / 32 = 25.3
    'dpt-hybrid-kitti': (1216, 800),
    # 0.53 and 0.8
    'dpt-large-ade20k': (704, 480),
    'dpt-hybrid-ade20k': (704, 480),
    # mmseg: the shorter side to 512 px, no multiple
    'mmseg-dpt-base-ade20k': (768, 512),
    # 518 / 600; 777 / 14 = 55.5, to the even 56
    'depth-anything-v*': (784, 518),
    # the longer side to 504; the shorter to 336 = 24 * 14
    'depth-anything-3-*': (504, 336),
    # NYU's and KITTI's sizes with the multiple of DPT, as above
    'dpt-dinov2-*-nyu': (704, 480),
    'dpt-dinov2-*-kitti': (1216, 800),
    'midas-beit-large-512': (768, 512),
    'midas-beit-*-384': (576, 384),
    'midas-next-vit-large-384': (576, 384),
    # Swin's windows take a square, whatever the picture's shape
    'midas-swin*-384': (384, 384),
    'midas-swin2-tiny-256': (256, 256),
    'dpt-tipsv2-*': (448, 448),
    # the shorter side to 768
    'dpt-dinov3-7b-synthmix': (1152, 768),
    # canopy height is read at the picture's own scale
    'chmv2-large': (900, 600),
}
DEMO = {  # the same of the demo's configs
    'dpt_hybrid-ti16_scenes': (160, 107),  # 160 / 900 is the smaller factor
    'dpt_hybrid-ti16_scenes-depth': (176, 120),  # 0.178 and 0.2; 180 / 8 = 22.5
    'dpt_vit-ti16_scenes-joint': (160, 107),
}
REFERENCES = {  # side, method, multiple; mean and deviation: of the scripts cited in the configs
    'dpt-large-midas': ((576, 384), (0.5,) * 3, (0.5,) * 3),
    'dpt-hybrid-kitti': ((1216, 800), (0.5,) * 3, (0.5,) * 3),
    'dpt-large-ade20k': ((704, 480), (0.5,) * 3, (0.5,) * 3),
    'depth-anything-v2-small': ((784, 518), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}


@functools.cache
def config_of(name):
    """Read a release's or a config's configuration."""
    if name in RELEASES:
        cfg = load_config(RELEASES[name].config, RELEASES[name].options)
    else:
        cfg = load_config(name)
    init_default_scope(cfg.default_scope)
    return cfg


def picture(width, height, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def prepared(cfg, image):
    return Preparation(cfg)(image, 'image')


@pytest.mark.parametrize('name', [*RELEASES, *DEMO])
def test_sizes_by_hand(name):
    packed = prepared(config_of(name), picture(900, 600))
    ((width, height),) = [size for key, size in (SIZES | DEMO).items() if fnmatch(name, key)]
    assert packed['inputs'].shape == (3, height, width)
    meta = packed['data_samples'].metainfo
    assert meta['ori_shape'] == (600, 900) and meta['img_shape'] == (height, width)


@pytest.mark.parametrize('name', [*REFERENCES, 'dpt-hybrid-nyu', 'mmseg-dpt-base-ade20k', *DEMO])
@pytest.mark.parametrize('size', [(1, 1), (5, 7), (500, 31), (1300, 400)])
def test_no_picture_is_cut(name, size):
    """The last is larger than the crops of KITTI and NYU. A ramp's corners stay in the corners."""
    width, height = size
    rows, columns = np.mgrid[:height, :width]
    ramp = np.stack([rows * 255 // max(height - 1, 1), columns * 255 // max(width - 1, 1)], -1)
    image = np.concatenate([ramp, np.zeros((height, width, 1))], -1).astype(np.uint8)
    seen = prepared(config_of(name), image)['inputs'].float()  # BGR
    step = 255 * np.array([1 / max(height - 1, 1), 1 / max(width - 1, 1)])
    for corner in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
        expected = image[corner][:2]
        found = seen[[2, 1], corner[0], corner[1]].numpy()
        assert (np.abs(found - expected) <= 5 + step * (np.array([height, width]) > 1)).all()


@pytest.mark.parity
@pytest.mark.parametrize('name', REFERENCES)
def test_the_network_sees_what_the_released_code_gives_it(name):
    """Its arithmetic in NumPy: RGB / 255 in floating point, cubic, its overshoot kept."""
    size, mean, std = REFERENCES[name]
    cfg = config_of(name)
    image = picture(900, 600)
    batch = pseudo_collate([prepared(cfg, image)])
    seen = MODELS.build(cfg.model.data_preprocessor)(batch)['inputs'][0]
    resized = cv2.resize(image / 255, size, interpolation=cv2.INTER_CUBIC)
    assert resized.min() < 0 and resized.max() > 1
    expected = ((resized - mean) / std).transpose(2, 0, 1)
    # float32 against float64 in OpenCV; of a rounded or clipped image it would be 1e-2 and more
    np.testing.assert_allclose(seen.numpy(), expected, rtol=0, atol=5e-4)


@pytest.mark.parametrize(('name', 'size'), [('nyu', (640, 480)), ('kitti', (1216, 352))])
def test_the_data_set_s_own_images_are_left_as_they_are(name, size):
    """So that its protocol stays what it was."""
    steps = config_of(f'dpt-hybrid-{name}').test_dataloader.dataset.pipeline
    (resize,) = (step for step in steps if step['type'] == 'ResizeDepth')
    image = picture(*size).astype(np.float32)
    np.testing.assert_array_equal(TRANSFORMS.build(resize)(dict(img=image))['img'], image)


@pytest.mark.parametrize('name', ['dpt_hybrid-ti16_scenes', 'dpt_hybrid-ti16_scenes-depth'])
def test_an_image_in_memory_is_prepared_as_its_file(name, tmp_path):
    cfg = config_of(name)
    image = picture(90, 60)
    path = str(tmp_path / 'a.png')
    cv2.imwrite(path, image[..., ::-1])
    steps = cfg.test_dataloader.dataset.pipeline
    without_truth = [s for s in steps if s['type'] not in ('LoadAnnotations', 'LoadDepth')]
    expected = Compose([TRANSFORMS.build(s) for s in without_truth])(dict(img_path=path))
    packed = Preparation(cfg)(image, path)
    assert torch.equal(packed['inputs'], expected['inputs'])
    assert packed['data_samples'].metainfo == expected['data_samples'].metainfo


def config(**keys):
    init_default_scope('mmdpt')
    return Config(keys, cfg_text='mine', filename='mine.py')


LOAD, PACK = dict(type='LoadImageFromFile'), dict(type='PackSegInputs')
HALF = dict(type='Resize', scale_factor=0.5)


def test_predict_pipeline_goes_before_the_test_data_s_even_of_a_wrapped_set():
    test = dict(dataset=dict(pipeline=[LOAD, PACK]))
    wrapped = dict(dataset=dict(type='RepeatDataset', dataset=dict(pipeline=[LOAD, HALF, PACK])))
    both = config(test_dataloader=test, predict_pipeline=[LOAD, HALF, PACK])
    assert prepared(config(test_dataloader=test), picture(8, 6))['inputs'].shape == (3, 6, 8)
    for halves in (both, config(test_dataloader=wrapped)):
        assert prepared(halves, picture(8, 6))['inputs'].shape == (3, 3, 4)


def test_a_config_without_a_pipeline_for_images_or_with_a_wrong_key_is_refused():
    with pytest.raises(InputError, match=r'mine\.py .* neither predict_pipeline nor'):
        Preparation(config(test_dataloader=None))
    with pytest.raises(InputError, match=r'mine\.py must begin with LoadImageFromFile, not .*Re'):
        Preparation(config(predict_pipeline=[HALF, PACK]))
    with pytest.raises(InputError, match=r"predict_pipeline\[1\]\.scales.*did you mean 'scale'"):
        check_config(config(predict_pipeline=[LOAD, dict(type='ResizeDepth', scales=480), PACK]))


def test_a_line_that_would_have_no_height_is_refused_by_name():
    """5000 x 1 px to 2048 x 0.4 px."""
    with pytest.raises(InputError, match='cannot prepare image line of 5000 x 1 px'):
        Preparation(config_of('mmseg-dpt-base-ade20k'))(picture(5000, 1), 'line')


def test_the_caller_s_image_is_not_changed():
    image = picture(8, 6)
    before = image.copy()
    prepared(config(predict_pipeline=[LOAD, dict(type='RandomFlip', prob=1.0), PACK]), image)
    np.testing.assert_array_equal(image, before)

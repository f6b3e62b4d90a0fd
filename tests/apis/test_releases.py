"""Released checkpoints by name: their configs have their sizes, and the files load."""

from functools import cache

import pytest
import torch
from timm.models.vision_transformer import VisionTransformer

from mmdpt.checkpoints import compare, to_foreign, to_ours
from mmdpt.checkpoints.reading.download import cached_path
from mmdpt.checkpoints.reading.releases import RELEASES, Release, list_models
from mmdpt.config import load_config
from mmdpt.datasets import ScenesDataset
from mmdpt.errors import InputError
from mmdpt.inference import model as api
from mmdpt.inference.model import build_model, init_model
from mmdpt.models import VisionTransformerDPT
from mmdpt.models.segmentors.depth_estimator import DepthEstimator

CONFIG = 'dpt_vit-ti16_scenes-depth'
PARAMETERS = {  # of the code base's own model, dead ones included
    'dpt-large-midas': 344_055_465,  # counted in isl-org/DPT's own model
    'dpt-hybrid-midas': 123e6,
    'depth-anything-v1-small': 24.8e6,  # README of Depth-Anything-V2
    'depth-anything-v1-base': 97.5e6,
    'depth-anything-v1-large': 335.3e6,
    'depth-anything-v2-small': 24.8e6,
    'depth-anything-v2-base': 97.5e6,
    'depth-anything-v2-large': 335.3e6,
    'depth-anything-v2-large-hypersim': 335.3e6,
    'midas-beit-large-512': 345e6,  # README of isl-org/MiDaS
    'midas-swin2-tiny-256': 42e6,
    'midas-next-vit-large-384': 72e6,
}
DEPTHS = {'': None, '-hypersim': 20.0, '-vkitti': 80.0}


@cache
def without_memory(name):
    """Build a release's model with shapes alone."""
    with torch.device('meta'):
        return build_model(name)


def source_of(name):
    sources = {
        'dpt-dinov2': 'huggingface',
        'dpt-dinov3': 'dinov3',
        'dpt-tipsv2': 'tips',
        'chmv2': 'huggingface',
        'dpt': 'isl-org',
        'midas': 'isl-org',
        'depth-anything': 'depth-anything',
        'mmseg': 'mmseg',
    }
    return next(source for prefix, source in sources.items() if name.startswith(prefix))


@pytest.mark.parametrize('name', list_models())
def test_the_config_is_of_the_file_s_layout(name):
    model = without_memory(name)
    theirs, _ = to_foreign(model.state_dict(), source_of(name))
    ours, report = to_ours(theirs)
    mismatch = compare(model, ours)
    assert report.source == source_of(name)
    assert mismatch.fills and not mismatch.unexpected


@pytest.mark.parametrize('name', PARAMETERS)
def test_the_model_has_the_published_number_of_parameters(name):
    theirs, report = to_foreign(without_memory(name).state_dict(), source_of(name))
    expected = PARAMETERS[name]
    tolerance = 0 if isinstance(expected, int) else 1e6 if expected % 1e6 == 0 else 0.05e6
    assert abs(sum(value.numel() for value in theirs.values()) - expected) <= tolerance
    if name == 'dpt-large-midas':  # dead ones, counted in isl-org/DPT's own model
        assert sum(theirs[key].numel() for key in report.filled) == 2_207_208


@pytest.mark.parametrize('size', ['small', 'base', 'large'])
@pytest.mark.parametrize('data', ['hypersim', 'vkitti'])
def test_metric_training_starts_from_the_relative_encoder(size, data):
    """As metric_depth/dist_train.sh of Depth Anything V2; the relative one from DINOv2."""
    cfg = load_config(f'depth-anything_vit{size[0]}14_{data}')
    assert cfg.model.backbone.init_cfg.checkpoint == f'depth-anything-v2-{size}'
    relative = load_config(f'depth-anything_vit{size[0]}14_relative').model.backbone.init_cfg
    assert f'vit-{size}-p14_dinov2-pre' in relative.checkpoint


def test_settings_are_those_of_the_release():
    nyu, kitti = (without_memory(f'dpt-hybrid-{name}').decode_head for name in ('nyu', 'kitti'))
    assert nyu.parametrised == dict(inversion=(0.000305, 0.1378))
    assert kitti.parametrised == dict(inversion=(0.00006016, 0.00579))
    assert without_memory('dpt-large-midas').decode_head.output == 'relative'
    heads = {n: without_memory(f'depth-anything-v2-small{n}').decode_head for n in DEPTHS}
    assert {name: head.parametrised.get('max_depth') for name, head in heads.items()} == DEPTHS
    taps = [without_memory(f'depth-anything-{v}-large').backbone.out_indices for v in ('v1', 'v2')]
    assert taps == [[20, 21, 22, 23], [4, 11, 17, 23]]
    giant = without_memory('dpt-dinov2-giant-kitti')
    assert giant.backbone.out_indices == [9, 19, 29, 39]
    assert giant.decode_head.parametrised == dict(min_depth=1e-3)
    assert giant.decode_head.clamp == (1e-3, 80.0)
    mmseg = without_memory('mmseg-dpt-base-ade20k')
    assert mmseg.backbone.layers[0].ln1.eps == 1e-5 and not mmseg.decode_head.align_corners
    assert mmseg.backbone.interpolate_mode == 'bicubic' and mmseg.backbone.img_size == (224, 224)
    preprocessor = mmseg.cfg.model.data_preprocessor
    assert preprocessor.mean == [123.675, 116.28, 103.53]
    assert preprocessor.std == [58.395, 57.12, 57.375]


POSITIONS = {
    'isl-org': 'bilinear',  # isl-org/DPT@cd3fe90, dpt/vit.py
    'tips': 'bilinear-antialias',
    'huggingface': 'bicubic-offset',  # DINOv2's own code, which trained them
    'depth-anything': 'bicubic-offset',  # both: interpolate_offset = 0.1 in DINOv2's model
    'mmseg': 'bicubic',  # mmseg 1.2.2, models/backbones/vit.py
}
RESIZING = {  # of the depth to the image: mode, align_corners
    'dpt-tipsv2': ('bilinear', False),  # transformers 5.23, image_processing_tipsv2_dpt.py
    'chmv2': ('bilinear', False),  # the same for CHMv2
    'dpt-dinov3': ('bilinear', False),  # facebookresearch/dinov3@6876159, eval/depth/eval.py
    'dpt-dinov2': ('bilinear', False),  # facebookresearch/dinov2@b8931f7, encoder_decoder.py
    'dpt': ('bicubic', False),  # isl-org/DPT@cd3fe90, run_monodepth.py
    'midas': ('bicubic', False),  # isl-org/MiDaS@4545977, run.py
    'depth-anything-v1': ('bilinear', False),  # LiheYoung/Depth-Anything@1d03336, run.py
    'depth-anything-3': ('bilinear', False),  # its own code leaves the network's size
    'depth-anything-v2': ('bilinear', True),  # Depth-Anything-V2@a561b84, both dpt.py
}


@pytest.mark.parametrize('name', list_models())
def test_a_released_model_interpolates_and_clamps_as_its_own_code(name):
    """A data set's range is its metric's, so only DINOv2's own code clamps."""
    model = without_memory(name)
    assert 'dinov2' in name or getattr(model.decode_head, 'clamp', (None, None)) == (None, None)
    if isinstance(model.backbone, VisionTransformerDPT):
        assert model.backbone.interpolate_mode == POSITIONS[source_of(name)]
    if isinstance(model, DepthEstimator):
        prefix = next(prefix for prefix in RESIZING if name.startswith(prefix))
        mode = model.test_cfg.get('resize_mode', 'bilinear')
        corners = model.test_cfg.get('resize_align_corners', model.decode_head.align_corners)
        assert (mode, corners) == RESIZING[prefix]


ADE20K = {  # number from 1, name in objectInfo150.txt, colour in isl-org/DPT's util/pallete.py
    1: ('wall', [120, 120, 120]),
    2: ('building', [180, 120, 120]),
    3: ('sky', [6, 230, 230]),
    14: ('earth', [120, 120, 70]),
    150: ('flag', [92, 0, 255]),
}


@pytest.mark.parametrize('name', [name for name in list_models() if 'ade20k' in name])
def test_releases_of_ade20k_have_its_classes_and_colours(name):
    meta = without_memory(name).dataset_meta
    assert len(meta['classes']) == len(meta['palette']) == len(set(meta['classes'])) == 150
    for number, (title, colour) in ADE20K.items():
        assert (meta['classes'][number - 1], meta['palette'][number - 1]) == (title, colour)


def test_the_classes_are_in_the_order_of_the_data_set(data_root):
    """Its own list names each class with synonyms."""
    listed = data_root / 'ade20k_sample' / 'ADEChallengeData2016' / 'objectInfo150.txt'
    lines = listed.read_text().splitlines()[1:]
    classes = without_memory('dpt-hybrid-ade20k').dataset_meta['classes']
    for name, line in zip(classes, lines, strict=True):
        assert name.strip() in line.split('\t')[4]


@pytest.fixture
def released(monkeypatch, tmp_path):
    """A tiny release in an empty cache; give its state dict, as we name it, and its place."""
    monkeypatch.setenv('MMDPT_HOME', str(tmp_path))
    monkeypatch.setitem(RELEASES, 'tiny', Release(CONFIG, 'https://models.test/tiny.pt'))
    torch.manual_seed(0)
    state = init_model(CONFIG).state_dict()
    return state, cached_path('https://models.test/tiny.pt')


def put(state, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(to_foreign(state, 'isl-org')[0], path)


def assert_holds(model, state):
    assert all(torch.equal(model.state_dict()[key], state[key]) for key in state)
    assert not model.training


def test_a_name_gives_the_converted_model_of_its_file_or_another(released, tmp_path):
    state, path = released
    put(state, tmp_path / 'own.pt')
    assert_holds(init_model('tiny', str(tmp_path / 'own.pt')), state)
    assert not path.exists()
    put(state, path)
    assert_holds(init_model('tiny'), state)


def test_a_release_of_segmentation_has_the_class_names_that_its_file_lacks(released, monkeypatch):
    """By its name and by its config; a name of one's own, which the file carries, goes before."""
    _, path = released
    options = ('model.decode_head.auxiliary_weight=0.2',)
    monkeypatch.setitem(
        RELEASES, 'tiny', Release('dpt_vit-ti16_scenes', *RELEASES['tiny'][1:2], options)
    )
    state = build_model('tiny').state_dict()
    put(state, path)
    names = ScenesDataset.METAINFO['classes']
    assert tuple(init_model('tiny').dataset_meta['classes']) == names
    own = dict(classes=tuple(f'class {i}' for i in names))
    torch.save(dict(state_dict=state, meta=dict(dataset_meta=own)), path.with_name('own.pth'))
    assert init_model('tiny', str(path.with_name('own.pth'))).dataset_meta == own


def test_class_names_that_are_not_the_model_s_are_left_out():
    """Of a child config with other classes, and of depth."""
    options = ['model.decode_head.num_classes=3']
    assert build_model('dpt_vit-ti16_scenes', options).dataset_meta is None
    assert build_model(CONFIG).dataset_meta is None


def test_options_of_the_release_come_before_the_caller_s(released, monkeypatch):
    state, path = released
    put(state, path)
    options = ('model.decode_head.max_depth=20.0', 'model.test_cfg.flip=True')
    monkeypatch.setitem(RELEASES, 'tiny', Release(*RELEASES['tiny'][:2], options))
    model = init_model('tiny', cfg_options=['model.decode_head.max_depth=30.0'])
    assert (model.decode_head.parametrised, model.test_cfg.flip) == (dict(max_depth=30.0), True)


def test_a_config_takes_a_foreign_file_and_hears_what_it_must_say(released, tmp_path, monkeypatch):
    state, _ = released
    put(state, tmp_path / 'own.pt')
    said = []
    monkeypatch.setattr(api, 'print_log', lambda text, *args: said.append(text))
    assert_holds(init_model(CONFIG, str(tmp_path / 'own.pt')), state)
    assert len(said) == 1 and 'own.pt, for equal numbers: ' in said[0]
    init_model('tiny', str(tmp_path / 'own.pt'))
    assert len(said) == 1


def test_a_foreign_file_that_does_not_fit_and_an_encoder_alone_are_refused(released, tmp_path):
    put(released[0], tmp_path / 'own.pt')
    with pytest.raises(InputError, match=r'own\.pt does not fit the model \(EncoderDecoder\)'):
        init_model('dpt_vit-ti16_scenes', str(tmp_path / 'own.pt'))
    torch.save(VisionTransformer(depth=1).state_dict(), tmp_path / 'vit.pth')
    with pytest.raises(InputError, match=r'vit\.pth holds an encoder alone'):
        init_model(CONFIG, str(tmp_path / 'vit.pth'))

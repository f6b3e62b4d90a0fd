"""init_model gives bit for bit the model that is built with random values and then loaded."""

import pytest
import torch
from mmseg.models import DPTHead, VisionTransformer
from safetensors.torch import save_file

from mmdpt.apis import init_model
from mmdpt.checkpoints import detect, read_checkpoint, to_foreign, to_ours
from mmdpt.inference.model import build_model

HYBRID = (
    'model.backbone.stem.type=ResNetV2',
    'model.backbone.stem.depths=(1,1,1)',
    'model.backbone.stem.base_channels=32',
    'model.backbone.out_indices=(1,3)',
    'model.decode_head.embed_dims=(128,256,24,24)',
    'model.decode_head.reassemble_channels=(None,None,12,16)',
    'model.decode_head.reassemble_scales=(1,1,1,0.5)',
    'model.decode_head.patch_size=4',
)
LORA = ('model.backbone.lora.rank=2',)
PROJECT = ('model.decode_head.readout_type=project',)
FOREIGN = {
    'segmentation': (*PROJECT, 'model.decode_head.auxiliary_weight=0.2'),
    'relative': PROJECT,
}
DEPTH_ANYTHING = (
    'model.backbone.norm_taps=True',
    'model.backbone.layer_scale_init_value=1.0',
    'model.decode_head.readout_type=ignore',
)


def assert_is_loaded_from(model, config, checkpoint, options=()):
    """Compare with the plain way: random values, then load_state_dict."""
    state_dict = to_ours(read_checkpoint(checkpoint).state_dict)[0]
    expected = build_model(config, options).eval()
    expected.load_state_dict(state_dict)
    tensors = dict((*model.named_parameters(), *model.named_buffers()))
    others = dict((*expected.named_parameters(), *expected.named_buffers()))
    assert tensors.keys() == others.keys()
    for name, value in tensors.items():
        other = others[name]
        assert value.stride() == other.stride() and value.dtype == other.dtype, name
        assert value.requires_grad == other.requires_grad, name
        assert torch.equal(value, other), name
    image = [torch.randint(256, (3, 48, 64), generator=torch.manual_seed(0), dtype=torch.uint8)]
    with torch.no_grad():
        results = [
            m.encode_decode(m.data_preprocessor(dict(inputs=image))['inputs'], [meta()])
            for m in (model, expected)
        ]
    assert torch.equal(*results)


def meta():
    return dict(img_shape=(48, 64), ori_shape=(48, 64), pad_shape=(48, 64))


def save(path, config, options=(), to=None):
    """Write random weights of a config's model, under another code base's names."""
    torch.manual_seed(1)
    model = build_model(config, options)
    for name, value in model.state_dict().items():
        if value.is_floating_point():
            value.uniform_(0.5, 1.5) if name.endswith('running_var') else value.normal_()
    state_dict = model.state_dict()
    torch.save(state_dict if to is None else to_foreign(state_dict, to)[0], path)
    return str(path)


def test_of_every_task(written, task):
    config, checkpoint = written(task)
    assert_is_loaded_from(init_model(config, checkpoint), config, checkpoint)


@pytest.mark.parametrize('options', [HYBRID, LORA], ids=['hybrid', 'LoRA'])
@pytest.mark.parametrize('task', ['segmentation', 'relative'], indirect=True)
def test_of_hybrids_and_of_lora(written, task, options, tmp_path):
    config, _ = written(task)
    checkpoint = save(tmp_path / 'a.pth', config, options)
    model = init_model(config, checkpoint, cfg_options=options)
    assert_is_loaded_from(model, config, checkpoint, options)


@pytest.mark.parametrize('options', [(), HYBRID], ids=['ViT', 'hybrid'])
@pytest.mark.parametrize('to', ['isl-org', 'huggingface'])
@pytest.mark.parametrize('task', ['segmentation', 'relative'], indirect=True)
def test_of_foreign_files(written, task, to, options, tmp_path):
    config, _ = written(task)
    options = (*options, *FOREIGN[task])
    checkpoint = save(tmp_path / 'a.pth', config, options, to)
    model = init_model(config, checkpoint, cfg_options=options)
    assert_is_loaded_from(model, config, checkpoint, options)


@pytest.mark.parametrize('task', ['relative'], indirect=True)
def test_of_depth_anything(written, task, tmp_path):
    config, _ = written(task)
    checkpoint = save(tmp_path / 'a.pth', config, DEPTH_ANYTHING, 'huggingface')
    state_dict = read_checkpoint(checkpoint).state_dict
    assert detect(state_dict).source == 'huggingface' and 'backbone.layernorm.weight' in state_dict
    save_file(state_dict, tmp_path / 'model.safetensors')
    for file in (checkpoint, str(tmp_path / 'model.safetensors')):
        model = init_model(config, file, cfg_options=DEPTH_ANYTHING)
        assert_is_loaded_from(model, config, file, DEPTH_ANYTHING)


@pytest.mark.parametrize('task', ['segmentation'], indirect=True)
def test_of_mmsegmentation(written, task, tmp_path):
    config, _ = written(task)
    model = build_model(config, PROJECT)
    backbone = VisionTransformer(
        (48, 64), 16, embed_dims=24, num_layers=4, num_heads=2, mlp_ratio=2, patch_bias=True
    )
    head = DPTHead(
        in_channels=(24,) * 4,
        channels=8,
        embed_dims=24,
        post_process_channels=[4, 8, 12, 16],
        num_classes=model.decode_head.num_classes,
        readout_type='project',
        input_transform='multiple_select',
        in_index=(0, 1, 2, 3),
        norm_cfg=dict(type='BN'),
    )
    theirs = torch.nn.ModuleDict(dict(backbone=backbone, decode_head=head)).state_dict()
    assert detect(theirs).source == 'mmseg'
    checkpoint = str(tmp_path / 'a.pth')
    torch.save(dict(state_dict=theirs, meta={}), checkpoint)
    model = init_model(config, checkpoint, cfg_options=PROJECT)
    assert_is_loaded_from(model, config, checkpoint, PROJECT)


def test_of_a_file_whose_encoder_has_another_grid(written, tmp_path):
    config, _ = written('depth')
    options = ('model.backbone.img_size=(64,64)',)
    square = save(tmp_path / 'a.pth', config, options)
    options = ('model.backbone.img_size=(48,80)',)
    model = init_model(config, square, cfg_options=options)
    assert model.backbone.pos_embed.shape == (1, 1 + 3 * 5, 24)
    assert_is_loaded_from(model, config, square, options)


def test_of_a_training_whose_file_has_half_precision(written, tmp_path):
    config, checkpoint = written('segmentation')
    half = {
        key: value.half() if value.is_floating_point() else value
        for key, value in read_checkpoint(checkpoint).state_dict.items()
    }
    path = str(tmp_path / 'a.pth')
    torch.save(dict(state_dict=half, optimizer=dict(state={}, param_groups=[])), path)
    model = init_model(config, path)
    assert model.decode_head.conv_seg.weight.dtype == torch.float32
    assert_is_loaded_from(model, config, path)


def test_of_a_config_that_names_initial_weights(written, tmp_path):
    """They are replaced, and their file is not looked for."""
    config, checkpoint = written('depth')
    named = tmp_path / 'named.py'
    named.write_text(
        f"_base_ = ['{config}']\n"
        'gone = dict(_delete_=True, type="Pretrained", checkpoint="gone.pth")\n'
        'model = dict(backbone=dict(init_cfg=gone), decode_head=dict(init_cfg=gone))\n'
    )
    model = init_model(str(named), checkpoint)
    assert_is_loaded_from(model, config, checkpoint)


def test_without_a_checkpoint_random_values_are_those_of_building(written):
    config, _ = written('segmentation')
    torch.manual_seed(7)
    expected = build_model(config).state_dict()
    next_number = torch.rand(1)
    torch.manual_seed(7)
    state_dict = init_model(config).state_dict()
    assert all(torch.equal(state_dict[key], expected[key]) for key in expected)
    assert torch.equal(torch.rand(1), next_number)


def test_with_a_checkpoint_nothing_random_is_drawn(written):
    config, checkpoint = written('segmentation')
    before = torch.get_rng_state()
    init_model(config, checkpoint)
    assert torch.equal(torch.get_rng_state(), before)

"""init_model gives bit for bit the model that is built with random values and then loaded."""

import pytest
import tiny
import torch
from safetensors.torch import save_file

from mmdpt.apis import build_model, init_model
from mmdpt.checkpoints import read_checkpoint, to_foreign, to_ours

FOREIGN = ('model.decode_head.readout_type=project',)
SEGMENTATION = (*FOREIGN, 'model.decode_head.auxiliary_weight=0.2')
RELATIVE = (
    *FOREIGN,
    'model.decode_head.output=relative',
    'model.decode_head.max_depth=None',
    'model.decode_head.clamp=(None,None)',
)


def assert_is_loaded_from(model, config, checkpoint, options=()):
    """Compare with the plain way: random values, then load_state_dict."""
    expected = build_model(config, options).eval()
    expected.load_state_dict(to_ours(read_checkpoint(checkpoint).state_dict)[0])
    tiny.assert_same(model, expected)
    image = [torch.randint(256, (3, 48, 64), generator=torch.manual_seed(0), dtype=torch.uint8)]
    meta = dict(img_shape=(48, 64), ori_shape=(48, 64), pad_shape=(48, 64))
    with torch.no_grad():
        results = [
            m.encode_decode(m.data_preprocessor(dict(inputs=image))['inputs'], [meta])
            for m in (model, expected)
        ]
    assert torch.equal(*results)


@pytest.mark.parametrize('task', tiny.BASES)
def test_a_checkpoint_of_every_task(written, task):
    config, checkpoint = written(task)
    assert_is_loaded_from(init_model(config, checkpoint), config, checkpoint)


@pytest.mark.parametrize(
    ('task', 'options', 'layout'),
    [('segmentation', SEGMENTATION, 'isl-org'), ('depth', RELATIVE, 'huggingface')],
)
def test_a_checkpoint_of_another_layout(written, tmp_path, task, options, layout):
    config, _ = written(task)
    state_dict = tiny.randomise(build_model(config, options)).state_dict()
    path = tmp_path / 'model.safetensors'
    save_file(to_foreign(state_dict, layout)[0], path)
    model = init_model(config, str(path), cfg_options=options)
    assert_is_loaded_from(model, config, path, options)


def test_a_training_whose_file_has_half_precision(written, tmp_path):
    config, checkpoint = written('segmentation')
    half = {
        key: value.half() if value.is_floating_point() else value
        for key, value in read_checkpoint(checkpoint).state_dict.items()
    }
    path = tmp_path / 'a.pth'
    torch.save(dict(state_dict=half, optimizer=dict(state={}, param_groups=[])), path)
    model = init_model(config, str(path))
    assert model.decode_head.conv_seg.weight.dtype == torch.float32
    assert_is_loaded_from(model, config, path)


def test_initial_weights_that_the_config_names_are_not_looked_for(written, tmp_path):
    config, checkpoint = written('depth')
    named = tmp_path / 'named.py'
    named.write_text(
        f"_base_ = ['{config}']\n"
        'gone = dict(_delete_=True, type="Pretrained", checkpoint="gone.pth")\n'
        'model = dict(backbone=dict(init_cfg=gone), decode_head=dict(init_cfg=gone))\n'
    )
    assert_is_loaded_from(init_model(str(named), checkpoint), config, checkpoint)


def test_random_values_are_those_of_building_and_none_is_drawn_with_a_checkpoint(written):
    config, checkpoint = written('segmentation')
    torch.manual_seed(7)
    expected = build_model(config).state_dict()
    next_number = torch.rand(1)
    torch.manual_seed(7)
    state_dict = init_model(config).state_dict()
    assert all(torch.equal(state_dict[key], expected[key]) for key in expected)
    assert torch.equal(torch.rand(1), next_number)
    before = torch.get_rng_state()
    init_model(config, checkpoint)
    assert torch.equal(torch.get_rng_state(), before)

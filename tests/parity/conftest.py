"""Weights of transformers and timm under this project's names."""

import pytest

from mmdpt.checkpoints import to_ours


@pytest.fixture(scope='session')
def from_transformers():
    """Convert a state dict for a module of ``backbone`` and ``head``; check its task."""

    def convert(state_dict, task):
        converted, report = to_ours(state_dict, 'huggingface')
        assert report.task == task
        return {key.replace('decode_head.', 'head.', 1): v for key, v in converted.items()}

    return convert


@pytest.fixture(scope='session')
def dinov2_from_transformers(from_transformers):
    """Convert DINOv2 for our backbone alone."""

    def convert(state_dict):
        converted = from_transformers(state_dict, 'backbone')
        return {key.removeprefix('backbone.'): value for key, value in converted.items()}

    return convert


@pytest.fixture(scope='session')
def from_timm():
    """Convert timm's ViT, or hybrid, for our backbone."""

    def convert(state_dict):
        converted, report = to_ours(state_dict, 'timm')
        assert report.task == 'backbone'
        return {key.removeprefix('backbone.'): value for key, value in converted.items()}

    return convert


@pytest.fixture(scope='session')
def maps_of():
    """Run transformers' encoder and neck; its own forward takes an image to be square."""

    def run(model, image):
        settings = dict(interpolate_pos_encoding=True) if model.config.is_hybrid else {}
        embedded = model.dpt.embeddings(image, **settings)
        tokens, maps = embedded.last_hidden_states, list(embedded.intermediate_activations or ())
        blocks = model.config.backbone_out_indices[len(maps) :]
        for index, layer in enumerate(model.dpt.encoder.layer):
            tokens = layer(tokens)
            maps += [tokens] if index in blocks else []
        return maps, model.neck(maps, image.shape[-2] // 16, image.shape[-1] // 16)

    return run

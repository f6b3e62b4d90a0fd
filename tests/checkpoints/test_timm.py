"""timm's ViT files of any age are initial weights of our backbone; parity/ compares the taps."""

import timm
import torch

from mmdpt.checkpoints import compare, to_ours


def test_classifier_and_last_norm_are_dropped_the_older_ones_too(build_model):
    """jx_vit_* files hold ``pre_logits``."""
    reference = timm.create_model(
        'vit_base_patch16_224', img_size=96, embed_dim=48, depth=5, num_heads=3
    )
    state = reference.state_dict() | {'pre_logits.fc.weight': torch.zeros(48, 48)}
    converted, report = to_ours(state)
    assert (report.source, report.task) == ('timm', 'backbone')
    dropped = {f'{name}.{leaf}' for name in ('norm', 'head') for leaf in ('weight', 'bias')}
    assert set(report.dropped) == {'pre_logits.fc.weight', *dropped}
    weights = {key.removeprefix('backbone.'): value for key, value in converted.items()}
    mismatch = compare(build_model('depth')['backbone'], weights)
    assert mismatch.fills and not mismatch.unexpected

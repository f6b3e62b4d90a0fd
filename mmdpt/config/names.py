"""Names that a misspelt one may have meant."""

import difflib
from collections.abc import Iterable

RENAMED = dict(
    **dict.fromkeys(('embed_dims', 'num_layers', 'num_heads', 'mlp_ratio'), 'arch'),
    **dict.fromkeys(('hidden_size', 'num_hidden_layers', 'num_attention_heads'), 'arch'),
    **dict.fromkeys(('expand_channels', 'neck_hidden_sizes'), 'reassemble_channels'),
    **dict.fromkeys(('attn_drop_rate', 'act_cfg', 'num_fcs'), 'layer_cfgs'),
    classify='bins',
    DepthEncoderDecoder='DepthEstimator',
    fusion_hidden_size='channels',
    intermediate_size='arch',
    learning_rate='lr',
    post_process_channels='reassemble_channels',
    pretrained='init_cfg',
    reassemble_factors='reassemble_scales',
    scale_up='max_depth',
    semantic_loss_ignore_index='ignore_index',
    use_batch_norm_in_fusion_residual='norm_cfg',
)
"""What mmseg, the depth toolbox, transformers or torch call something, and its name here."""


def nearest_names(name: str, known: Iterable[str]) -> list[str]:
    """Give up to three similar known names, the most similar first."""
    return difflib.get_close_matches(name.lower(), list(known), n=3, cutoff=0.4)


def near(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """Ask for the most similar known name, in a message's words; '' if none is similar."""
    spelt = {other.lower(): other for other in sorted(known, reverse=True)}
    name = RENAMED[name] if RENAMED.get(name) in spelt.values() else name
    close = difflib.get_close_matches(name.lower(), spelt, n=1, cutoff=cutoff)
    return f"; did you mean '{spelt[close[0]]}'?" if close else ''

"""Run DINOv3's own depth heads, narrow ones, and record what they predict.

Run once, where its code is at hand::

    git clone https://github.com/facebookresearch/dinov3 ./dinov3
    python tests/checkpoints/record_dinov3_dpt.py ./dinov3

Only widths are not theirs. See record_isl_org.py, whose parameters it takes; the taps follow from
their grid. ``data/dinov3_dpt.npz`` holds depth, and names with shapes.
"""

import runpy
import sys
import zlib
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

REFERENCE = runpy.run_path(str(Path(__file__).with_name('record_isl_org.py')))
OUTPUTS = REFERENCE['OUTPUTS'].with_name('dinov3_dpt.npz')
DIMS, CHANNELS, WIDTHS, PATCH = 24, 16, (8, 8, 8, 8), 16
GRIDS = ((8, 8), (5, 7), (3, 6))
STRIDE = 5
HEADS = {  # hub/depthers.py
    'synthmix': dict(min_depth=0.001, max_depth=100.0, use_batchnorm=True),
    'chmv2': dict(
        min_depth=0.001,
        max_depth=96.0,
        use_cls_token=True,
        bins_strategy='chmv2_mixlog',
        norm_strategy='chmv2_mixlog',
        n_hidden_channels=128,
        use_bias=True,
        projection_after_fusion=False,
    ),
}


def fill(key, shape):
    """Give record_isl_org.py's parameter; the last one so great that bins differ."""
    value = REFERENCE['fill'](key, shape)
    return 30 * value if key.startswith('conv_depth.head.4.') else value


def taps(grid):
    """Give four taps, each a map (1, C, h, w) and a class token (1, C)."""
    random = np.random.RandomState(zlib.crc32(repr(grid).encode()))
    draw = lambda *shape: torch.from_numpy(random.randn(*shape).astype(np.float32))  # noqa: E731
    return [(draw(1, DIMS, *grid), draw(1, DIMS)) for _ in range(4)]


def main(checkout):
    sys.path.insert(0, str(checkout))
    from dinov3.eval.depth.models import FeaturesToDepth, make_head

    shapes, outputs = {}, {}
    for name, settings in HEADS.items():
        settings = dict(settings)
        ways = ('min_depth', 'max_depth', 'bins_strategy', 'norm_strategy')
        to_depth = FeaturesToDepth(**{k: settings.pop(k) for k in ways if k in settings})
        head = make_head(
            [DIMS] * 4,
            n_output_channels=256,
            head_type='dpt',
            channels=CHANNELS,
            post_process_channels=list(WIDTHS),
            **settings,
        ).eval()
        shapes[name] = REFERENCE['shapes_of'](head)
        head.load_state_dict(REFERENCE['filled'](shapes[name], fill))
        for grid in GRIDS:
            with torch.no_grad():
                depth = to_depth(head(taps(grid)))
            size = [side * PATCH for side in grid]
            depth = F.interpolate(depth, size, mode='bilinear')[0, 0, ::STRIDE, ::STRIDE]
            assert depth.std() > 0.01 * depth.mean()
            outputs[f'{name} {grid}'] = depth.numpy()
    source = ['facebookresearch/dinov3', REFERENCE['commit'](checkout)]
    REFERENCE['save'](OUTPUTS, outputs, source=source, shapes=shapes)


if __name__ == '__main__':
    main(*sys.argv[1:])

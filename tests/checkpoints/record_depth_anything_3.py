"""Run Depth Anything 3's own network, a narrow one, and record what it predicts.

Run once, where its code is at hand::

    git clone https://github.com/ByteDance-Seed/Depth-Anything-3 ./da3
    python tests/checkpoints/record_depth_anything_3.py ./da3

Only widths and the grid of the position embedding are not theirs. See record_isl_org.py, whose
parameters and images it takes; ``data/depth_anything_3.npz`` holds outputs and names with shapes.
"""

import runpy
import sys
import types
from pathlib import Path
from unittest.mock import MagicMock

import torch

REFERENCE = runpy.run_path(str(Path(__file__).with_name('record_isl_org.py')))
OUTPUTS = REFERENCE['OUTPUTS'].with_name('depth_anything_3.npz')
SIDE, DIMS, HEADS, CHANNELS, WIDTHS = 70, 32, 2, 16, (4, 8, 16, 16)
TAPS = (4, 11, 17, 23)  # configs/da3{mono,metric}-large.yaml, which are equal
SIZES = ((70, 70), (112, 112), (70, 126), (98, 56))
STRIDE = 5


def fill(key, shape):
    """Give record_isl_org.py's parameter, tokens as small as there, and a sky here and there."""
    value = REFERENCE['fill'](key, shape)
    if key.endswith('sky_output_conv2.2.weight'):
        return 20 * (value - value.mean())
    return value * 0.02 if key.endswith(('cls_token', 'pos_embed')) else value


def build(checkout):
    """Build their network without the packages that only its configs and cameras need."""
    sys.path.insert(0, str(Path(checkout) / 'src'))
    for name in ('omegaconf', 'depth_anything_3.cfg'):
        sys.modules[name] = MagicMock()
    for name in ('geometry', 'ray_utils'):
        sys.modules[f'depth_anything_3.utils.{name}'] = MagicMock()
    sys.modules['depth_anything_3.model.utils.transform'] = MagicMock()
    sys.modules['depth_anything_3.model'] = package = types.ModuleType('depth_anything_3.model')
    package.__path__ = [str(Path(checkout) / 'src/depth_anything_3/model')]
    from depth_anything_3.model.da3 import DepthAnything3Net
    from depth_anything_3.model.dinov2 import dinov2
    from depth_anything_3.model.dpt import DPT

    narrow = dict(embed_dim=DIMS, depth=24, num_heads=HEADS, mlp_ratio=4)
    transformer = dinov2.vit_large.__globals__['DinoVisionTransformer']
    dinov2.vit_large = lambda **kwargs: transformer(**{**kwargs, **narrow, 'img_size': SIDE})
    net = DepthAnything3Net(
        dinov2.DinoV2('vitl', list(TAPS), cat_token=False),
        DPT(DIMS, output_dim=1, features=CHANNELS, out_channels=WIDTHS),
    )
    named = lambda key, shape: fill(f'model.{key}', shape)  # noqa: E731
    net.load_state_dict(REFERENCE['filled'](REFERENCE['shapes_of'](net), named))
    return net.eval()


def main(checkout):
    net, outputs = build(checkout), {}
    for size in SIZES:
        with torch.no_grad():
            output = net(REFERENCE['image'](size)[None])
        share = (output.sky >= 0.3).float().mean().item()
        assert (
            output.depth.shape == (1, 1, *size) and output.depth.std() > 0 and 0.05 < share < 0.95
        )
        outputs[str(size)] = output.depth[0, :, ::STRIDE, ::STRIDE].numpy()
    source = ['ByteDance-Seed/Depth-Anything-3', REFERENCE['commit'](checkout)]
    shapes = {f'model.{key}': shape for key, shape in REFERENCE['shapes_of'](net).items()}
    REFERENCE['save'](OUTPUTS, outputs, source=source, shapes=shapes)


if __name__ == '__main__':
    main(*sys.argv[1:])

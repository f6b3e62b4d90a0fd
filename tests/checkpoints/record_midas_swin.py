"""Run MiDaS 3.1's own model on Swin-L, a narrow one, and record what it predicts.

Run once, where its code and the timm that its environment.yaml names are at hand::

    git clone https://github.com/isl-org/MiDaS ./midas
    pip install --no-deps --target ./timm timm==0.6.12
    python tests/checkpoints/record_midas_swin.py ./midas ./timm

Only widths, windows and the image's size are not theirs. See record_isl_org.py, whose parameters
and image it takes; ``data/midas_swin.npz`` holds the output, and names with shapes.
"""

import json
import runpy
import sys
import types
import zlib
from pathlib import Path

import numpy as np
import torch

REFERENCE = runpy.run_path(str(Path(__file__).with_name('record_isl_org.py')))
OUTPUTS = REFERENCE['OUTPUTS'].with_name('midas_swin.npz')
SIDE, CHANNELS, STRIDE = 128, 16, 5
ENCODER = dict(
    img_size=SIDE, embed_dim=8, depths=(2, 2, 18, 2), num_heads=(1, 2, 2, 4), window_size=4
)


def main(checkout, timm_folder):
    sys.path[:0] = [str(checkout), timm_folder]
    sys.modules['timm.models.maxxvit'] = types.ModuleType('maxxvit')  # Python 3.11 refuses it
    import timm
    from midas import blocks, dpt_depth
    from timm.models.swin_transformer import SwinTransformer

    timm.create_model = lambda name, pretrained: SwinTransformer(patch_size=4, **ENCODER)
    scratch = blocks._make_scratch
    narrow = [ENCODER['embed_dim'] * 2**stage for stage in range(4)]
    blocks._make_scratch = lambda _, *args, **kwargs: scratch(narrow, *args, **kwargs)
    model = dpt_depth.DPTDepthModel(backbone='swinl12_384', features=CHANNELS).eval()
    state = model.state_dict()
    kept = ('relative_position_index', 'attn_mask')  # which timm computes
    shapes = {k: list(v.shape) for k, v in state.items() if not k.endswith(kept)}
    filled = {key: REFERENCE['fill'](key, tuple(shape)) for key, shape in shapes.items()}
    model.load_state_dict({**state, **filled})
    with torch.no_grad():
        output = model(REFERENCE['image']((SIDE, SIDE)))
    assert output.shape == (1, SIDE, SIDE) and output.std() > 0.01 * output.mean()
    about = dict(
        source=['isl-org/MiDaS', REFERENCE['commit'](checkout)],
        timm=timm.__version__,
        torch=torch.__version__,
        numpy=np.__version__,
        shapes=shapes,
    )
    text = np.frombuffer(zlib.compress(json.dumps(about).encode(), 9), np.uint8)
    np.savez_compressed(OUTPUTS, about=text, depth=output[0, ::STRIDE, ::STRIDE].numpy())


if __name__ == '__main__':
    main(*sys.argv[1:])

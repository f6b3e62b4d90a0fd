"""Run MiDaS 3.1's own models on Swin-L, a narrow one, and on Next-ViT-L; record what they predict.

Run once, where its code and the timm that its environment.yaml names are at hand::

    git clone https://github.com/isl-org/MiDaS ./midas
    git clone https://github.com/isl-org/Next-ViT ./midas/midas/external/next_vit
    pip install --no-deps --target ./timm timm==0.6.12
    python tests/checkpoints/record_midas.py ./midas ./timm

Only widths of Swin and of the decoder, windows, and the images' sizes are not theirs. See
record_isl_org.py, whose parameters and images it takes; ``data/midas_{swin,next_vit}.npz`` hold
the outputs, and names with shapes.
"""

import re
import runpy
import sys
import types
from pathlib import Path

import torch

REFERENCE = runpy.run_path(str(Path(__file__).with_name('record_isl_org.py')))
SIDE, CHANNELS, STRIDE = 128, 16, 5
SIZES = dict(swin=(SIDE, SIDE), next_vit=(96, 160))
NAMES = dict(swin='swinl12_384', next_vit='next_vit_large_6m')
ENCODER = dict(
    img_size=SIDE, embed_dim=8, depths=(2, 2, 18, 2), num_heads=(1, 2, 2, 4), window_size=4
)
SCALES = {
    r'features.*(mlp\.conv2|mhca\.projection|e_mhsa\.proj)\.weight': 0.2,
    r'(stem|features).*norm\d?\.weight': 1e-2,
    r'(stem|features).*norm\d?\.running_var': 1e-4,
}
"""Of Next-ViT's parameters: no block outweighs those before it, and BatchNorm's eps counts."""


def fill(key, shape):
    scales = [scale for name, scale in SCALES.items() if re.search(f'{name}$', key)]
    return REFERENCE['fill'](key, shape) * (scales[0] if scales else 1)


def outputs(kind):
    return REFERENCE['OUTPUTS'].with_name(f'midas_{kind}.npz')


def main(checkout, timm_folder):
    sys.path[:0] = [str(checkout), timm_folder]
    sys.modules['timm.models.maxxvit'] = types.ModuleType('maxxvit')  # Python 3.11 refuses it
    import timm
    from midas import blocks, dpt_depth
    from timm.models.swin_transformer import SwinTransformer

    create, scratch = timm.create_model, blocks._make_scratch
    narrow = [ENCODER['embed_dim'] * 2**stage for stage in range(4)]
    for kind, name in NAMES.items():
        swin = kind == 'swin'
        timm.create_model = (
            (lambda name, pretrained: SwinTransformer(patch_size=4, **ENCODER)) if swin else create
        )
        blocks._make_scratch = lambda widths, *args, swin=swin, **kwargs: scratch(
            narrow if swin else widths, *args, **kwargs
        )
        model = dpt_depth.DPTDepthModel(backbone=name, features=CHANNELS).eval()
        record(model, kind, checkout, timm.__version__)


def record(model, kind, checkout, timm_version):
    state = model.state_dict()
    kept = ('relative_position_index', 'attn_mask')  # which timm computes
    shapes = {k: v for k, v in REFERENCE['shapes_of'](model).items() if not k.endswith(kept)}
    model.load_state_dict(state | REFERENCE['filled'](shapes, fill))
    with torch.no_grad():
        output = model(REFERENCE['image'](SIZES[kind]))
    assert output.shape == (1, *SIZES[kind]) and output.std() > 0.01 * output.mean()
    source = ['isl-org/MiDaS', REFERENCE['commit'](checkout)]
    about = dict(source=source, timm=timm_version, shapes=shapes)
    if kind == 'next_vit':
        encoder = Path(checkout, 'midas', 'external', 'next_vit')
        about['encoder'] = ['isl-org/Next-ViT', REFERENCE['commit'](encoder)]
    depth = output[0, ::STRIDE, ::STRIDE].numpy()
    REFERENCE['save'](outputs(kind), dict(depth=depth), **about)


if __name__ == '__main__':
    main(*sys.argv[1:])

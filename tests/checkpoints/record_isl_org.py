"""Run isl-org/DPT's own model classes, narrow ones, and record what they predict.

Run once, where isl-org/DPT and the timm that its requirements.txt names are at hand::

    git clone https://github.com/isl-org/DPT ./main
    git clone https://github.com/isl-org/DPT --branch dpt_scriptable ./scriptable
    pip install --no-deps --target ./timm timm==0.4.5
    python tests/checkpoints/record_isl_org.py ./main ./scriptable ./timm

Only widths are not theirs. Parameters follow from their names and images from their sizes, so that
``data/isl_org.npz`` holds outputs, names with shapes, and the versions of this one run.
(dpt_scriptable names timm 0.4.9, whose weight standardisation is that of 0.4.5.)
"""

import importlib
import json
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import torch

OUTPUTS = Path(__file__).parent / 'data' / 'isl_org.npz'
SIDE, DIMS, HEADS, CHANNELS, CLASSES = 96, 32, 2, 16, 3
BASE, STAGES = 32, (128, 256, 512)
WIDTHS = {
    'vitl16_384': (8, 16, 32, 32),
    'vitb16_384': (4, 8, 16, 32),
    'vitb_rn50_384': (*STAGES[:2], 32, 32),
}
SIZES = ((96, 96), (160, 160), (96, 160), (224, 128))
STRIDE = 17
"""Of the recorded pixels, prime to the patch."""
TOKENS = tuple(f'pretrained.model.{name}' for name in ('cls', 'pos', 'patch_embed.proj'))
NYU = dict(scale=0.000305, shift=0.1378, invert=True)  # isl-org/DPT, run_monodepth.py
KITTI = dict(scale=0.00006016, shift=0.00579, invert=True)
SEGMENTATION = dict(num_classes=CLASSES)
VARIANTS = {
    'large-midas': ('vitl16_384', {}),
    'hybrid-midas': ('vitb_rn50_384', {}),
    'hybrid-nyu': ('vitb_rn50_384', NYU),
    'hybrid-kitti': ('vitb_rn50_384', KITTI),
    'base-midas': ('vitb16_384', {}),
    'large-ade20k': ('vitl16_384', SEGMENTATION),
    'hybrid-ade20k': ('vitb_rn50_384', SEGMENTATION),
    'base-ade20k': ('vitb16_384', SEGMENTATION),
}
SCRIPTABLE = ('large-midas', 'hybrid-nyu', 'hybrid-ade20k')


def fill(key, shape):
    """Give a parameter or statistic that depends on its name and shape alone.

    Uniform numbers of NumPy's legacy generator, whose stream is frozen. Constants show in the
    outputs: tokens start so small that LayerNorm's eps counts, the stem's filters span four
    decades, where the formulas of weight standardisation differ, and depth spans hundreds, as the
    released scales and shifts expect.
    """
    leaf = key.rpartition('.')[2]
    if leaf == 'num_batches_tracked':
        return torch.tensor(7)
    noise = np.random.RandomState(zlib.crc32(key.encode())).uniform(-1, 1, shape)
    if len(shape) == 1:
        noise = noise / 2 + (leaf in ('weight', 'running_var'))
    elif leaf == 'weight':
        noise *= np.sqrt(3 / np.prod(shape[1:]))
    if key.startswith(TOKENS):
        noise *= 0.02
    if '.backbone.' in key and len(shape) == 4:
        noise *= np.logspace(-4, 0, len(noise)).reshape(-1, 1, 1, 1)
    if key.startswith('scratch.output_conv.4.') and shape[0] == 1:
        noise *= 300
    return torch.from_numpy(noise.astype(np.float32))


def filled(shapes, fill=fill):
    """Give a state dict of these shapes."""
    return {key: fill(key, tuple(shape)) for key, shape in shapes.items()}


def shapes_of(model):
    return {key: list(value.shape) for key, value in model.state_dict().items()}


def save(path, outputs, **about):
    """Write outputs, and what they are of."""
    path.parent.mkdir(exist_ok=True)
    about |= dict(torch=torch.__version__, numpy=np.__version__)
    text = np.frombuffer(zlib.compress(json.dumps(about).encode(), 9), np.uint8)
    np.savez_compressed(path, about=text, **outputs)


def load(path):
    """Give what ``save`` wrote: outputs, and what they are of."""
    with np.load(path) as file:
        about = json.loads(zlib.decompress(file['about'].tobytes()))
        return {name: torch.from_numpy(file[name]) for name in file if name != 'about'}, about


def image(size):
    """Give the one image of a size, (1, 3, H, W) in [-1, 1]."""
    random = np.random.RandomState(zlib.crc32(repr(size).encode()))
    return torch.from_numpy(random.uniform(-1, 1, (1, 3, *size)).astype(np.float32))


def narrow_timm(name, pretrained):
    """Stand in for timm.create_model: the same classes and numbers of layers, narrow."""
    from timm.models.layers import StdConv2dSame
    from timm.models.resnetv2 import ResNetV2
    from timm.models.vision_transformer import VisionTransformer

    stem = None
    if 'resnet50' in name:
        stem = ResNetV2(
            layers=(3, 4, 9),
            channels=STAGES,
            stem_chs=BASE,
            num_classes=0,
            global_pool='',
            preact=False,
            stem_type='same',
            conv_layer=StdConv2dSame,
        )
    depth = 24 if 'large' in name else 12
    return VisionTransformer(
        img_size=SIDE, embed_dim=DIMS, depth=depth, num_heads=HEADS, hybrid_backbone=stem
    )


def replace_arguments(module, name, **replaced):
    """Have a function of theirs, where it exists, called with some arguments replaced."""
    original = getattr(module, name, None)
    if original is not None:
        setattr(module, name, lambda *args, **kwargs: original(*args, **{**kwargs, **replaced}))


def build(checkout, backbone, settings):
    """Build a model of theirs on fresh imports, as each width replaces arguments anew."""
    for name in [name for name in sys.modules if name.split('.')[0] == 'dpt']:
        del sys.modules[name]
    sys.path.insert(0, str(checkout))
    vit, blocks, models = (importlib.import_module(f'dpt.{x}') for x in ('vit', 'blocks', 'models'))
    sys.path.pop(0)
    vit.timm.create_model = narrow_timm
    widths = list(WIDTHS[backbone])
    for name in ('_make_vit_b16_backbone', '_make_vit_b_rn50_backbone', 'BackboneWrapper'):
        replace_arguments(vit, name, features=widths, vit_features=DIMS)
    make_scratch = blocks._make_scratch
    blocks._make_scratch = lambda _, *args, **kwargs: make_scratch(widths, *args, **kwargs)
    cls = models.DPTSegmentationModel if 'num_classes' in settings else models.DPTDepthModel
    model = cls(backbone=backbone, features=CHANNELS, **settings)
    model.load_state_dict(filled(shapes_of(model)))
    return model.eval()


def commit(checkout):
    command = ['git', '-C', str(checkout), 'rev-parse', 'HEAD']
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def main(checkout, scriptable, timm_folder):
    sys.path.insert(0, timm_folder)
    import timm

    runs = {name: (checkout, *variant) for name, variant in VARIANTS.items()}
    runs |= {f'scriptable-{name}': (scriptable, *VARIANTS[name]) for name in SCRIPTABLE}
    outputs, shapes = {}, {}
    for name, run in runs.items():
        model = build(*run)
        shapes[name] = shapes_of(model)
        for size in SIZES:
            with torch.no_grad():
                output = model(image(size))
            assert output.shape[-2:] == size and output.std() > 0
            outputs[f'{name} {size}'] = output[..., ::STRIDE, ::STRIDE].numpy()
    source = ['isl-org/DPT', commit(checkout), commit(scriptable)]
    save(OUTPUTS, outputs, source=source, timm=timm.__version__, shapes=shapes)


if __name__ == '__main__':
    main(*sys.argv[1:])

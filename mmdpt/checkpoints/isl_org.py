"""isl-org/DPT (dpt/{vit,blocks,models}.py, main @cd3fe90, dpt_scriptable @9fcf7ce).

MiDaS v3 and v3.1 (isl-org/MiDaS @4545977, midas/dpt_depth.py) give their dpt_large and dpt_hybrid
files other names and the keys of main.
"""

from collections.abc import Sequence

from mmdpt.checkpoints import timm
from mmdpt.checkpoints.layout import AFFINE, BATCH_NORM, NUM_TAPS, WEIGHT, Dead, Layout, Pair
from mmdpt.checkpoints.layout import modules as _modules

UNUSED_UNIT = 'the coarsest fusion block has no skip to refine'
TRAINING_ONLY = 'auxiliary output, in training only'
TASKS = {
    'depth': _modules(
        'depth head',
        ('decode_head.predictor.conv1', 'scratch.output_conv.0', AFFINE),
        ('decode_head.predictor.conv2', 'scratch.output_conv.2', AFFINE),
        ('decode_head.predictor.conv3', 'scratch.output_conv.4', AFFINE),
    ),
    'segmentation': [
        *_modules(
            'segmentation head',
            ('decode_head.project.conv', 'scratch.output_conv.0', WEIGHT),
            ('decode_head.project.bn', 'scratch.output_conv.1', BATCH_NORM),
            ('decode_head.conv_seg', 'scratch.output_conv.4', AFFINE),
        ),
        *_modules(
            'auxiliary head',
            ('decode_head.auxiliary.project.conv', 'auxlayer.0', WEIGHT),
            ('decode_head.auxiliary.project.bn', 'auxlayer.1', BATCH_NORM),
            ('decode_head.auxiliary.conv_seg', 'auxlayer.4', AFFINE),
        ),
    ],
}
MARKS = {'depth': r'^scratch\.output_conv\.2\.', 'segmentation': r'^scratch\.output_conv\.1\.'}


def reassemble(taps: Sequence[int], scriptable: bool) -> list[Pair]:
    """Pair readout, projection and resampling of the taps that have them, 0-based."""
    pairs = []
    for k in taps:
        ours, name = f'decode_head.reassemble.blocks.{k}', f'pretrained.act_postprocess{k + 1}'
        readout = f'pretrained.readout_oper{k + 1}' if scriptable else f'{name}.0'
        projection, resampling = (0, 1) if scriptable else (3, 4)
        pairs += _modules('readout', (f'{ours}.read.project', f'{readout}.project.0', AFFINE))
        pairs += _modules('reassemble', (f'{ours}.project', f'{name}.{projection}', AFFINE))
        if k != 2:  # the third tap keeps its scale
            pairs += _modules('reassemble', (f'{ours}.resample', f'{name}.{resampling}', AFFINE))
    return pairs


def fusion(scratch: str = 'scratch') -> list[Pair]:
    """Pair what follows the reassembling; refinenet4 is the coarsest."""
    pairs = []
    for k in range(NUM_TAPS):
        block, theirs = f'decode_head.fusion.blocks.{k}', f'{scratch}.refinenet{NUM_TAPS - k}'
        pairs += _modules(
            'fusion',
            (
                f'decode_head.reassemble.blocks.{k}.to_fusion',
                f'{scratch}.layer{k + 1}_rn',
                WEIGHT,
            ),
            (f'{block}.project', f'{theirs}.out_conv', AFFINE),
        )
        for unit in (1, 2)[k == 0 :]:
            for i in (1, 2):
                our_unit, their_unit = f'{block}.residual_unit{unit}', f'{theirs}.resConfUnit{unit}'
                conv = (f'{our_unit}.conv{i}', f'{their_unit}.conv{i}')
                norm = (f'{our_unit}.norm{i}', f'{their_unit}.bn{i}')
                pairs += _modules('fusion', (*conv, WEIGHT))
                pairs += _modules('fusion bias', (*conv, ('bias',)))
                pairs += _modules('fusion norm', (*norm, BATCH_NORM))
    return pairs


def unused_unit(unit: str, conv: str, norm: str) -> list[Dead]:
    """Name the parameters of the coarsest block's first unit, shaped as its second's."""
    live = 'decode_head.fusion.blocks.0.residual_unit2'
    rows = [
        *((f'{conv}{i}.{leaf}', f'conv{i}.{leaf}') for i in (1, 2) for leaf in AFFINE),
        *((f'{norm}{i}.{leaf}', f'norm{i}.{leaf}') for i in (1, 2) for leaf in BATCH_NORM),
    ]
    return [
        Dead(
            f'{unit}.{theirs}',
            UNUSED_UNIT,
            f'{live}.{ours}',
            value=float('norm' in ours and ours.endswith(('weight', 'running_var'))),
        )
        for theirs, ours in rows
    ]


def untrained_auxiliary(auxiliary: str, head: str) -> list[Dead]:
    """Name the auxiliary output, for those of our models that have none; theirs load strictly."""
    rows = [('0.weight', 'project.conv.weight'), ('4.weight', 'conv_seg.weight')]
    rows += [('4.bias', 'conv_seg.bias')]
    rows += [(f'1.{leaf}', f'project.bn.{leaf}') for leaf in BATCH_NORM]
    return [
        Dead(
            f'{auxiliary}.{theirs}',
            TRAINING_ONLY,
            f'{head}.{ours}',
            value=float(theirs in ('1.weight', '1.running_var')),
        )
        for theirs, ours in rows
    ]


def _layout(task: str, hybrid: bool, scriptable: bool) -> Layout:
    with_auxiliary = task == 'segmentation' and not scriptable
    return Layout(
        source='isl-org',
        marks=(
            r'^pretrained\.model\.blocks\.',
            r'^pretrained\.model\.patch_embed\.' + ('backbone' if hybrid else 'proj'),
            r'^pretrained\.act_postprocess3\.' + ('0.weight' if scriptable else '3'),
            *(() if hybrid else (r'^pretrained\.act_postprocess1\.',)),
            MARKS[task],
        ),
        pairs=(
            *timm.vit('pretrained.model.', hybrid),
            *reassemble((2, 3) if hybrid else range(NUM_TAPS), scriptable),
            *fusion(),
            *TASKS[task],
        ),
        required=timm.parts(hybrid, 'reassemble', 'fusion', f'{task} head'),
        task=task,
        hybrid=hybrid,
        dead=(
            *timm.unused('pretrained.model.'),
            *unused_unit('scratch.refinenet4.resConfUnit1', 'conv', 'bn'),
            *(untrained_auxiliary('auxlayer', 'decode_head') if with_auxiliary else ()),
        ),
        settings=''
        if task == 'segmentation'
        else (
            'the NYU and KITTI models need decode_head.inversion: (0.000305, 0.1378) and '
            '(0.00006016, 0.00579)'
        ),
    )


LAYOUTS = tuple(
    _layout(task, hybrid, scriptable)
    for scriptable in (False, True)
    for hybrid in (True, False)
    for task in TASKS
)

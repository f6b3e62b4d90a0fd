"""isl-org/DPT (dpt/{vit,blocks,models}.py, main @cd3fe90, dpt_scriptable @9fcf7ce).

MiDaS v3 and v3.1 (isl-org/MiDaS @4545977, midas/dpt_depth.py) give their dpt_large and dpt_hybrid
files other names and the keys of main.
"""

import re
from collections.abc import Sequence

from mmdpt.checkpoints.layouts import decoder, timm

from .layout import AFFINE, BATCH_NORM, NUM_TAPS, Dead, Layout, Pair

UNUSED_UNIT = 'the coarsest fusion block has no skip to refine'
TRAINING_ONLY = 'auxiliary output, in training only'
TASKS = decoder.heads('scratch.output_conv', 'auxlayer')
MARKS = {'depth': r'^scratch\.output_conv\.2\.', 'segmentation': r'^scratch\.output_conv\.1\.'}


def reassemble(taps: Sequence[int], scriptable: bool) -> list[Pair]:
    """Pair readout, projection and resampling of the taps that have them, 0-based."""
    name = 'pretrained.act_postprocess{next}'
    if scriptable:
        readout = 'pretrained.readout_oper{next}.0.project.0'
        return decoder.reassemble(taps, readout, f'{name}.0', f'{name}.1')
    return decoder.reassemble(taps, f'{name}.0.project.0', f'{name}.3', f'{name}.4')


def fusion(scratch: str = 'scratch') -> list[Pair]:
    """Pair what follows the reassembling. Their refinenet4 is the coarsest block."""
    block = f'{scratch}.refinenet{{back}}'
    return decoder.fusion(
        f'{scratch}.layer{{next}}_rn',
        f'{block}.out_conv',
        f'{block}.resConfUnit{{u}}',
        'conv{i}',
        'bn{i}',
    )


def unused_unit(unit: str, conv: str, norm: str) -> list[Dead]:
    """Name the parameters of the coarsest block's first unit, which has the second's shapes."""
    live = 'decode_head.fusion.blocks.0.residual_unit2'
    rows = [
        *((f'{conv}{i}.{leaf}', f'conv{i}.{leaf}') for i in (1, 2) for leaf in AFFINE),
        *((f'{norm}{i}.{leaf}', f'norm{i}.{leaf}') for i in (1, 2) for leaf in BATCH_NORM),
    ]
    return _dead(unit, live, rows, UNUSED_UNIT)


def untrained_auxiliary(auxiliary: str, head: str) -> list[Dead]:
    """Name the auxiliary output. Their models load strictly, and some of ours have none."""
    rows = [('0.weight', 'project.conv.weight'), ('4.weight', 'conv_seg.weight')]
    rows += [('4.bias', 'conv_seg.bias')]
    rows += [(f'1.{leaf}', f'project.bn.{leaf}') for leaf in BATCH_NORM]
    return _dead(auxiliary, head, rows, TRAINING_ONLY)


def _dead(theirs: str, ours: str, rows: list[tuple[str, str]], reason: str) -> list[Dead]:
    """Give their parameters the shapes of ours; normalisations change nothing, others are zero."""
    ones = re.compile(r'(norm\d|bn)\.(weight|running_var)')
    return [
        Dead(f'{theirs}.{their}', reason, f'{ours}.{our}', value=float(bool(ones.search(our))))
        for their, our in rows
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
        dead=(
            *timm.unused('pretrained.model.'),
            *unused_unit('scratch.refinenet4.resConfUnit1', 'conv', 'bn'),
            *(untrained_auxiliary('auxlayer', 'decode_head') if with_auxiliary else ()),
        ),
        settings=''
        if task == 'segmentation'
        else (
            'of the NYU model --cfg-options model.decode_head.output=depth '
            'model.decode_head.max_depth=None model.decode_head.inversion=0.000305,0.1378; '
            'of the KITTI model --cfg-options model.decode_head.output=depth '
            'model.decode_head.max_depth=None model.decode_head.inversion=0.00006016,0.00579'
        ),
    )


LAYOUTS = tuple(
    _layout(task, hybrid, scriptable)
    for scriptable in (False, True)
    for hybrid in (True, False)
    for task in TASKS
)

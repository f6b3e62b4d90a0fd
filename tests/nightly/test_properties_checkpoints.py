"""Converters on generated checkpoints: every number arrives, and every key has an answer."""

import re

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from mmdpt.checkpoints.convert import to_foreign, to_ours
from mmdpt.checkpoints.detect import LAYOUTS, detect
from mmdpt.errors import InputError

BY_NAME = {
    f'{layout.source} {layout.task} {number}': layout for number, layout in enumerate(LAYOUTS)
}
WHOLE_MODELS = [  # SMP's are read alone: ours would need a unit that adds exactly zero
    name
    for name, layout in BY_NAME.items()
    if layout.task != 'backbone'
    and layout.source != 'smp'
    and 'encoder' in layout.required  # not a head's own file
]
OF_EQUAL_LAYERS = [  # Swin's stages differ
    name
    for name, layout in BY_NAME.items()
    if any('{n}' in pair.ours and pair.ours.startswith('backbone.') for pair in layout.pairs)
]
TYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
every_layout = pytest.mark.parametrize('name', BY_NAME)


def fill(template, numbers):
    return re.sub(r'\{(\w)\}', lambda found: str(numbers[found[1]]), template)


@st.composite
def parts_of(draw, layout):
    """Some of the parts that a file of this layout may have."""
    kept = set(layout.required)
    known = {pair.part for pair in layout.pairs}
    if known.intersection(layout.either):
        kept.add(draw(st.sampled_from(sorted(known.intersection(layout.either)))))
    for part in sorted(known - kept - set(layout.either)):
        needed = 'swiglu (older)' in kept or 'swiglu' in kept
        if needed if part == 'swiglu output' else draw(st.booleans()):
            kept.add(part)
    return kept


@st.composite
def files(draw, layout):
    """What our model is to hold, what a file of the layout holds, and its keys by part."""
    kept, dtype = draw(parts_of(layout)), draw(st.sampled_from(TYPES))
    layers = draw(st.integers(1, 3))
    stages = draw(st.lists(st.integers(1, 2), min_size=1, max_size=3))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    magnitude = 10 ** draw(st.floats(-30, 30))
    ours, theirs, parts = {}, {}, {}
    for pair in layout.pairs:
        if pair.part not in kept or (pair.optional and draw(st.booleans())):
            continue
        pieces = len(pair.theirs)
        # One shape in all layers, others elsewhere: some sum of letters. Rows part in 2 and in 3.
        rows, columns = 6 + 6 * (sum(pair.ours.encode()) % 2), 1 + sum(pair.ours.encode()) % 3
        for numbers in (
            dict(n=n, s=s, b=b)
            for n in range(layers if '{n}' in pair.ours else 1)
            for s in range(len(stages) if '{s}' in pair.ours else 1)
            for b in range(stages[s] if '{b}' in pair.ours else 1)
        ):
            shape = () if pair.optional else (rows, columns)
            if pair.ours.endswith(('conv3.weight', 'conv_seg.weight', 'conv_normals.weight')):
                shape = (rows, columns, 1, 1)  # a linear layer in some files
            value = (magnitude * torch.randn(shape, generator=generator)).to(dtype)
            ours[fill(pair.ours, numbers)] = value
            keys = [fill(key, numbers) for key in pair.theirs]
            theirs |= zip(keys, value.chunk(pieces) if pieces > 1 else [value], strict=True)
            for key in keys:
                parts[key] = 'optional' if pair.optional else pair.part
    living = {key for pair in layout.pairs for key in pair.theirs}
    for dead in layout.dead:
        if dead.theirs not in living and draw(st.integers(0, 3)) == 0:
            theirs[dead.theirs] = torch.zeros(2)
            parts[dead.theirs] = 'dead'
    for implied in layout.implied:
        ours.setdefault(implied.ours, torch.zeros(len(ours[implied.like]), dtype=dtype))
    theirs = layout.restore(theirs)
    keys = draw(st.permutations(sorted(theirs)[:7])) + sorted(theirs)[7:]
    return ours, {key: theirs[key] for key in keys}, parts


def assert_equal(found, expected):
    """Bit for bit: NaN and infinity of half precision too."""
    torch.testing.assert_close(found, expected, rtol=0, atol=0, equal_nan=True)


@every_layout
@given(data=st.data())
def test_every_number_of_a_file_arrives_and_every_key_has_an_answer(name, data):
    layout = BY_NAME[name]
    ours, theirs, parts = data.draw(files(layout))
    converted, report = to_ours(theirs, layout.source, task=layout.task)
    assert_equal(converted, ours)
    named = {key for keys in report.mapped.values() for key in keys} | set(report.dropped)
    assert named == set(theirs)
    assert set(report.dropped) == {key for key, part in parts.items() if part == 'dead'}
    # TIPSv2's heads have the same keys in transformers; all others are known by the keys alone
    task = layout.task if r'^decoder\.project\.' in layout.marks else None
    assert detect(theirs, task=task).task == layout.task


@every_layout
@given(data=st.data())
def test_key_with_another_name_is_an_error(name, data):
    layout = BY_NAME[name]
    _, theirs, _ = data.draw(files(layout))
    key = data.draw(st.sampled_from(sorted(theirs)))
    other = f'{key}.{data.draw(st.sampled_from(["old", "0", "weight"]))}'
    theirs[other] = theirs.pop(key)
    with pytest.raises(InputError, match=rf'1 unexpected: {re.escape(other)}|no layout of'):
        to_ours(theirs, layout.source, task=layout.task)


@every_layout
@given(data=st.data())
def test_key_that_lacks_is_an_error_unless_the_output_needs_none(name, data):
    layout = BY_NAME[name]
    ours, theirs, parts = data.draw(files(layout))
    key = data.draw(st.sampled_from(sorted(theirs)))
    del theirs[key]
    alone = list(parts.values()).count(parts[key]) == 1 and parts[key] not in layout.required
    if parts[key] in ('optional', 'dead') or alone:
        converted, _ = to_ours(theirs, layout.source, task=layout.task)
        assert converted.keys() <= ours.keys() and len(ours) - len(converted) <= 1
    else:
        telling = any(re.search(mark, key) for mark in layout.marks)  # taken for another layout
        answer = 'not as expected' if telling else re.escape(key)
        with pytest.raises(InputError, match=f'{answer}|no layout of'):
            to_ours(theirs, layout.source, task=layout.task)


@pytest.mark.parametrize('name', OF_EQUAL_LAYERS)
@given(data=st.data())
def test_layer_of_another_shape_is_an_error(name, data):
    layout = BY_NAME[name]
    _, theirs, parts = data.draw(files(layout))
    later = [key for key in theirs if re.match(r'\D*[12]\.', key)]
    encoder = [key for key in later if parts[key] in ('encoder', 'mlp')]
    assume(encoder)  # of more than one layer
    key = data.draw(st.sampled_from(encoder))
    theirs[key] = torch.cat([theirs[key], theirs[key]])
    with pytest.raises(InputError, match='of another shape'):
        to_ours(theirs, layout.source, task=layout.task)


@pytest.mark.parametrize('name', WHOLE_MODELS)
@given(data=st.data())
def test_there_and_back_again(name, data):
    layout = BY_NAME[name]
    ours, _, _ = data.draw(files(layout))
    foreign, written = to_foreign(ours, layout.source)
    again, report = to_ours(foreign, layout.source, task=layout.task)
    assert_equal({key: again[key] for key in ours}, ours)
    added = {key for ours_, keys in report.mapped.items() if ours_ not in ours for key in keys}
    assert added <= set(written.filled)  # what the other side loads strictly


@pytest.mark.parametrize('name', [name for name in WHOLE_MODELS if 'huggingface' in name])
@given(data=st.data())
def test_tensor_that_does_not_part_in_queries_keys_and_values_is_an_error(name, data):
    layout = BY_NAME[name]
    ours, _, _ = data.draw(files(layout))
    joined = [pair.ours for pair in layout.pairs if len(pair.theirs) == 3]
    key = fill(data.draw(st.sampled_from(joined)), dict(n=0, s=0, b=0))
    ours[key] = ours[key][: data.draw(st.sampled_from([1, 5]))]
    with pytest.raises(InputError, match=rf'of another shape: {re.escape(key)}: \([15], '):
        to_foreign(ours, layout.source)

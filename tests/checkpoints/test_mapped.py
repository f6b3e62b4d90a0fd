"""Tensors are copied out of mapped files part by part; a training's optimiser is not read."""

import zipfile
from contextlib import contextmanager

import pytest
import torch
from safetensors.torch import save_file

from mmdpt.checkpoints import read_checkpoint
from mmdpt.checkpoints.reading import mapped
from mmdpt.checkpoints.reading.mapped import copy_tensors, has_optimizer

TENSORS = dict(a=torch.arange(3.0), b=torch.ones(2, 2, dtype=torch.float16), c=torch.tensor(7))
TRAINING = dict(
    state_dict=TENSORS,
    meta=dict(dataset_meta=dict(classes=('wall', 'sky'))),
    optimizer=dict(state={0: dict(exp_avg=torch.zeros(3))}, param_groups=[dict(params=[0])]),
)
SAVES = {
    'training.pth': lambda path: torch.save(TRAINING, path),
    'isl-org training.pt': lambda path: torch.save(
        dict(model=TENSORS, optimizer=TRAINING['optimizer']), path
    ),
    'model.pth': lambda path: torch.save(TENSORS, path),
    'model.safetensors': lambda path: save_file(TENSORS, path),
    'model.bin': lambda path: save_file(TENSORS, path),
}


@pytest.fixture(params=SAVES)
def path(request, tmp_path):
    """A file of each kind in turn."""
    SAVES[request.param](tmp_path / request.param)
    return tmp_path / request.param


def assert_are_the_tensors(found):
    assert list(found) == list(TENSORS)
    for name, value in found.items():
        assert value.dtype == TENSORS[name].dtype and torch.equal(value, TENSORS[name])


def test_tensors_are_read_into_memory_of_their_own(path):
    """A tensor in a mapping would have the new bytes, and end the process with a shorter file."""
    found = read_checkpoint(path).state_dict
    assert_are_the_tensors(found)
    assert all(value.untyped_storage().nbytes() == value.nbytes for value in found.values())
    with path.open('r+b') as file:
        file.write(bytes(path.stat().st_size))
        file.truncate(1)
    assert_are_the_tensors(found)


@pytest.mark.parametrize(
    ('content', 'expected'),
    [(TRAINING, True), (TENSORS, False), (dict(state_dict=TENSORS, meta={}), False)],
)
def test_a_file_of_a_training_is_told_from_a_models(tmp_path, content, expected):
    torch.save(content, tmp_path / 'a.pth')
    assert has_optimizer(tmp_path / 'a.pth') is expected


def test_what_cannot_be_mapped_is_read_whole(tmp_path):
    """A compressed archive's bytes would be other numbers; the older format is no archive."""
    torch.save(TRAINING, tmp_path / 'a.pth')
    with (
        zipfile.ZipFile(tmp_path / 'a.pth') as source,
        zipfile.ZipFile(tmp_path / 'b.pth', 'w', zipfile.ZIP_DEFLATED) as target,
    ):
        for record in source.infolist():
            target.writestr(record.filename, source.read(record))
    torch.save(TRAINING, tmp_path / 'c.pth', _use_new_zipfile_serialization=False)
    (tmp_path / 'd.pth').write_bytes(b'PK\3\4 torn')
    assert [has_optimizer(tmp_path / f'{name}.pth') for name in 'abcd'] == [True, *[False] * 3]
    assert_are_the_tensors(read_checkpoint(tmp_path / 'c.pth').state_dict)


@pytest.mark.parametrize(
    ('least', 'expected'),
    [
        (16, ['open', 'a', 'b', 'open', 'c', 'd', 'open', 'e']),  # 12 + 8 bytes, 8 + 12, 4
        (1, ['open', 'a', 'open', 'b', 'c', 'open', 'd', 'open', 'e']),  # 44 / 4, rounded up: 12
        (1000, ['open', 'a', 'b', 'c', 'd', 'e']),
    ],
)
def test_the_file_is_mapped_anew_for_every_part(monkeypatch, least, expected):
    monkeypatch.setattr(mapped, 'LEAST_PART', least)
    sizes = dict(a=3, b=2, c=2, d=3, e=1)
    file = {name: torch.full((size,), float(size)) for name, size in sizes.items()}
    done = []

    @contextmanager
    def opened():
        done.append('open')

        def tensor_of(name):
            done.append(name)
            return file[name]

        yield tensor_of

    copied = copy_tensors(list(file), 44, opened)
    assert done == expected
    assert all(torch.equal(copied[name], file[name]) for name in file)
    assert all(copied[name].data_ptr() != file[name].data_ptr() for name in file)


def test_nothing_is_copied_of_no_names():
    assert copy_tensors([], 0, lambda: pytest.fail('mapped')) == {}

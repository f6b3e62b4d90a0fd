"""No pickle is executed by any function that reads a checkpoint."""

import io
import pickle

import pytest
import torch
from mmengine.runner.checkpoint import CheckpointLoader, get_torch_safe_globals

from mmdpt.checkpoints import read_checkpoint
from mmdpt.checkpoints.pretrained_init import PretrainedInit
from mmdpt.checkpoints.reading.download import cached_path
from mmdpt.checkpoints.reading.mmengine_loader import reading_safely
from mmdpt.checkpoints.reading.releases import RELEASES
from mmdpt.errors import InputError
from mmdpt.training.resume.checkpoint_contents import read_training_checkpoint

PLACES = ('state_dict', 'nested', 'meta', 'message_hub', 'optimizer', 'alone')


def read_by_mmengine(path):
    with reading_safely():
        CheckpointLoader.load_checkpoint(str(path), map_location='cpu')


READERS = {
    'address': lambda path: read_checkpoint(path.as_uri()),
    'release': lambda path: read_checkpoint('dpt-hybrid-nyu'),
    'resume': read_training_checkpoint,
    'initial weights': lambda path: PretrainedInit(str(path))(torch.nn.Linear(1, 1)),
    'mmengine': read_by_mmengine,
}


def test_the_trick_works_on_others(all_tricks, hostile, marker, trick):
    """On ordinary unpickling; the last one on what MMEngine sets up for weights-only unpickling.

    Otherwise the other tests would show nothing.
    """
    if trick == 'weights-only':
        with torch.serialization.safe_globals(get_torch_safe_globals()):
            torch.load(hostile(trick), weights_only=True)
    else:
        pickle.load(io.BytesIO(b'\x80\x02' + all_tricks[trick] + b'.'))
    assert marker.exists()


@pytest.mark.parametrize('legacy', [False, True])
def test_a_hostile_file_works_on_torch_as_it_was(hostile, marker, legacy):
    torch.load(hostile('os.system', legacy=legacy), weights_only=False)
    assert marker.exists()


def test_no_trick_is_executed_in_any_place_nor_in_the_old_format(hostile, marker, trick):
    for place, legacy in [*((place, False) for place in PLACES), ('meta', True)]:
        with pytest.raises(InputError):
            read_checkpoint(hostile(trick, place, legacy=legacy))
        assert not marker.exists(), (place, legacy)


@pytest.mark.parametrize('trick', ['os.system', 'weights-only'])
@pytest.mark.parametrize('reader', READERS)
def test_no_reader_executes_a_trick(hostile, marker, reader, trick, tmp_path, monkeypatch):
    monkeypatch.setenv('MMDPT_HOME', str(tmp_path / 'home'))
    path = hostile(trick, path=cached_path(RELEASES['dpt-hybrid-nyu'].address))
    with pytest.raises(InputError):
        READERS[reader](path)
    assert not marker.exists()


def test_the_message_names_what_would_be_called(hostile):
    message = r'hostile\.pth would call posix\.system: .* nothing in them is executed'
    with pytest.raises(InputError, match=message):
        read_checkpoint(hostile('os.system'))


def test_an_archive_that_is_no_checkpoint_is_refused(tmp_path):
    """A TorchScript archive has code of its own."""

    class Module(torch.nn.Module):
        def forward(self, x):
            return x + 1

    path = tmp_path / 'script.pt'
    torch.jit.save(torch.jit.trace(Module(), torch.zeros(1)), str(path))
    with pytest.raises(InputError, match=r'script\.pt'):
        read_checkpoint(path)


@pytest.mark.parametrize('prefix', ['http', 'ftp', 's3', 'pavi'])
def test_mmengines_loader_takes_no_other_addresses(prefix):
    with pytest.raises(InputError, match='a checkpoint is a local path or an https address'):
        read_by_mmengine(f'{prefix}://host/resnet50.pth')


@pytest.mark.parametrize(
    ('said', 'kept'),
    [
        (dict(classes=('wall', 'sky'), palette=[[1, 2, 3]]), ['classes', 'palette']),
        (dict(classes=['wall'], label_map={1: 2}), ['classes']),
        (dict(classes=[['wall']]), []),
        (dict(classes='wall'), []),
        (dict(palette=[[1.5]]), []),
        (dict(palette=[1]), []),
        ([1], []),
    ],
)
def test_class_names_and_colours_are_what_they_seem(tmp_path, said, kept):
    path = tmp_path / 'a.pth'
    torch.save(dict(state_dict=dict(a=torch.zeros(1)), meta=dict(dataset_meta=said)), path)
    assert sorted(read_checkpoint(path).meta['dataset_meta'] or {}) == kept

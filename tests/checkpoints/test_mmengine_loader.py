"""Host components read by our reader within our runner; outside MMEngine's is as it was."""

import re
import threading

import pytest
import torch
from mmengine.runner import checkpoint as mmengine_checkpoint
from mmengine.runner.checkpoint import CheckpointLoader

import mmdpt.apis
import mmdpt.training  # noqa: F401  what is imported changes nothing
from mmdpt.checkpoints.reading import reader
from mmdpt.checkpoints.reading.mmengine_loader import reading_safely
from mmdpt.checkpoints.reading.zoos import zoo_address
from mmdpt.errors import InputError


def is_mmengines():
    return CheckpointLoader.load_checkpoint.__module__ == mmengine_checkpoint.__name__


def test_mmengines_loader_is_ours_within_a_block_alone(tmp_path):
    torch.save(dict(model=dict(a=torch.ones(2)), epoch=3), tmp_path / 'a.pth')
    assert is_mmengines()
    with reading_safely():
        found = mmengine_checkpoint._load_checkpoint(str(tmp_path / 'a.pth'))
    assert found['state_dict']['a'].tolist() == [1, 1]
    assert is_mmengines()
    assert CheckpointLoader.load_checkpoint(str(tmp_path / 'a.pth'))['epoch'] == 3


def test_it_stays_ours_until_the_last_of_several_blocks_ends():
    """In other threads, too, and after an error."""
    entered, leave = threading.Event(), threading.Event()

    def other():
        with reading_safely():
            entered.set()
            leave.wait()

    thread = threading.Thread(target=other)
    with pytest.raises(KeyError), reading_safely():
        thread.start()
        entered.wait()
        raise KeyError
    assert not is_mmengines()
    leave.set()
    thread.join()
    assert is_mmengines()


@pytest.mark.parametrize(
    ('name', 'file'),
    [
        ('torchvision://resnet50', r'download\.pytorch\.org/models/resnet50-\w+\.pth'),
        ('open-mmlab://resnet50_v1c', r'resnet50_v1c-\w+\.pth'),
        ('mmcls://resnet50_v1d', r'resnetv1d50_\w+-\w+\.pth'),
    ],
)
def test_names_of_mmengines_zoos_are_addresses(name, file):
    address = zoo_address(name)
    assert address.startswith('https://')
    assert re.search(file, address)


def test_a_name_of_no_zoo_is_refused():
    with pytest.raises(
        InputError, match="mmcls://resnet49: MMEngine knows no address of 'resnet49'"
    ):
        zoo_address('mmcls://resnet49')


def test_of_a_classifier_the_backbone_is_read(tmp_path, monkeypatch):
    torch.save({'backbone.a': torch.ones(2), 'head.b': torch.ones(3)}, tmp_path / 'a.pth')
    monkeypatch.setattr(reader, 'download', lambda address: tmp_path / 'a.pth')
    assert list(reader.read_checkpoint('mmcls://resnet50_v1d').state_dict) == ['a']

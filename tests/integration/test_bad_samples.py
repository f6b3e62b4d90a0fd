"""Bad samples in the middle of a training, through the tool."""

import re
import shutil

import pytest
import torch


@pytest.fixture
def data(scenes, tmp_path):
    """The scenes with a truncated image and an empty label among eight, and a config's options."""
    root = tmp_path / 'data'
    shutil.copytree(scenes, root)
    image = root / 'images' / 'training' / 'scene_00000003.jpg'
    image.write_bytes(image.read_bytes()[:700])
    (root / 'annotations' / 'training' / 'scene_00000006.png').write_bytes(b'')
    return root


def listed(work_dir):
    """How often each bad sample was drawn, by its reason."""
    lines = (work_dir / 'bad_samples.txt').read_text().splitlines()
    return {reason: int(times) for times, reason in (line.split(' x ', 1) for line in lines)}


@pytest.mark.distributed
def test_skip_leaves_out_the_same_samples_on_one_and_two_processes(
    config, data, run_tool, run_ranks, tmp_path
):
    """Four iterations see each of the eight samples once."""
    one, two = tmp_path / 'one', tmp_path / 'two'
    options = (
        *('--cfg-options', f'train_dataloader.dataset.data_root={data}'),
        *('train_cfg.on_bad_sample=skip', 'val_dataloader=None', 'val_cfg=None'),
        'val_evaluator=None',
    )
    first = run_tool('train.py', config, '--work-dir', one, *options)
    second, other = run_ranks(
        *(2, 'train.py', config, '--launcher', 'pytorch', '--work-dir', two),
        *options,
        *('train_dataloader.batch_size=1', 'train_dataloader.num_workers=1'),
    )
    assert other.returncode == 0, other
    for done in (first, second):
        assert done.returncode == 0, done.stdout + done.stderr
        assert '2 bad samples were left out' in done.stdout
    reasons = listed(one)
    assert reasons == listed(two)
    image, label = sorted(reasons)
    assert re.fullmatch(r'cannot read image \S+/scene_00000003\.jpg: it is a JPEG cut.*', image)
    assert re.fullmatch(r'cannot read label \S+/scene_00000006\.png: it is empty', label)
    assert min(reasons.values()) >= 1 and sum(reasons.values()) < 8
    for work_dir in (one, two):
        state = torch.load(work_dir / 'iter_4.pth', weights_only=True)['state_dict']
        assert all(value.isfinite().all() for value in state.values())

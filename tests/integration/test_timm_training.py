"""An encoder of timm trains on both tasks by two processes, as any other."""

import pytest
import tiny
import torch


@pytest.mark.distributed
def test_two_processes_train_dinov3_jointly(scenes, run_ranks, tmp_path):
    """DDP would stop at the second step if the first left a parameter without gradient."""
    name, args = tiny.TIMM['dinov3']
    backbone = dict(
        _delete_=True,
        type='TimmDPTBackbone',
        model_name=name,
        model_args=args,
        norm_taps=True,
        drop_path_rate=0.1,
    )
    more = f'model["backbone"] = {backbone!r}\ntrain_cfg.update(max_iters=2, val_interval=2)\n'
    config = tiny.write_config(tmp_path, 'joint', scenes, more)
    done = run_ranks(
        *(2, 'train.py', config, '--work-dir', tmp_path / 'work', '--launcher', 'pytorch')
    )
    assert not any(rank.returncode for rank in done), done
    path = next((tmp_path / 'work').glob('iter_2.pth'))
    weights = torch.load(path, weights_only=True)['state_dict']
    assert 'backbone.timm_model.blocks.3.attn.q_bias' in weights
    assert all(value.isfinite().all() for value in weights.values())

"""The metrics of a test are in one file, which one process writes."""

import json
from types import SimpleNamespace

import pytest
from mmengine.dist import utils
from mmengine.logging import MMLogger

from mmdpt.registry import HOOKS


@pytest.mark.parametrize('rank', [0, 1])
def test_rank_0_alone_writes_the_metrics(tmp_path, monkeypatch, rank):
    monkeypatch.setattr(utils, 'get_rank', lambda group=None: rank)
    hook = HOOKS.build(dict(type='LoggerHook'))
    hook.json_log_path = 'metrics.json'
    runner = SimpleNamespace(
        log_dir=str(tmp_path), test_dataloader=[], logger=MMLogger.get_instance('metrics'),
        log_processor=SimpleNamespace(get_log_after_epoch=lambda *_, **__: (dict(mIoU=50.0), '')),
    )  # fmt: skip
    hook.after_test_epoch(runner)
    written = [json.loads(file.read_text()) for file in tmp_path.iterdir()]
    assert written == [] if rank else written == [dict(mIoU=50.0)]

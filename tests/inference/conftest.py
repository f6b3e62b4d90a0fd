"""Tiny models of every task."""

import pytest

RELATIVE = """
model.update(test_cfg=dict(resize_mode='bicubic'))
model['decode_head'].update(output='relative', max_depth=None, clamp=(None, None))
"""
SLIDE = 'model.update(test_cfg=dict(mode="slide", crop_size=(32, 32), stride=(16, 16)))\n'
TASKS = {
    'segmentation': ('segmentation', ''),
    'depth': ('depth', ''),
    'relative': ('depth', RELATIVE),
    'disparity': ('depth', RELATIVE.replace('relative', 'disparity')),
    'joint': ('joint', ''),
    'segmentation-slide': ('segmentation', SLIDE),
    'joint-slide': ('joint', SLIDE),
    'depth-flip': ('depth', 'model.update(test_cfg=dict(flip=True))\n'),
}
"""The task of ``tiny`` and further lines of its config."""


@pytest.fixture(scope='session', params=TASKS)
def task(request):
    """The name of a task in turn."""
    return request.param


@pytest.fixture(scope='session')
def paths_of(written):
    """Give the paths of a task's config and random weights."""
    return lambda task: written(*TASKS[task], name=task)

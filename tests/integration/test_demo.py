"""The demo: what it says, and what it leaves."""

import importlib.util
import os
import re
from pathlib import Path

import pytest
import tiny

from mmdpt.commands.tool_runs import run_tool
from mmdpt.config import load_config

DEMO = tiny.REPO / 'tools' / 'demo.py'
LOG = """\
Iter(train) [ 10/600]  lr: 1e-3  eta: 0:02:00  time: 0.4  loss: 3.2
picture of the validation: {folder}/pictures/iter_160.png
Iter(val) [60/60]  aAcc: 80.1200  mIoU: 60.3400  d1: 0.5000  abs_rel: 0.2345  depth_pro_f1: 0.1234
"""


@pytest.fixture
def demo(monkeypatch, tmp_path):
    spec = importlib.util.spec_from_file_location('demo', DEMO)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr('sys.argv', ['demo.py'])
    monkeypatch.chdir(tmp_path)
    return module


def test_says_after_each_validation_how_good_it_is_and_where_the_picture_is(demo, capfd):
    log = LOG.format(folder=Path.cwd() / 'work_dirs/demo')
    Path('train.py').write_text(f'print({log!r})')
    demo.TOOLS = Path.cwd()
    demo.training_command = lambda: ['train.py', 'some_config', '--work-dir', demo.WORK_DIR]
    scores, picture = demo.train()
    assert picture == 'work_dirs/demo/pictures/iter_160.png'
    assert scores == dict(aAcc=80.12, mIoU=60.34, d1=0.5, abs_rel=0.2345, edges=0.1234)
    lines = [line.strip() for line in capfd.readouterr().out.splitlines()]
    assert lines == [
        'python tools/train.py some_config --work-dir work_dirs/demo',
        'after 160 iterations: mIoU 60.3 %, AbsRel 0.234, see work_dirs/demo/pictures/iter_160.png',
    ]
    assert Path('work_dirs/demo/train.txt').read_text() == log + '\n'


def test_a_tool_that_fails_shows_the_end_of_its_output(tmp_path, capsys):
    tool, log = tmp_path / 'tool.py', tmp_path / 'tool.txt'
    tool.write_text('print(*range(100), sep="\\n"); raise SystemExit(1)')
    with pytest.raises(SystemExit, match=f'tool.py failed; its output is in {log}'):
        list(run_tool(tool, log))
    assert capsys.readouterr().err.split() == [str(number) for number in range(80, 100)]


@pytest.mark.parametrize(('cores', 'processes'), [(1, 1), (2, 2), (8, 2)])
def test_two_processes_see_the_batch_of_one(demo, monkeypatch, cores, processes):
    monkeypatch.setattr('mmdpt.scenes.cores.usable_cores', lambda: cores)
    monkeypatch.setattr('torch.cuda.is_available', lambda: False)
    monkeypatch.setenv('OMP_NUM_THREADS', '1')  # so that it comes back
    monkeypatch.delenv('OMP_NUM_THREADS')
    batch_size = load_config(demo.CONFIG).train_dataloader.batch_size
    tool, *arguments = demo.training_command()
    if processes == 1:
        assert (tool, arguments) == ('train.py', [demo.CONFIG, '--work-dir', demo.WORK_DIR])
    else:
        assert (tool, arguments[1]) == ('dist_train.sh', processes)
        assert arguments[-1] == f'train_dataloader.batch_size={batch_size // processes}'
        assert os.environ['OMP_NUM_THREADS'] == str(cores // processes)


def test_trains_on_the_scenes_that_it_renders(demo):
    cfg = load_config(demo.CONFIG)
    assert cfg.train_dataloader.dataset.indices == demo.NUM_TRAIN
    assert cfg.train_dataloader.dataset.data_root == str(demo.DATA)
    assert cfg.train_cfg.max_iters > cfg.train_cfg.val_interval


@pytest.mark.nightly
def test_leaves_pictures_curves_and_scores(demo, capfd):
    """With a tiny model, on a few scenes, for four iterations."""
    demo.NUM_TRAIN, demo.NUM_VAL = 8, 4
    demo.CONFIG = tiny.write_config(Path.cwd(), 'joint', demo.DATA)
    demo.main()
    out = capfd.readouterr().out
    assert 'Rendering 8 scenes to train on and 4 to test on' in out
    assert re.search(r'\nDPT, trained just now +[\d.]+ % +[\d.]+ %\n', out)
    assert re.search(r'\nDPT, trained just now +[\d.]+ +[\d.]+ +[\d.]+\nmedian per pixel ', out)
    for name in ('curves.png', 'pictures/iter_4.png'):
        assert (demo.WORK_DIR / name).stat().st_size > 1000

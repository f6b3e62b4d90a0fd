"""What README, the documents and the notebook show works, and what they name is there."""

import ast
import re
import runpy
import shlex
import sys

import nbformat
import numpy as np
import pytest
import tiny
from mmengine.registry import init_default_scope
from tiny_files import write_image, write_map

from mmdpt.checkpoints.reading.releases import RELEASES
from mmdpt.commands.cli import find_tools
from mmdpt.config import check_config, load_config
from mmdpt.registry import DATASETS, MODELS

DOCS = tiny.REPO / 'docs'
PAGES = [
    *(tiny.REPO / name for name in ('README.md', 'CONTRIBUTING.md')),
    *sorted([*DOCS.glob('*.md'), *tiny.REPO.glob('configs/*/README.md')]),
]
NAMES = [str(page.relative_to(tiny.REPO)) for page in PAGES]
HTTP_ONLY = {  # hosts that their data sets name without https
    'apolloscape.auto',
    'data.csail.mit.edu',
    'horatio.cs.nyu.edu',
    'host.robots.ox.ac.uk',
    'sceneparsing.csail.mit.edu',
    'sintel.is.tue.mpg.de',
    'www-personal.umich.edu',
}


def python_blocks(page):
    return re.findall(r'```python\n(.*?)```', (tiny.REPO / page).read_text(), re.DOTALL)


def as_config(block, tmp_path):
    path = tmp_path / 'config.py'
    block = block.replace("'./configs/", f"'{tiny.REPO}/configs/")
    block = block.replace("'./", f"'{tiny.REPO}/configs/dpt/")
    path.write_text(block)
    return load_config(str(path))


@pytest.mark.parametrize('page', PAGES, ids=NAMES)
def test_what_a_page_names_is_there_and_its_python_is_python(page):
    text = page.read_text()
    for target in re.findall(r'\]\(([^)#]+)', text):
        assert '://' in target or page.parent.joinpath(target).exists(), target
    for host in re.findall(r'http://([\w.-]+)', text):
        assert host in HTTP_ONLY, f'http://{host}: https, or a line in HTTP_ONLY'
    for block in python_blocks(page):
        ast.parse(block)
    for tool in re.findall(r'(?<!mmsegmentation\'s `)(?<![\w/])tools/[\w/]+\.(?:py|sh)', text):
        assert (tiny.REPO / tool).is_file(), tool
    makefile = (tiny.REPO / 'Makefile').read_text()
    for target in re.findall(r'(?:`|^)make ([a-z-]+)', text, re.MULTILINE):
        assert re.search(rf'^{target}:', makefile, re.MULTILINE), f'make {target}'


# commands


def commands():
    """(Page, words) of the calls of this project's tools, each once."""
    call = r'^ *(?:\w+=\S+ )*((?:python tools/|tools/|mmdpt )\w.*)'
    for page, name in zip(PAGES, NAMES, strict=True):
        for block in re.findall(r'```(?:\w*)\n(.*?)```', page.read_text(), re.DOTALL):
            lines = re.findall(call, block.replace('\\\n', ' '), re.MULTILINE)
            yield from ((name, line) for line in dict.fromkeys(lines))


def as_python(line):
    """Give tool and arguments of the Python program that a command runs."""
    program, *words = shlex.split(line.partition(' > ')[0], comments=True)
    if program == 'python':
        return words[0], words[1:]
    if program == 'mmdpt':
        return find_tools()[words[0]], words[1:]
    if program == 'tools/slurm_train.sh':
        return 'tools/train.py', words[2:]
    tool = {'tools/dist_train.sh': 'train', 'tools/dist_test.sh': 'test'}[program]
    numbers = [word for word in words if word.isdigit()]
    words.remove(numbers[0])
    return f'tools/{tool}.py', words


@pytest.mark.parametrize(('page', 'line'), commands())
def test_commands_name_options_and_configs_that_are_there(page, line, monkeypatch):
    tool, arguments = as_python(line)
    monkeypatch.setattr(sys, 'argv', [str(tool), *arguments])
    monkeypatch.chdir(tiny.REPO)
    args = runpy.run_path(str(tiny.REPO / tool))['parse_args']()  # exits at an unknown option
    config = getattr(args, 'config', None) or 'CONFIG'
    if config.isupper() or f'`{config}`' in (tiny.REPO / page).read_text():
        return  # the reader's own
    config = RELEASES[config].config if config in RELEASES else config
    cfg = load_config(config, getattr(args, 'cfg_options', []))
    check_config(cfg)
    if getattr(args, 'tta', False) and cfg.model.type == 'EncoderDecoder':
        assert 'tta_pipeline' in cfg
    assert cfg.load_from is None or cfg.load_from in RELEASES or cfg.load_from in line


def test_an_option_that_is_not_there_is_found(monkeypatch):
    with pytest.raises(SystemExit):
        test_commands_name_options_and_configs_that_are_there(
            'README.md', 'mmdpt test CONFIG CHECKPOINT --no-such-option', monkeypatch
        )


@pytest.mark.parametrize('page', PAGES, ids=NAMES)
def test_files_below_work_dirs_are_written(page, tmp_path):
    """A checkpoint is the one that a training ends with, a picture one that the demo draws."""
    text, demo = page.read_text(), (tiny.REPO / 'tools/demo.py').read_text()
    for name in re.findall(r'work_dirs/[\w./-]+\.(?:pth|png|jpg)', text):
        folder, file = name.split('/')[-2:]
        if name.startswith('work_dirs/demo/'):
            assert (file if folder == 'demo' else folder) in demo, name
        if file.endswith('.pth') and not folder.isupper():
            own = re.search(rf'`{folder}\.py`:\n\n```python\n(.*?)```', text, re.DOTALL)
            cfg = as_config(own[1], tmp_path) if own else load_config(folder)
            assert file == f'iter_{cfg.train_cfg.max_iters}.pth', name


# examples


def test_own_data_as_the_page_configures_it(tmp_path):
    (block,) = python_blocks('docs/datasets.md')
    mine = tmp_path / 'data/mine'
    for split in ('train', 'val'):
        write_image(mine / f'images/{split}/a.jpg', (700, 600))
        write_map(mine / f'annotations/{split}/a.png', [0, 1, 2, 255], (600, 700), np.uint8)
    cfg = as_config(block.replace('data/mine', str(mine)), tmp_path)
    check_config(cfg)
    init_default_scope('mmdpt')
    assert cfg.model.decode_head.num_classes == 3
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        dataset = DATASETS.build(cfg[loader].dataset)
        labels = dataset[0]['data_samples'].gt_sem_seg.data
        assert set(labels.unique().tolist()) <= {0, 1, 2, 255}
        assert dataset.metainfo['classes'] == ('background', 'crop', 'weed')


@pytest.mark.nightly
def test_labels_and_depth_are_joined_as_the_page_does_it(succeed, tmp_path):
    """Trained and evaluated by a tiny model."""
    (block,) = python_blocks('docs/own-data.md')
    mine = tmp_path / 'data/mine'
    for split in ('train', 'val'):
        write_image(mine / f'images/{split}/a.jpg', (64, 48))
        write_map(mine / f'annotations/{split}/a.png', [0, 1, 2, 255], (48, 64), np.uint8)
        write_image(mine / f'rooms/{split}.jpg', (64, 48))
        write_map(mine / f'rooms/{split}.png', [2000, 4000], (48, 64), np.uint16)
        line = f'rooms/{split}.jpg,rooms/{split}.png,1000'
        (mine / f'{split}.csv').write_text(f'image,depth,scale\n{line}\n')
    block = block.replace('data/mine', str(mine)).replace("'./", f"'{tiny.REPO}/configs/dpt/")
    head = dict(**tiny.HEAD, num_classes=3)
    path = tmp_path / 'joined.py'
    path.write_text(f"""{block}
model = dict(backbone={tiny.BACKBONE}, decode_head={head}, depth_head={tiny.HEAD})
for loader in (train_dataloader, val_dataloader):
    loader.update(batch_size=1, num_workers=0, persistent_workers=False)
train_cfg = dict(max_iters=2, val_interval=2)
""")
    done = succeed('train.py', path, '--work-dir', tmp_path / 'work')
    assert re.search(r'mIoU: [\d.]+ .*abs_rel: [\d.]+', done.stdout)
    assert 'WARNING' not in done.stdout


def test_experiment_of_the_page(tmp_path):
    block = next(b for b in python_blocks('docs/components.md') if '_base_' in b)
    cfg = as_config(block, tmp_path)
    check_config(cfg)
    assert cfg.model.decode_head.readout_type == 'add'
    assert list(cfg.model.backbone.out_indices) == [5, 7, 9, 11]


def test_losses_as_the_page_combines_them(tmp_path):
    (block,) = python_blocks('docs/depth.md')
    cfg = as_config(block, tmp_path)
    check_config(cfg)
    init_default_scope('mmdpt')
    losses = [MODELS.build(loss) for loss in cfg.model.decode_head.loss_decode]
    assert [type(loss).__name__ for loss in losses] == ['SSILoss', 'GradientMatchingLoss']


def test_tensorboard_by_the_lines_of_the_page(config, succeed, tmp_path):
    (block,) = python_blocks('docs/tools.md')
    path = tmp_path / 'with_tensorboard.py'
    path.write_text(f"_base_ = ['{config}']\n{block}")
    succeed('train.py', path, '--work-dir', tmp_path / 'work')
    assert list(tmp_path.rglob('events.out.tfevents*'))
    assert list(tmp_path.rglob('scalars.json'))


def test_the_notebook_is_stored_without_outputs():
    notebook = nbformat.read(DOCS / 'quickstart.ipynb', as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == 'code']
    assert len(code) > 3
    assert all(not cell.outputs and cell.execution_count is None for cell in code)


# messages


def templates():
    """Every string of mmdpt's sources, with NUL for what is formatted into it."""
    found = []
    for path in (tiny.REPO / 'mmdpt').rglob('*.py'):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                parts = (p.value if isinstance(p, ast.Constant) else '\0' for p in node.values)
                found.append(''.join(parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return '\n\n'.join(found)


def messages():
    section = (DOCS / 'troubleshooting.md').read_text().split('## Messages of mmdpt')[1]
    return re.findall(r'^\| `([^`]+)` \|', section.split('\n## ')[0], re.MULTILINE)


def test_messages_of_the_page_are_in_the_sources():
    sources = templates()
    assert len(messages()) > 20
    for message in messages():
        for part in message.split('; '):  # some end with what stands in a constant
            pattern = '[^\n]*?'.join(map(re.escape, part.split('...')))
            assert re.search(pattern, sources), f'no such message: {message}'

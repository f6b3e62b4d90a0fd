"""The site builds without a warning, and what its pages claim is so."""

import ast
import importlib
import pkgutil
import pydoc
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from sphinx.util.inventory import InventoryFile

import mmdpt
from mmdpt.checkpoints.reading.releases import RELEASES
from mmdpt.config import check_config, load_config

pytestmark = pytest.mark.timeout(900)  # imports everything three times

REPO = Path(__file__).resolve().parents[2]
DOCS = REPO / 'docs'
NOTEBOOK = DOCS / 'quickstart.ipynb'
RECIPES = ('train-segmentation.md', 'train-depth.md')
PAGES = [REPO / 'README.md', *sorted(DOCS.glob('*.md')), *sorted(REPO.glob('configs/*/README.md'))]
HTTP_ONLY = {  # hosts that their data sets name without https
    'apolloscape.auto',
    'data.csail.mit.edu',
    'horatio.cs.nyu.edu',
    'host.robots.ox.ac.uk',
    'sceneparsing.csail.mit.edu',
    'sintel.is.tue.mpg.de',
    'www-personal.umich.edu',
}


@pytest.fixture(scope='module')
def site(tmp_path_factory):
    """The built pages; the notebook is run by a test of its own."""
    out = tmp_path_factory.mktemp('site')
    command = [sys.executable, '-m', 'sphinx', '-W', '--keep-going', '-n', '-q']
    done = subprocess.run(
        [*command, '-D', 'nb_execution_mode=off', '-d', out / 'doctrees', DOCS, out / 'html'],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return out / 'html'


def public_names():
    """(Module, name) of every package's ``__all__``."""
    for info in pkgutil.walk_packages(mmdpt.__path__, 'mmdpt.'):
        if info.ispkg:
            module = importlib.import_module(info.name)
            yield from ((module, name) for name in getattr(module, '__all__', ()))


@pytest.mark.nightly
def test_every_public_name_is_on_an_api_page(site):
    inventory = InventoryFile.loads((site / 'objects.inv').read_bytes(), uri='')
    described = {}
    for kind, items in inventory.data.items():
        for name, item in items.items() if kind.startswith('py:') else ():
            assert item.uri.startswith('api/')
            described.setdefault(name.rpartition('.')[2], []).append(name)
    names = list(public_names())
    absent = [
        f'{module.__name__}.{name}'
        for module, name in names
        if all(
            pydoc.locate(found) is not getattr(module, name) for found in described.get(name, ())
        )
    ]
    assert len(names) > 100
    assert not absent, f'not on a page of docs/api/: {absent}'


def test_links_out_of_the_folder_lead_to_pages_and_downloads(site):
    page = (site / 'index.html').read_text()
    assert 'href="configs/dpt.html"' in page and 'href="contributing.html"' in page
    page = (site / 'train-depth.html').read_text()
    assert 'href="configs/dpt.html#small-models"' in page
    page = (site / 'datasets-depth.html').read_text()
    assert re.search(r'href="_downloads/\w+/mix6.py"', page)
    page = (site / 'configs' / 'dpt.html').read_text()
    assert 'href="../fine-tuning.html"' in page


def test_a_docstring_becomes_a_description_with_types_and_errors(site):
    page = re.sub('<[^>]*>', '', (site / 'api' / 'apis.html').read_text())
    assert 'device (str) – Where the model goes.' in page
    assert 'InputError – If the config is wrong.' in page
    page = re.sub('<[^>]*>', '', (site / 'api' / 'models.html').read_text())
    assert 'property is_metric: bool' in page and 'Type:' not in page


def test_the_notebook_is_stored_without_outputs():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == 'code']
    assert len(code) > 3
    assert all(not cell.outputs and cell.execution_count is None for cell in code)


@pytest.mark.nightly
def test_the_notebook_runs(tmp_path, monkeypatch):
    for name in ('http_proxy', 'https_proxy'):  # nothing is fetched
        monkeypatch.setenv(name, 'http://127.0.0.1:9')
    monkeypatch.setenv('MMDPT_HOME', str(tmp_path))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=240, resources=dict(metadata=dict(path=tmp_path))).execute()
    outputs = [output for cell in notebook.cells for output in cell.get('outputs', ())]
    printed = ''.join(output.get('text', '') for output in outputs)
    assert '(240, 320) float32 depth m True' in printed
    assert '(240, 320) uint8' in printed and "'ceiling'" in printed
    assert '(120, 200)' in printed
    assert sum('image/png' in output.get('data', {}) for output in outputs) == 2
    listed = [output.data['text/plain'] for output in outputs if 'data' in output][-1]
    assert listed == "['depth.npy', 'depth.png', 'room.ply']"


def commands():
    """Calls of this project's tools on the pages of recipes."""
    for page in RECIPES:
        for block in re.findall(r'```bash\n(.*?)```', (DOCS / page).read_text(), re.DOTALL):
            block = block.replace('\\\n', ' ')
            yield from re.findall(r'^(?:python )?tools/.*', block, re.MULTILINE)


def as_python(line):
    """Write ``tools/dist_X.sh CONFIG ... 8 OPTIONS`` as the call of X.py that it makes."""
    words = shlex.split(line)
    if words[0] == 'python':
        return words[1], words[2:]
    tool = {'dist_train.sh': 'train', 'dist_test.sh': 'test'}[Path(words[0]).name]
    words.remove('8')
    return f'tools/{tool}.py', words[1:]


@pytest.mark.parametrize('line', dict.fromkeys(commands()))
def test_commands_name_tools_options_and_configs_that_are_there(line, monkeypatch):
    tool, arguments = as_python(line)
    monkeypatch.setattr(sys, 'argv', [tool, *arguments])
    monkeypatch.chdir(REPO)
    parse = runpy.run_path(str(REPO / tool))['parse_args']
    args = parse()  # exits at an option that the tool does not take
    if not hasattr(args, 'config'):
        assert 'dataset_converters' in tool
        return
    cfg = load_config(args.config, args.cfg_options)
    check_config(cfg)
    checkpoint = getattr(args, 'checkpoint', None)
    if checkpoint is not None and checkpoint not in RELEASES:
        assert checkpoint == (
            f'work_dirs/{Path(args.config).stem}/iter_{cfg.train_cfg.max_iters}.pth'
        )
    if getattr(args, 'tta', False):
        assert 'tta_pipeline' in cfg
    assert cfg.load_from is None or cfg.load_from in RELEASES


def templates():
    """Every string of mmdpt's sources, with NUL for what is formatted into it."""
    found = []
    for path in (REPO / 'mmdpt').rglob('*.py'):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                found.append(
                    ''.join(
                        getattr(part, 'value', '') if isinstance(part, ast.Constant) else '\0'
                        for part in node.values
                    )
                )
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
        pattern = '[^\n]*?'.join(map(re.escape, message.split('...')))
        assert re.search(pattern, sources), f'no such message: {message}'


@pytest.mark.parametrize('page', PAGES, ids=lambda page: str(page.relative_to(REPO)))
def test_python_of_a_page_is_python(page):
    for block in re.findall(r'```python\n(.*?)```', page.read_text(), re.DOTALL):
        ast.parse(block)


@pytest.mark.parametrize('page', PAGES, ids=lambda page: str(page.relative_to(REPO)))
def test_addresses_are_https_where_there_is_one(page):
    for host in re.findall(r'http://([\w.-]+)', page.read_text()):
        assert host in HTTP_ONLY, f'http://{host}: https, or a line in HTTP_ONLY'


def test_pages_of_the_configs_lead_somewhere():
    for page in REPO.glob('configs/*/README.md'):
        for target in re.findall(r'\]\(([^)#]+)', page.read_text()):
            assert '://' in target or (page.parent / target).exists(), f'{page}: {target}'

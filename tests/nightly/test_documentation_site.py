"""The site builds without a warning, describes every public name, and its notebook runs."""

import importlib
import pkgutil
import pydoc
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from sphinx.util.inventory import InventoryFile

import mmdpt

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(900)]  # imports everything three times

DOCS = Path(__file__).resolve().parents[2] / 'docs'


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


def test_the_notebook_runs(tmp_path, monkeypatch):
    for name in ('http_proxy', 'https_proxy'):  # nothing is fetched
        monkeypatch.setenv(name, 'http://127.0.0.1:9')
    monkeypatch.setenv('MMDPT_HOME', str(tmp_path))
    notebook = nbformat.read(DOCS / 'quickstart.ipynb', as_version=4)
    NotebookClient(notebook, timeout=240, resources=dict(metadata=dict(path=tmp_path))).execute()
    outputs = [output for cell in notebook.cells for output in cell.get('outputs', ())]
    printed = ''.join(output.get('text', '') for output in outputs)
    assert '(240, 320) float32 depth m True' in printed
    assert '(240, 320) uint8' in printed and "'ceiling'" in printed
    assert '(120, 200)' in printed
    assert sum('image/png' in output.get('data', {}) for output in outputs) == 2
    listed = [output.data['text/plain'] for output in outputs if 'data' in output][-1]
    assert listed == "['depth.npy', 'depth.png', 'room.ply']"

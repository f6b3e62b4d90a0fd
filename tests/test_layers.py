"""Each package imports only those below it."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1] / 'mmdpt'
LAYERS = (  # docs/design.md
    *('version', 'errors', 'registry', '_openmmlab', 'files', 'models', 'evaluation'),
    *('visualization', 'checkpoints', 'scenes', 'datasets', 'config', 'training', 'inference'),
    *('export', 'commands', 'apis', '__main__', '__init__'),
)


def imported(path):
    """Give the parts of mmdpt that a file imports, within functions too."""
    package = ['mmdpt', *path.relative_to(ROOT).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            base += [node.module] if node.module else []
            names = ['.'.join([*base, alias.name]) for alias in node.names]
        else:
            continue
        for name in names:
            if name.startswith('mmdpt.') and not name.startswith('mmdpt.__'):
                yield name.split('.')[1], node.lineno


def test_a_package_imports_those_below_it_alone():
    for path in ROOT.rglob('*.py'):
        own = path.relative_to(ROOT).parts[0].removesuffix('.py')
        above = LAYERS[LAYERS.index(own) + 1 :]
        for name, line in imported(path):
            assert name in LAYERS and name not in above, f'{path}:{line} imports {name}'

"""Whatever a config may name is there once its registry is asked."""

import ast
import json
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / 'mmdpt'
ASK = """
import json, sys
from mmdpt import registry
names = json.load(sys.stdin)
of_hosts, lost = [], []
for kind, name in names:
    own = getattr(registry, kind)
    if getattr(own.get(f'mmdpt.{name}'), '__module__', '').split('.')[0] != 'mmdpt':
        lost.append([kind, name])
    if own.parent.get(name) is not None:
        of_hosts.append(name)
print(json.dumps([lost, of_hosts]))
"""


def registered():
    """(Registry, class or function) of every decorator ``REGISTRY.register_module()``."""
    for path in PACKAGE.rglob('*.py'):
        for node in ast.walk(ast.parse(path.read_text())):
            for decorator in getattr(node, 'decorator_list', ()):
                call = getattr(decorator, 'func', None)
                if isinstance(call, ast.Attribute) and call.attr == 'register_module':
                    named = [ast.literal_eval(keyword.value) for keyword in decorator.keywords]
                    names = named[0] if named else node.name
                    for name in [names] if isinstance(names, str) else names:
                        yield call.value.id, name


def test_every_registered_name_is_found_and_one_of_a_host_has_its_reason():
    """In a new process: here, other tests have imported its module."""
    names = sorted(set(registered()))
    assert len(names) > 50
    done = subprocess.run(
        [sys.executable, '-c', ASK], input=json.dumps(names), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    lost, of_hosts = json.loads(done.stdout.splitlines()[-1])
    assert lost == [] and len(of_hosts) > 20
    page = (PACKAGE.parent / 'docs/design.md').read_text()
    listed = [row.split('|')[1] for row in page.splitlines() if row.startswith('| `')]
    assert [name for name in of_hosts if not any(f'`{name}`' in row for row in listed)] == []

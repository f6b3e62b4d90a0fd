"""The console command: ``mmdpt TOOL ARGS...`` runs a tool of mmdpt from anywhere."""

import ast
import difflib
import runpy
import sys
from pathlib import Path

from mmdpt.files.shipped import shipped

USAGE = """usage: mmdpt TOOL [ARGS...]
       mmdpt TOOL --help
"""
UNKNOWN = 2
"""Exit code if there is no such tool: argparse's for a wrong command line."""


def main() -> int:
    """Run the tool that the command line names with the other arguments, or list the tools.

    The tool sets the exit code.
    """
    if len(sys.argv) < 2 or sys.argv[1] in ('-h', '--help'):
        print(f'{USAGE}\n{list_tools()}')
        return 0
    name = sys.argv[1].replace('_', '-')
    tools = find_tools()
    if name not in tools:
        print(f'error: no tool {sys.argv[1]}; {nearest(name)}', file=sys.stderr)
        return UNKNOWN
    del sys.argv[0]  # runpy puts the tool's path in the place of its name
    runpy.run_path(str(tools[name]), run_name='__main__')
    return 0


def find_tools() -> dict[str, Path]:
    """Map names to tools, such as 'convert-checkpoint' or 'dataset-converters/nyu'."""
    root = shipped('tools')
    paths = sorted(root.glob('*.py')) + sorted(root.glob('*/*.py'))
    names = (path.relative_to(root).with_suffix('').as_posix() for path in paths)
    return {name.replace('_', '-'): path for name, path in zip(names, paths, strict=True)}


def list_tools() -> str:
    """Give a line for each tool: its name and the first line of its docstring."""
    tools = find_tools()
    width = max(map(len, tools), default=0)
    lines = [f'  {name:{width}}  {first_line(path)}' for name, path in tools.items()]
    return '\n'.join(['tools:', *lines])


def first_line(path: Path) -> str:
    """Read the first line of a file's docstring, without executing the file."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding='utf-8'))) or ''
    return docstring.partition('\n')[0]


def nearest(name: str) -> str:
    """Give the tools with the most similar names, with or without their folder."""
    tools = find_tools()
    if not tools:
        return f'there are none in {shipped("tools")}: install mmdpt again'
    by_last_part = {tool.rpartition('/')[2]: tool for tool in tools}
    close = difflib.get_close_matches(name, {**by_last_part, **{t: t for t in tools}}, n=3)
    named = dict.fromkeys(by_last_part.get(match, match) for match in close)
    return f'the nearest names: {", ".join(named)}' if named else 'mmdpt --help lists them'


if __name__ == '__main__':
    sys.exit(main())

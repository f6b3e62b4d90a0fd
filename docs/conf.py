"""The documentation site: `make docs`. Pages are Markdown; the API comes from docstrings."""

import inspect
import os
import pydoc
import re
from pathlib import Path

from sphinx.util.nodes import make_refnode

import mmdpt

DOCS = Path(__file__).resolve().parent
ERROR = ':raises ~mmdpt.errors.InputError:'

project = 'mmdpt'
author = project_copyright = 'The mmdpt authors'
version = release = mmdpt.__version__
extensions = [
    'myst_nb',
    'sphinx.ext.autodoc',
    'sphinx.ext.napoleon',
    'sphinx.ext.viewcode',
]
exclude_patterns = ['_build']
html_theme = 'furo'
html_title = f'mmdpt {release}'
html_static_path = ['_static']
html_css_files = ['wrap.css']
highlight_language = 'bash'  # of a block that names none

# Pages: the same files are read on the forge, so that headings are linked as it links them.
myst_heading_anchors = 3
myst_enable_extensions = ['colon_fence']
suppress_warnings = ['myst.header']  # included pages begin with their own title
# runs the notebook, so that the site has its pictures; -D nb_execution_mode=off leaves it
nb_execution_mode = 'force'
nb_execution_raise_on_error = True
nb_execution_timeout = 240  # [s] a cell
nb_output_stderr = 'remove'

# API pages: what a package's `__all__` lists, under the name that a user imports it by.
autodoc_default_options = {
    'members': True,
    'imported-members': True,
    'undoc-members': True,
    'show-inheritance': True,
    'member-order': 'groupwise',
    'no-value': True,
}
autodoc_typehints = 'description'
autodoc_typehints_description_target = 'documented'
autodoc_class_signature = 'mixed'
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False  # what stands before a colon in "Returns" is no type here

# Links to other code's documentation would need the network; nothing else may be missing.
nitpick_ignore_regex = [
    ('py:.*', rf'{package}(\..*)?')
    for package in (
        *('PIL', 'mmcv', 'mmengine', 'mmpretrain', 'mmseg', 'numpy', 'torch'),
        *('collections', 'fractions', 'pathlib', 'typing'),
    )
]

# `make linkcheck`, on a machine with a network.
linkcheck_timeout = 20
linkcheck_workers = 4

# Pages outside this folder that the site has too, and where.
INCLUDED = {
    '../CHANGELOG.md': 'changelog.md',
    '../CONTRIBUTING.md': 'contributing.md',
    '../SECURITY.md': 'security.md',
    '../configs/depth_anything/README.md': 'configs/depth_anything.md',
    '../configs/dinov3/README.md': 'configs/dinov3.md',
    '../configs/dpt/README.md': 'configs/dpt.md',
}


def link_within_site(app, docname, source):
    """Lead links out of docs/ to the included page; a folder keeps its name alone.

    A file, such as a config, becomes a download by itself.
    """

    def replace(match):
        text, target, anchor = match.groups('')
        if target in INCLUDED:
            return f'[{text}]({INCLUDED[target]}{anchor})'
        return text if (DOCS / docname).parent.joinpath(target).is_dir() else match[0]

    source[0] = re.sub(r'\[([^\]]+)\]\((\.\./[^)#]+)(#[^)]*)?\)', replace, source[0])


def skip_what_says_nothing(app, what, name, obj, skip, options):
    """Leave methods without a docstring and the fields of named tuples out."""
    if what in ('class', 'exception'):
        doc = getattr(obj, '__doc__', None) or ''
        return skip or not doc or doc.startswith('Alias for field number')
    return skip


def restore_docstring(app, what, name, obj, options, lines):
    """Undo what is read into a property's sentence with a colon, and into a constant's type."""
    if what == 'property':
        lines[:] = [*inspect.getdoc(obj).splitlines(), '']
    elif what == 'data' and obj.__doc__ == type(obj).__doc__:
        lines.clear()


def link_errors(app, what, name, obj, options, lines):
    """Lead InputError, which docstrings name without its module, to its description."""
    lines[:] = [line.replace(':raises InputError:', ERROR) for line in lines]


def link_to_public_name(app, env, node, contnode):
    """Lead an annotation, which names the defining module, to the public name, if it has one."""
    target = node.get('reftarget', '')
    if node.get('refdomain') != 'py' or pydoc.locate(target) is None:
        return None
    name = target.rpartition('.')[2]
    for public, entry in env.domains.python_domain.find_obj(env, None, None, name, None, 1):
        if pydoc.locate(public) is pydoc.locate(target):
            place = node['refdoc'], entry.docname, entry.node_id
            return make_refnode(app.builder, *place, contnode, public)
    return contnode if target.startswith('mmdpt.') else None


def describe_cached_methods():
    """Let mmcv's cache_randomness, which knows instances alone, be read from its class."""
    os.environ.setdefault('COLUMNS', '100')  # MMEngine looks for a terminal's width at import
    from mmcv.transforms.utils import cache_randomness

    of_instance = cache_randomness.__get__
    cache_randomness.__get__ = lambda self, instance, owner: (
        self.func if instance is None else of_instance(self, instance, owner)
    )


def setup(app):
    describe_cached_methods()
    app.connect('missing-reference', link_to_public_name)
    app.connect('source-read', link_within_site)
    app.connect('autodoc-skip-member', skip_what_says_nothing)
    app.connect('autodoc-process-docstring', restore_docstring, priority=600)  # napoleon: 500
    app.connect('autodoc-process-docstring', link_errors, priority=600)

"""Files that try to execute code, to fill the memory or to climb out of their folder.

What would be executed makes an empty file below the test's own folder, and nothing else.
"""

import struct
import zipfile
from pathlib import Path

import pytest
import torch

HISTORY = b'cmmengine.logging.history_buffer\nHistoryBuffer\n'


def text(value):
    """Pickle a string."""
    data = value.encode()
    return b'X' + struct.pack('<I', len(data)) + data


def attribute(thing, name):
    """Pickle a call of getattr."""
    return b'cbuiltins\ngetattr\n(' + thing + text(name) + b'tR'


def call(function, *arguments):
    """Pickle a call of 'module name'."""
    module, name = function.split()
    return f'c{module}\n{name}\n'.encode() + b'(' + b''.join(arguments) + b'tR'


def escape(command):
    """Call os.system through what MMEngine lets weights-only unpickling use: getattr and a class
    that is restored by its __dict__, which gets the globals of a module first, and then a
    __setstate__ of its own."""
    module = HISTORY + b')\x81' + attribute(attribute(HISTORY, '__init__'), '__globals__') + b'b'
    for name in ('np', 'lib', '_npyio_impl', 'os', 'system'):
        module = attribute(module, name)
    caller = HISTORY + b')\x81}' + text('__setstate__') + module + b'sb'
    return caller + text(command) + b'b'


def tricks(marker):
    """Pickles, without their end, of which each makes the marker when it is unpickled, by name.

    The first five are Python's own, then come functions of packages that every user has; the last
    needs no unpickler but the weights-only one that MMEngine sets up.
    """
    touch = f'touch {marker}'
    python = f'open({str(marker)!r}, "w")'
    fromstring = attribute(b'cmmengine.config\nConfig\n', 'fromstring')
    return {
        'os.system': call('posix system', text(touch)),
        'subprocess': call('subprocess getoutput', text(touch)),
        'eval': call('builtins eval', text(python)),
        'instance': b'(' + text(python) + b'ibuiltins\neval\n',
        'protocol 4': b'\x80\x04%b%b\x93%b\x85R' % (*map(text, ('posix', 'system')), text(touch)),
        'torch': call('torch.utils.collect_env run', text(touch)),
        'torch.fx': call('torch.fx.graph_module _exec_with_source', text(python), b'}'),
        'numpy': call('numpy.testing runstring', text(python), b'}'),
        'mmengine': fromstring + b'(' + text(python) + text('.py') + b'tR',
        'weights-only': escape(touch),
    }


def pickle_with(body, place):
    """Pickle a checkpoint with the trick in a place."""
    if place == 'alone':
        return b'\x80\x02' + body + b'.'
    if place == 'nested':
        return b'\x80\x02}' + text('meta') + b'}' + text('a') + b']' + body + b'ass.'
    return b'\x80\x02}' + text(place) + body + b's.'


def rewrite(path, change, compression=zipfile.ZIP_STORED):
    """Pack an archive again, with each record's bytes changed by ``change(name, data)``."""
    with zipfile.ZipFile(path) as archive:
        records = [(info.filename, archive.read(info)) for info in archive.infolist()]
    with zipfile.ZipFile(path, 'w', compression) as archive:
        for name, data in records:
            archive.writestr(name, change(name, data))


@pytest.fixture
def marker(tmp_path):
    """A file that is there if something was executed."""
    return tmp_path / 'executed'


@pytest.fixture
def hostile(tmp_path, marker):
    """Write a checkpoint with one trick in one place; give its path."""

    def write(trick, place='meta', path=None, legacy=False):
        path = Path(path or tmp_path / 'hostile.pth')
        path.parent.mkdir(parents=True, exist_ok=True)
        body = pickle_with(tricks(marker)[trick], place)
        if legacy:  # three pickles before it, one after
            torch.save({}, path, _use_new_zipfile_serialization=False)
            path.write_bytes(path.read_bytes().replace(b'\x80\x02}q\x00.\x80', body + b'\x80'))
        else:
            torch.save({}, path)
            rewrite(path, lambda name, data: body if name.endswith('data.pkl') else data)
        return path

    return write


@pytest.fixture(params=tricks(Path()))
def trick(request):
    """The name of each trick in turn."""
    return request.param


@pytest.fixture
def all_tricks(marker):
    """The pickles that would make the marker, without their end, by name."""
    return tricks(marker)


@pytest.fixture
def repack():
    """See ``rewrite``."""
    return rewrite

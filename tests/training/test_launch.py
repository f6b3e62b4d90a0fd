"""A training starts beside other processes of the same installation."""

import pickle
import sys

import pytest

from mmdpt.training.launch import import_yapf


@pytest.fixture
def yapf(tmp_path, monkeypatch):
    """Put a package in yapf's place whose first imports find half of a file."""

    def half_read(times):
        (tmp_path / 'yapf.py').write_text(
            'import pickle\nfrom pathlib import Path\n'
            f'tries = Path({str(tmp_path / "tries")!r})\n'
            "tries.write_text(tries.read_text() + '.' if tries.exists() else '.')\n"
            f"if len(tries.read_text()) <= {times}:\n    pickle.loads(pickle.dumps('all')[:-2])\n"
        )
        return tmp_path / 'tries'

    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition('.')[0] == 'yapf']:
        monkeypatch.delitem(sys.modules, name)
    yield half_read
    sys.modules.pop('yapf', None)


def test_half_of_yapfs_grammar_is_read_again_until_it_is_whole(yapf):
    tries = yapf(times=2)
    import_yapf()
    assert tries.read_text() == '...'


def test_a_grammar_that_stays_half_is_an_error(yapf):
    yapf(times=99)
    with pytest.raises(pickle.UnpicklingError, match='truncated'):
        import_yapf(seconds=0.1)

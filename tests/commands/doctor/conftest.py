"""Metadata of installed packages as a test wants it."""

from importlib import metadata

import pytest


@pytest.fixture
def pretend(monkeypatch):
    """Set the installed versions by name, None for not installed; the others stay as they are."""
    real = metadata.version

    def set_versions(**versions):
        named = {name.replace('_', '-'): version for name, version in versions.items()}

        def version(name):
            if name not in named:
                return real(name)
            if named[name] is None:
                raise metadata.PackageNotFoundError(name)
            return named[name]

        monkeypatch.setattr(metadata, 'version', version)

    return set_versions

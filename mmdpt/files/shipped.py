"""Where the files are that travel with mmdpt beside its modules."""

from pathlib import Path

import mmdpt


def shipped(name: str) -> Path:
    """Give the place of 'configs', 'tools', ...: in the installed package, or in the checkout."""
    package = Path(mmdpt.__file__).parent
    packaged = package / '.mim' / name  # where OpenMMLab's tools look for them
    return packaged if packaged.exists() else package.parent / name

"""Find the files that are installed with mmdpt beside its modules."""

from pathlib import Path

import mmdpt


def shipped(name: str) -> Path:
    """Give the folder 'configs', 'tools', ... of the installed package or the checkout."""
    package = Path(mmdpt.__file__).parent
    packaged = package / '.mim' / name  # where OpenMMLab's tools look; links in a checkout
    return packaged.resolve() if packaged.is_dir() else package.parent / name

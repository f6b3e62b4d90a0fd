"""Which installed distributions own the modules that mmdpt imports."""

from importlib import metadata

OWNERS = {
    'torch': ('torch',),
    'torchvision': ('torchvision',),
    'cv2': (
        'opencv-python',
        'opencv-python-headless',
        'opencv-contrib-python',
        'opencv-contrib-python-headless',
    ),
    'mmengine': ('onedl-mmengine', 'mmengine', 'mmengine-lite'),
    'mmcv': ('onedl-mmcv', 'mmcv', 'mmcv-lite', 'mmcv-full'),
    'mmseg': ('onedl-mmsegmentation', 'mmsegmentation'),
    'mmpretrain': ('onedl-mmpretrain', 'mmpretrain'),
}
"""Distributions by module, the one that mmdpt declares first; of the OneDL forks, the upstream
packages of the same module behind it."""


def installed_version(name: str) -> str | None:
    """Give the version of a distribution, None where there is none."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def owners_of(module: str) -> list[str]:
    """Give the installed distributions that own a module."""
    return [name for name in OWNERS[module] if installed_version(name) is not None]


def stand_ins(name: str) -> list[str]:
    """Give the installed distributions that own the module of another one, instead of it."""
    owners = next((owners for owners in OWNERS.values() if owners[0] == name), ())
    return [other for other in owners[1:] if installed_version(other) is not None]

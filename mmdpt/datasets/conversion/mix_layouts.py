"""Layouts of the sets of MiDaS's mix (arXiv:1907.01341; MIX6: arXiv:2103.13413)."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmdpt.datasets.depth_files import read_depth_file
from mmdpt.errors import InputError
from mmdpt.files.image_checks import check_pixels

from .kept_files import check_own_data, optional_module

Converter = Callable[[Path], NDArray | None]
"""Reads a file that ``DepthListDataset`` cannot read; None: it has no depth map."""


@dataclass(frozen=True)
class Layout:
    r"""Layout of one set, and the contents of its list file.

    Args:
        image: Regular expression of the images' paths, with '/', below the root.
        truth: Path of the ground truth, with the expression's groups: r'\1.png'.
        kind: The list's column, 'depth' or 'disparity'.
        scale: The list's column: depth [m] = value / scale, or = scale / disparity.
        source: Source of the layout.
        mask: Path of the mask, like ``truth``.
        invalid: The list's column.
        intrinsics: The list's column, fx fy cx cy [px].
        converter: Reads formats to convert. Whole numbers are written as PNG, others as NPY.
        at_least: Number of images of the whole set, where it is known.
    """

    image: str
    truth: str
    kind: str
    scale: float
    source: str
    mask: str = ''
    invalid: str = ''
    intrinsics: str = ''
    converter: Converter | None = None
    at_least: int = 1


def read_redweb(path: Path) -> NDArray[np.uint8]:
    """Turn ReDWeb's 0 = near ... 254 = far, 255 = none (sky) into disparity, 0 = none.

    MiDaS's authors call it "likely (negative) disparity": isl-org/MiDaS, issue 16.
    """
    values = read_depth_file(str(path))
    if values.dtype != np.uint8:
        raise InputError(f'{path} holds {values.dtype}: expected 8 bits')
    return 255 - values


def read_megadepth(path: Path) -> NDArray[np.float16] | None:
    """Read MegaDepth's HDF5 as half floats, relative error 0.05 %; 0 = none.

    Returns None for all zeros and for files with negative numbers: they hold ordinal labels under
    the same key (zhengqili/MegaDepth, issue 1; public loaders take the negative ones as labels).
    """
    h5py = optional_module('h5py', "reading MegaDepth's .h5")
    try:
        with h5py.File(str(path), 'r') as file:
            check_own_data(file['depth'], path)
            height, width = file['depth'].shape
            check_pixels(height, width, str(path))
            depth = np.asarray(file['depth'], np.float32)
    except InputError:
        raise
    except (OSError, KeyError, ValueError) as error:  # ValueError: not of two axes
        raise InputError(f'cannot read {path}: {error}') from error
    return _half(depth) if depth.min() >= 0 < depth.max() else None


def read_exr(path: Path) -> NDArray[np.float16]:
    """Read an OpenEXR file of one channel as half floats; OpenCV's wheels cannot.

    Uses the API of OpenEXR >= 3.3 (openexr.com, the OpenEXR Python module).
    """
    openexr = optional_module('OpenEXR', "reading IRS's .exr")
    try:
        with openexr.File(str(path)) as file:
            channels = {name: channel.pixels for name, channel in file.channels().items()}
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(f'cannot read {path}: {error}') from error
    if len(channels) != 1:
        raise InputError(f'{path} has the channels {", ".join(channels)}: expected one')
    return _half(np.asarray(next(iter(channels.values())), np.float32))


def _half(values: NDArray[np.float32]) -> NDArray[np.float16]:
    limits = np.finfo(np.float16)
    fits = (values >= limits.tiny) & (values <= limits.max)
    return np.where(fits, values, 0).astype(np.float16)


LAYOUTS = {
    # 255: the sky. 3600 pairs by the paper (Xian et al., CVPR 2018) [from memory]
    'ReDWeb': Layout(
        image=r'Imgs/([^/]+)\.jpg',
        truth=r'RDs/\1.png',
        kind='disparity',
        scale=1,
        source='Deci-AI/super-gradients and Ahmedjjj/midas_hkrm, red_web.py',
        converter=read_redweb,
        at_least=3600,
    ),
    'HRWSI': Layout(
        image=r'train/imgs/([^/]+)\.jpg',
        truth=r'train/gts/\1.png',
        mask=r'train/valid_masks/\1.png',
        kind='disparity',
        scale=1,
        source='public loaders of the set; Ahmedjjj/midas_hkrm, hr_wsi.py',
        at_least=20378,
    ),
    # depth in the unit of each scene's reconstruction
    'BlendedMVS': Layout(
        image=r'(.+)/blended_images/(\d{8})\.jpg',
        truth=r'\1/rendered_depth_maps/\2.pfm',
        kind='depth',
        scale=1,
        source='YoYo000/BlendedMVS, README.md',
    ),
    'MegaDepth': Layout(
        image=r'(.+/dense\d+)/imgs/([^/]+)\.(?:jpg|JPG|jpeg|png)',
        truth=r'\1/depths/\2.h5',
        kind='depth',
        scale=1,
        source='Ahmedjjj/midas_hkrm, mega_depth.py',
        converter=read_megadepth,
    ),
    # the sky is as far as 10000 m, which is right
    'TartanAir': Layout(
        image=r'(.+/P\d{3})/image_left/(\d{6})_left\.png',
        truth=r'\1/depth_left/\2_left_depth.npy',
        kind='depth',
        scale=1,
        intrinsics='320 320 320 240',
        source='castacks/tartanair_tools, README.md and data_type.md',
    ),
    # pixels, in whole numbers; 65535 outside the published foreground and background masks:
    # measured on stereo/test_eval_data of ApolloScapeAuto/dataset-api
    'ApolloScape': Layout(
        image=r'(stereo_train_\d+)/camera_5/([^/]+)\.(?:jpg|png)',
        truth=r'\1/disparity/\2.png',
        kind='disparity',
        scale=1,
        invalid='65535',
        source='Ahmedjjj/midas_hkrm, apollo_scape.py',
    ),
    # 480 px of focal length, 960 x 540 px (the official loader); the baseline of 0.1 m and the
    # principal point are a third party's
    'IRS': Layout(
        image=r'(.+)/l_(\d+)\.png',
        truth=r'\1/d_\2.exr',
        kind='disparity',
        scale=48,
        intrinsics='480 480 480 270',
        source='blackjack2015/IRS, lists/ and dataloader/SIRSLoader.py',
        converter=read_exr,
    ),
}

NO_RECIPE = {
    'DIML': 'its layout is not known here; write its list file by hand',
    'WSVD': (
        'it is a list of YouTube videos, many of them gone (MightyChaos/wsvd_test, issue 1); its '
        'disparity has to be computed'
    ),
    'Movies': 'the 3D movies of MiDaS are not released (isl-org/MiDaS, issue 74)',
}

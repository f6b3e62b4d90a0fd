"""The part of an image on which a depth protocol counts errors."""

from collections.abc import Callable

from mmdpt.errors import check_choice

# fractions of (H, H, W, W); github.com/mrharicot/monodepth utils/evaluate_kitti.py, which found
# Eigen's by trial and error; BTS (github.com/cleinc/bts bts_eval.py) and its successors use both
GARG_FRACTIONS = (0.40810811, 0.99189189, 0.03594771, 0.96405229)  # ECCV 2016, arXiv:1603.04992
EIGEN_FRACTIONS = (0.3324324, 0.91351351, 0.0359477, 0.96405229)  # NIPS 2014, arXiv:1406.2283
NYU_SIZE = (480, 640)
KB_SIZE = (352, 1216)

Slices = tuple[slice, slice]


def nyu_crop(height: int, width: int) -> Slices:
    """Rows 45:471, columns 41:601 of a 480 x 640 frame, without the white border (Eigen 2014)."""
    if (height, width) != NYU_SIZE:
        raise ValueError(f'crop nyu is defined for 480 x 640 pixels, got {height} x {width}')
    return slice(45, 471), slice(41, 601)


def garg_crop(height: int, width: int) -> Slices:
    """The part of a KITTI frame that Garg et al. evaluate; bounds are rounded down."""
    return _fractions('garg', GARG_FRACTIONS, height, width)


def eigen_crop(height: int, width: int) -> Slices:
    """The part of a KITTI frame that Eigen et al. evaluate; for their NYU crop see ``nyu``."""
    return _fractions('eigen', EIGEN_FRACTIONS, height, width)


def kb_crop(height: int, width: int, name: str = 'kb') -> Slices:
    """The KITTI benchmark's 352 x 1216 pixels, bottom-centre."""
    rows, columns = KB_SIZE
    if height < rows or width < columns:
        raise ValueError(f'crop {name} needs at least 352 x 1216 pixels, got {height} x {width}')
    left = (width - columns) // 2
    return slice(height - rows, height), slice(left, left + columns)


def kb_garg_crop(height: int, width: int) -> Slices:
    """Garg's fractions of the KITTI benchmark's crop, not of the frame."""
    whole, part = kb_crop(height, width, 'kb-garg'), garg_crop(*KB_SIZE)
    rows, columns = (
        slice(outer.start + inner.start, outer.start + inner.stop)
        for outer, inner in zip(whole, part, strict=True)
    )
    return rows, columns


CROPS: dict[str, Callable[[int, int], Slices]] = {
    'nyu': nyu_crop,
    'garg': garg_crop,
    'eigen': eigen_crop,
    'kb': kb_crop,
    'kb-garg': kb_garg_crop,
}


def crop_slices(name: str, height: int, width: int) -> Slices:
    """Look up the rows and columns of a crop, one of ``CROPS``.

    Height and width [px] are those of the ground truth.

    Raises:
        ValueError: If the name is unknown or the crop is not defined for the size.
    """
    return CROPS[check_choice('crop', name, CROPS)](height, width)


def _fractions(
    name: str, fractions: tuple[float, float, float, float], height: int, width: int
) -> Slices:
    """Rows and columns between fractions of the size."""
    top, bottom = (int(fraction * height) for fraction in fractions[:2])
    left, right = (int(fraction * width) for fraction in fractions[2:])
    if not (0 <= top < bottom and 0 <= left < right):
        raise ValueError(f'crop {name} leaves nothing of {height} x {width} pixels')
    return slice(top, bottom), slice(left, right)

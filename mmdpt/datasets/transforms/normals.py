"""Surface normals as ground truth, computed from depth."""

from collections.abc import Sequence

from mmdpt.errors import InputError
from mmdpt.evaluation.surface import surface_normals
from mmdpt.registry import TRANSFORMS

from .step import Step


@TRANSFORMS.register_module()
class NormalsFromDepth(Step):
    """Compute ``gt_normals_map``, (H, W, 3) float32, from depth and camera; NaN for none.

    A normal is a unit vector to the camera's side; x right, y down, z forward. Use the step after
    ``LoadDepth`` and before any other that changes sizes. Later steps resize, crop and mirror the
    normals with the image. ``RandomRotateDepth`` refuses them.

    Args:
        intrinsics: fx, fy, cx, cy of the image files [px], where the data set lists none.
        stride: Distance of the pixels whose depths are compared [px]: more for noisy depth.
    """

    def __init__(self, intrinsics: Sequence[float] | None = None, stride: int = 1) -> None:
        if stride < 1:
            raise ValueError(f'stride must be at least 1, got {stride}')
        self.intrinsics, self.stride = intrinsics, stride

    def transform(self, results: dict) -> dict:
        """Add ``gt_normals_map`` to the results and to their ``seg_fields``.

        Raises:
            InputError: If the camera is not known.
        """
        if 'gt_depth_map' not in results:
            return results
        camera = results.get('intrinsics', self.intrinsics)
        if camera is None:
            raise InputError(
                f'{results.get("img_path")}: normals need the camera: list its intrinsics with the '
                'image, or give NormalsFromDepth intrinsics'
            )
        depth = results['gt_depth_map']
        height, width = (max(1, side // self.stride) for side in depth.shape)
        results['gt_normals_map'] = surface_normals(depth, camera, (height, width))
        results['seg_fields'].append('gt_normals_map')
        return results

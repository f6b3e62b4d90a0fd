"""What a prediction says about space: points, mesh, normals."""

from abc import ABC, abstractmethod

import numpy as np

from mmdpt.errors import InputError
from mmdpt.evaluation.surface import EDGE_THRESHOLD, depth_edges, surface_normals

from .focal import Camera
from .mesh import MOST_VERTICES, Mesh
from .point_cloud import Intrinsics, PointCloud


class InSpace(ABC):
    """The part of ``Prediction`` that needs metric depth and the camera."""

    image: np.ndarray
    name: str
    labels: np.ndarray | None
    classes: tuple[str, ...]
    camera: Intrinsics | None
    sky: np.ndarray | None
    predicted_size: tuple[int, int] | None
    own_normals: np.ndarray | None

    @abstractmethod
    def depth(self) -> np.ndarray:
        """Give depth [m], (H, W)."""

    def known_camera(
        self, intrinsics: Intrinsics | None = None, field_of_view: float | None = None
    ) -> Intrinsics:
        """Give the camera of ``to_pointcloud``, or raise an InputError if it is not known."""
        given, _ = Camera(intrinsics, field_of_view).of_picture(*self.image.shape[1::-1])
        camera = given or self.camera
        if camera is None:
            raise InputError(
                f'{self.name}: the camera is not known: give its intrinsics or its field of view; '
                'the EXIF of the file does not tell the focal length'
            )
        return camera

    def to_pointcloud(
        self,
        intrinsics: Intrinsics | None = None,
        field_of_view: float | None = None,
        edge_threshold: float = np.inf,
    ) -> PointCloud:
        """Place every pixel of positive, finite depth in space, but those of the sky.

        The sky is ``sky`` and the label of a class of that name.

        Args:
            intrinsics: The camera, in the pixels of the image; by default ``camera``.
            field_of_view: In its place: horizontal [deg], of a camera with square pixels whose
                optical axis goes through the middle of the image.
            edge_threshold: Threshold of depth edges whose pixels are left out, see ``depth_edges``;
                infinite: none.

        Raises:
            InputError: If the camera is not known, an argument is out of range, depth is not
                metric, or nothing is left.
        """
        depth, camera = self._depth_and_camera(intrinsics, field_of_view, edge_threshold)
        return PointCloud.from_depth(depth, self.image, camera)

    def to_mesh(
        self,
        intrinsics: Intrinsics | None = None,
        field_of_view: float | None = None,
        edge_threshold: float = EDGE_THRESHOLD,
        max_vertices: float = MOST_VERTICES,
    ) -> Mesh:
        """Join the points of ``to_pointcloud``, which has the other arguments, to a surface.

        It has at most ``max_vertices``, see ``Mesh.from_depth``.
        """
        depth, camera = self._depth_and_camera(intrinsics, field_of_view, edge_threshold)
        return Mesh.from_depth(depth, self.image, camera, max_vertices)

    def normals(
        self, intrinsics: Intrinsics | None = None, field_of_view: float | None = None
    ) -> np.ndarray:
        """Give the surface's normals, (H, W, 3): ``own_normals``, or computed from depth.

        See ``surface_normals``; those from depth are NaN in the sky. Args and errors are those of
        ``to_pointcloud``.
        """
        if self.own_normals is not None:
            return self.own_normals
        depth, camera = self._depth_and_camera(intrinsics, field_of_view, np.inf)
        return surface_normals(depth, camera.checked(), self.predicted_size)

    def _depth_and_camera(
        self, intrinsics: Intrinsics | None, field_of_view: float | None, edge_threshold: float
    ) -> tuple[np.ndarray, Intrinsics]:
        """Give depth, NaN at edges and in the sky, and the camera."""
        depth, camera = self.depth(), self.known_camera(intrinsics, field_of_view)
        left_out = depth_edges(depth, edge_threshold)
        if self.sky is not None:
            left_out |= self.sky
        if self.labels is not None and 'sky' in self.classes:
            left_out |= self.labels == self.classes.index('sky')
        return np.where(left_out, np.nan, depth), camera

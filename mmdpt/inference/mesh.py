"""A depth map as a surface, and its GLB."""

from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np
from PIL import Image

from mmdpt.errors import InputError
from mmdpt.files.atomic import write_atomically

from .point_cloud import Intrinsics


class Mesh(NamedTuple):
    """A surface with the picture on it, seen from the camera: x right, y down, z forward."""

    vertices: np.ndarray
    """(n, 3) float32 [m]."""
    faces: np.ndarray
    """(m, 3) numbers of vertices, counter-clockwise as the camera sees them."""
    pixels: np.ndarray
    """(n, 2) column and row of each vertex in the picture."""
    image: np.ndarray
    """(H, W, 3) uint8 RGB."""

    @classmethod
    def from_depth(cls, depth: np.ndarray, image: np.ndarray, intrinsics: Intrinsics) -> 'Mesh':
        """Join neighbouring pixels of positive, finite depth to triangles.

        Args:
            depth: Depth along the optical axis [m], (H, W).
            image: (H, W, 3) uint8 RGB.
            intrinsics: The camera, for an image of this size.

        Raises:
            InputError: If the camera is impossible or no three pixels make a triangle.
        """
        number = np.arange(depth.size).reshape(depth.shape)
        left, right = number[:, :-1], number[:, 1:]
        corners = [left[:-1], left[1:], right[:-1], right[:-1], left[1:], right[1:]]
        faces = np.stack(corners, axis=-1).reshape(-1, 3)
        faces = faces[(np.isfinite(depth) & (depth > 0)).ravel()[faces].all(axis=1)]
        if not len(faces):
            raise InputError('no three neighbours have a positive depth: there is no mesh')
        used = np.zeros(depth.size, bool)
        used[faces] = True
        rows, columns = np.nonzero(used.reshape(depth.shape))
        vertices = intrinsics.place(depth, rows, columns)
        return cls(vertices, (np.cumsum(used) - 1)[faces], np.stack([columns, rows], 1), image)

    def save(self, path: str | Path) -> None:
        """Write a GLB with the picture as texture; there y is up and z backward, as glTF has it.

        Raises:
            InputError: If the name does not end in .glb, trimesh is not installed or the file
                cannot be written.
        """
        if Path(path).suffix.lower() != '.glb':
            raise InputError(f'{path}: a mesh is saved as .glb')
        trimesh = import_trimesh()
        height, width = self.image.shape[:2]
        material = trimesh.visual.material.PBRMaterial(
            baseColorTexture=Image.fromarray(self.image), metallicFactor=0.0, roughnessFactor=1.0
        )
        uv = (self.pixels + 0.5) / (width, height) * (1, -1) + (0, 1)
        mesh = trimesh.Trimesh(
            self.vertices * np.array([1, -1, -1], np.float32),
            self.faces,
            visual=trimesh.visual.TextureVisuals(uv=uv, material=material),
            process=False,
        )
        write_atomically(path, mesh.export(file_type='glb'))


def import_trimesh() -> ModuleType:
    """Import trimesh, which writes GLB.

    Raises:
        InputError: If it is not installed.
    """
    try:
        import trimesh
    except ImportError as error:
        raise InputError("a mesh (glb) needs trimesh: pip install 'mmdpt[mesh]'") from error
    return trimesh

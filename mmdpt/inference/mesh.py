"""A depth map as a surface, and its GLB."""

import math
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np
from PIL import Image

from mmdpt.errors import InputError
from mmdpt.files.atomic import write_atomically

from .point_cloud import Intrinsics

MOST_VERTICES = 200_000
"""About as many as a network at 384 px predicts pixels; a GLB of 9 MB, which browsers turn."""


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
    def from_depth(
        cls,
        depth: np.ndarray,
        image: np.ndarray,
        intrinsics: Intrinsics,
        max_vertices: float = math.inf,
    ) -> 'Mesh':
        """Join neighbouring pixels of positive, finite depth to triangles.

        Of a larger map only the pixels of an even grid are vertices. Those next to a pixel without
        depth are left out, so that no triangle spans one.

        Args:
            depth: Depth along the optical axis [m], (H, W).
            image: (H, W, 3) uint8 RGB.
            intrinsics: The camera, for an image of this size.
            max_vertices: Most vertices; infinite: every pixel is one.

        Raises:
            InputError: If the camera is impossible, no three pixels make a triangle, or fewer than
                four vertices are allowed.
        """
        import cv2  # not before: the command line reads this file's default

        if not max_vertices >= 4:
            raise InputError(f'a mesh has at least 4 vertices, got {max_vertices} as the most')
        step = max(1.0, math.sqrt(depth.size / max_vertices))
        rows, columns = (
            np.linspace(0, side - 1, min(side, max(2, int(side / step)))).round().astype(int)
            for side in depth.shape
        )
        window = [np.diff(lines).max(initial=0) // 2 * 2 + 1 for lines in (rows, columns)]
        valid = (np.isfinite(depth) & (depth > 0)).astype(np.uint8)
        valid = cv2.erode(valid, np.ones(window, np.uint8))[np.ix_(rows, columns)] > 0
        number = np.arange(valid.size).reshape(valid.shape)
        left, right = number[:, :-1], number[:, 1:]
        corners = [left[:-1], left[1:], right[:-1], right[:-1], left[1:], right[1:]]
        faces = np.stack(corners, axis=-1).reshape(-1, 3)
        faces = faces[valid.ravel()[faces].all(axis=1)]
        if not len(faces):
            raise InputError('no three neighbours have a positive depth: there is no mesh')
        used = np.zeros(valid.size, bool)
        used[faces] = True
        row, column = np.nonzero(used.reshape(valid.shape))
        pixels = np.stack([columns[column], rows[row]], axis=1)
        vertices = intrinsics.place(depth, pixels[:, 1], pixels[:, 0])
        return cls(vertices, (np.cumsum(used) - 1)[faces], pixels, image)

    def save(self, path: str | Path) -> None:
        """Write a GLB with the picture on it, as JPEG; y is up and z backward, as glTF has it.

        Raises:
            InputError: If the name does not end in .glb, trimesh is not installed or the file
                cannot be written.
        """
        if Path(path).suffix.lower() != '.glb':
            raise InputError(f'{path}: a mesh is saved as .glb')
        trimesh = import_trimesh()
        height, width = self.image.shape[:2]
        texture = Image.fromarray(self.image)
        texture.format = 'JPEG'  # else trimesh writes a PNG, of a photograph many times larger
        material = trimesh.visual.material.PBRMaterial(
            baseColorTexture=texture, metallicFactor=0.0, roughnessFactor=1.0
        )
        uv = (self.pixels + 0.5) / (width, height) * (1, -1) + (0, 1)
        mesh = trimesh.Trimesh(
            self.vertices * np.array([1, -1, -1], np.float32),
            self.faces,
            visual=trimesh.visual.TextureVisuals(uv=uv, material=material),
            process=False,
        )
        write_atomically(path, mesh.export(file_type='glb', tree_postprocessor=_unlit))


def _unlit(tree: dict) -> None:
    """Let viewers add no light: the picture has its own (Khronos, KHR_materials_unlit)."""
    tree['extensionsUsed'] = ['KHR_materials_unlit']
    tree['materials'][0]['extensions'] = {'KHR_materials_unlit': {}}


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

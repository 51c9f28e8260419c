"""A part as the rest of the room takes it."""

from dataclasses import dataclass

import numpy as np

from bricksight.bricks.synth.geometry.mesh import Mesh


@dataclass(frozen=True)
class LDrawPart:
    """A part as triangles.

    Attributes:
        name: Part number as the library spells it, of the part that an old number leads to.
        title: Such as "Brick 2 x 4".
        category: Such as "Brick".
        keywords: What the library lists beside the title.
        moved_from: Numbers that led here, the one asked for first; empty if that was ``name``.
        mesh: In LDU (0.4 mm), y down.
        colour_codes: int32, (num_triangles,); 16 is the part's own colour, others are fixed, such
            as prints.
    """

    name: str
    title: str
    category: str
    keywords: tuple[str, ...]
    moved_from: tuple[str, ...]
    mesh: Mesh
    colour_codes: np.ndarray

    def by_colour(self) -> dict[int, Mesh]:
        """Returns the triangles of each colour code as a mesh of their own."""
        meshes: dict[int, Mesh] = {}
        for code in np.unique(self.colour_codes).tolist():
            triangles = self.mesh.triangles[self.colour_codes == code]
            used, inverse = np.unique(triangles, return_inverse=True)
            meshes[code] = Mesh(
                self.mesh.vertices[used], self.mesh.normals[used], inverse.reshape(-1, 3)
            )
        return meshes

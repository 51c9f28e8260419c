"""How a part may lie on a table, and how often it falls that way.

Not trimesh's ``compute_stable_poses``: it finds the same poses, but the two ends of a symmetric 1x2
plate get 12 and 10 % (here 9 % each). It takes 1.5 times as long and needs networkx.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from bricksight._support.optional import require
from bricksight.bricks.synth.geometry.mesh import Mesh

_PLANE_DECIMALS = 4
"""Triangles of the hull whose planes agree to so many decimals (LDU) are one face."""


@dataclass(frozen=True)
class Pose:
    """One way of lying still.

    Attributes:
        rotation: float64, (3, 3); turns the part's coordinates (y down) into the world's (z up).
        probability: How often a part that is thrown comes to rest so, in [0, 1].
    """

    rotation: np.ndarray
    probability: float

    @property
    def uprightness(self) -> float:
        """1 with the studs up, -1 upside down, 0 on a side."""
        return float(-self.rotation[2, 1])


@dataclass(frozen=True)
class _Hull:
    normals: np.ndarray
    solid_angles: np.ndarray
    falls_to: np.ndarray


def stable_poses(mesh: Mesh) -> list[Pose]:
    """Returns the poses at rest, most probable first; the probabilities add up to 1.

    A part that is dropped in a random attitude lands on a face of its convex hull as often as that
    face is large seen from the centre of mass, then tips over edges until the centre of mass is
    above the face (Goldberg, Mirtich, Zhuang, Craig, Carlisle and Canny, "Part pose statistics",
    1999).

    An open surface has no centre of mass; the middle of its hull stands for it.
    """
    hull = _hull(mesh.vertices - _centre(mesh))
    probabilities = np.zeros(len(hull.normals))
    for face, share in enumerate(hull.solid_angles / hull.solid_angles.sum()):
        resting = face
        passed = {face}
        while (lower := int(hull.falls_to[resting])) not in passed:  # back only by rounding
            passed.add(lower)
            resting = lower
        probabilities[resting] += share
    order = np.argsort(-probabilities, kind="stable")
    return [
        Pose(_rotation_to_floor(hull.normals[face]), float(probabilities[face]))
        for face in order
        if probabilities[face] > 0
    ]


def _centre(mesh: Mesh) -> np.ndarray:
    spatial = require("scipy.spatial", extra="synth", feature="Rendering")
    with np.errstate(divide="ignore", invalid="ignore"):
        centre = mesh.centre_of_mass
    hull = spatial.ConvexHull(mesh.vertices)
    if (hull.equations[:, :3] @ centre + hull.equations[:, 3] < 0).all():
        return centre
    middle: np.ndarray = hull.points[hull.vertices].mean(axis=0)
    return middle


def _hull(points: np.ndarray) -> _Hull:
    """Returns the faces of the convex hull of points around the centre of mass."""
    spatial = require("scipy.spatial", extra="synth", feature="Rendering")
    hull = spatial.ConvexHull(np.unique(points.round(6), axis=0))
    planes, face_of = np.unique(hull.equations.round(_PLANE_DECIMALS), axis=0, return_inverse=True)
    face_of = face_of.ravel()
    angles = np.bincount(face_of, weights=_solid_angles(hull.points[hull.simplices]))
    return _Hull(planes[:, :3], angles, _falls(hull, face_of))


def _falls(hull: Any, face_of: np.ndarray) -> np.ndarray:
    """Returns the face each face tips to: itself if the centre of mass is above it."""
    falls_to = np.arange(face_of.max() + 1)
    furthest = np.zeros(len(falls_to))
    for triangle, face in enumerate(face_of):
        corners = hull.points[hull.simplices[triangle]]
        for corner in range(3):
            neighbour = face_of[hull.neighbors[triangle, corner]]
            if neighbour == face:
                continue
            start, end = corners[corner - 2], corners[corner - 1]
            outwards = np.cross(end - start, hull.equations[triangle, :3])
            outwards *= np.sign(outwards @ (start - corners[corner])) / np.linalg.norm(outwards)
            overhang = -start @ outwards
            if overhang > furthest[face]:
                furthest[face], falls_to[face] = overhang, neighbour
    return falls_to


def _solid_angles(triangles: np.ndarray) -> np.ndarray:
    """Returns the solid angle of each triangle, (n, 3, 3), seen from the origin.

    By the formula of Van Oosterom and Strackee (1983).
    """
    a, b, c = np.moveaxis(triangles, 1, 0)
    la, lb, lc = (np.linalg.norm(corner, axis=1) for corner in (a, b, c))
    triple = np.abs(np.einsum("ti,ti->t", a, np.cross(b, c)))
    ab, ac, bc = (np.einsum("ti,ti->t", p, q) for p, q in ((a, b), (a, c), (b, c)))
    angles: np.ndarray = 2 * np.arctan2(triple, la * lb * lc + ab * lc + ac * lb + bc * la)
    return angles


def _rotation_to_floor(normal: np.ndarray) -> np.ndarray:
    """Returns the rotation that turns an outward normal downwards."""
    up = -normal / np.linalg.norm(normal)
    sideways = np.cross(up, np.eye(3)[np.argmin(np.abs(up))])
    sideways /= np.linalg.norm(sideways)
    return np.stack([sideways, np.cross(up, sideways), up])

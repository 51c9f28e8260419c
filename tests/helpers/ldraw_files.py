"""Small LDraw files, written by ourselves, for the tests of the reader."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

IDENTITY = "0 0 0 1 0 0 0 1 0 0 0 1"
CERTIFIED = "0 BFC CERTIFY CCW"


def numbers(points: Iterable[Iterable[float]]) -> str:
    return " ".join(f"{value:.6g}" for point in points for value in point)


def cube_faces() -> list[np.ndarray]:
    """The six sides of the cube from -1 to 1, counter-clockwise seen from outside, (4, 3) each."""
    faces = []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            face = np.empty((4, 3))
            face[:, axis] = sign
            face[:, axis - 2] = np.array([-1, 1, 1, -1]) * sign
            face[:, axis - 1] = [-1, -1, 1, 1]
            faces.append(face)
    return faces


def cube(*, colour: int = 16, header: str = CERTIFIED) -> str:
    """A cube of side 2 with its twelve edges."""
    lines = ["0 Box", "0 !LDRAW_ORG Primitive", header]
    lines += [f"4 {colour} {numbers(face)}" for face in cube_faces()]
    for axis in range(3):
        for b in (-1, 1):
            for c in (-1, 1):
                ends = np.array([[-1.0, b, c], [1.0, b, c]])
                lines.append(f"2 24 {numbers(np.roll(ends, axis, axis=1))}")
    return "\n".join(lines) + "\n"


def cylinder(*, num_sides: int = 16, optional: bool = True) -> str:
    """The wall of a cylinder of radius 1 from y = 0 to 1, counter-clockwise, without ends."""
    angles = np.arange(num_sides + 1) * 2 * np.pi / num_sides
    ring = np.stack([np.cos(angles), np.zeros_like(angles), np.sin(angles)], axis=1)
    up = np.array([0.0, 1.0, 0.0])
    lines = ["0 Cylinder", "0 !LDRAW_ORG Primitive", CERTIFIED]
    for i in range(num_sides):
        start, end = ring[i], ring[i + 1]
        lines.append(f"4 16 {numbers([start + up, end + up, end, start])}")
        if optional:
            lines.append(f"5 24 {numbers([start, start + up, end, ring[i - 1]])}")
    return "\n".join(lines) + "\n"


def part(*lines: str, title: str = "Thing", header: str = CERTIFIED) -> str:
    return "\n".join([f"0 {title}", "0 !LDRAW_ORG Part", header, *lines]) + "\n"


def write_library(root: Path, files: Mapping[str, str]) -> Path:
    """Writes a library with a cube and a cylinder as primitives, and the files given."""
    for name, text in {"p/box.dat": cube(), "p/4-4cyli.dat": cylinder(), **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def signed_volume(triangles: np.ndarray) -> float:
    a, b, c = np.moveaxis(triangles, 1, 0)
    return float(np.einsum("ti,ti->", a, np.cross(b, c))) / 6

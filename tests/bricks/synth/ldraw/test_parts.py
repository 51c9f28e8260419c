"""Parts of the real library: known sizes, closed skins, and every one of them loads."""

from pathlib import Path

import numpy as np
import pytest

from bricksight.bricks.synth.ldraw import LDrawPart, Library, find_library

EXTENTS = {
    "3001": ((-40, -4, -20), (40, 24, 20)),
    "3003": ((-20, -4, -20), (20, 24, 20)),
    "3004": ((-20, -4, -10), (20, 24, 10)),
    "3022": ((-20, -4, -20), (20, 8, 20)),
    "3024": ((-10, -4, -10), (10, 8, 10)),
    "3062b": ((-10, -4, -10), (10, 24, 10)),
    "3040": ((-10, -4, -30), (10, 24, 10)),
    "3068b": ((-20, 0, -20), (20, 8, 20)),
    "3070b": ((-10, 0, -10), (10, 8, 10)),
    "3700": ((-20, -4, -10), (20, 24, 10)),
    "3941": ((-20, -4, -20), (20, 24, 20)),
    "32525": ((-9, -10, -109), (9, 10, 109)),
    "3705": ((-40, -6, -6), (40, 6, 6)),
}
"""Lowest and highest x, y, z in LDU."""


@pytest.fixture(scope="module")
def library(shared_dir: Path) -> Library:
    folder = shared_dir / "ldraw"
    if not folder.is_dir():
        pytest.skip(f"the LDraw library is not here: {folder} does not exist")
    return find_library(folder)


@pytest.mark.parametrize("number", sorted(EXTENTS))
def test_part__has_the_known_extent(library: Library, number: str) -> None:
    assert library.part(number).mesh.extent == pytest.approx(np.array(EXTENTS[number]), abs=0.02)


def area_vectors(part: LDrawPart) -> np.ndarray:
    a, b, c = np.moveaxis(part.mesh.vertices[part.mesh.triangles], 1, 0)
    vectors: np.ndarray = np.cross(b - a, c - a) / 2
    return vectors


@pytest.mark.slow
def test_part__all_load_and_look_outwards(library: Library) -> None:
    numbers = library.numbers()
    assert len(numbers) > 600

    for number in numbers:
        part = library.part(number)
        mesh, areas = part.mesh, area_vectors(part)
        volume = np.einsum("ti,ti->", mesh.vertices[mesh.triangles].mean(axis=1), areas) / 3
        assert 0.02 < volume / np.ptp(mesh.extent, axis=0).prod() < 1, number
        assert np.linalg.norm(mesh.normals, axis=1) == pytest.approx(1), number
        flat = areas / np.linalg.norm(areas, axis=1, keepdims=True)
        off = np.einsum("ti,tci->tc", flat, mesh.normals[mesh.triangles])
        assert off.min() > 0.499, number
        assert all(code == 16 or code in library.colours for code in set(part.colour_codes)), number
        assert "Moved" not in part.title, number


@pytest.mark.parametrize("number", sorted(EXTENTS))
def test_part__shows_no_face_from_behind(library: Library, number: str) -> None:
    part = library.part(number)
    rng = np.random.default_rng(3)
    targets = rng.uniform(*part.mesh.extent, size=(100, 3))
    directions = rng.standard_normal(targets.shape)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)

    facings = [
        first_facing(part, target - 500 * way, way)
        for target, way in zip(targets, directions, strict=True)
    ]

    hits = [facing for facing in facings if facing is not None]
    assert len(hits) > 20
    assert max(hits) < 0, "a ray from outside meets the back of a face first"


def first_facing(part: LDrawPart, origin: np.ndarray, direction: np.ndarray) -> float | None:
    """Returns normal times direction at the first hit (Moeller and Trumbore's intersection)."""
    a, b, c = np.moveaxis(part.mesh.vertices[part.mesh.triangles], 1, 0)
    ab, ac, offset = b - a, c - a, origin - a
    slope = -(2 * area_vectors(part) @ direction)
    turned = np.cross(offset, direction)
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = np.einsum("ti,ti->t", offset, 2 * area_vectors(part)) / slope
        u = np.einsum("ti,ti->t", ac, turned) / slope
        v = -np.einsum("ti,ti->t", ab, turned) / slope
        hits = (u > 0) & (v > 0) & (u + v < 1) & (distance > 0)
    if not hits.any():
        return None
    first = np.flatnonzero(hits)[np.argmin(distance[hits])]
    return float(-slope[first])


def test_part__studs_are_round_and_their_rims_sharp(library: Library) -> None:
    mesh = library.part("3005").mesh
    inside = np.hypot(mesh.vertices[:, 0], mesh.vertices[:, 2]) < 7

    rim = inside & (mesh.vertices[:, 1] == -4)

    rim_normals, radial = mesh.normals[rim], mesh.vertices[rim] * [1, 0, 1] / 6
    upwards = rim_normals[:, 1] < -0.5
    assert rim_normals[upwards] == pytest.approx(np.tile([0, -1, 0], (upwards.sum(), 1)))
    assert rim_normals[~upwards] == pytest.approx(radial[~upwards], abs=1e-3)
    assert (~upwards).sum() == 16
    assert upwards.sum() in (16, 17)


def test_part__moved_number_leads_to_the_current_one(library: Library) -> None:
    moved = library.part("3023")

    assert (moved.name, moved.moved_from) == ("3023b", ("3023",))
    assert moved.title == library.title("3023") == library.title("3023b") == "Plate 1 x 2"


def test_colours__of_the_real_configuration(library: Library) -> None:
    colours = library.colours

    assert len(colours) > 190
    assert colours[4].rgb == (180, 0, 0)
    assert colours[47].finish == "transparent"
    finishes = {colour.finish for colour in colours.values()}
    assert finishes >= {"solid", "chrome", "pearlescent", "metal", "rubber", "glitter", "speckle"}

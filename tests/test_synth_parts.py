"""The parts: known measurements, and skins without holes."""

from functools import cache

import numpy as np
import pytest

from bricksight.synth import PARTS, Mesh, Solid, stable_poses
from bricksight.synth.mesh import triangulate, volume

LABELS = sorted(PARTS)

SIZES = {
    "3001_brick_2x4": (80, 28, 40),
    "3002_brick_2x3": (60, 28, 40),
    "3003_brick_2x2": (40, 28, 40),
    "3004_brick_1x2": (40, 28, 20),
    "3005_brick_1x1": (20, 28, 20),
    "3020_plate_2x4": (80, 12, 40),
    "3022_plate_2x2": (40, 12, 40),
    "3023_plate_1x2": (40, 12, 20),
    "3039_slope_2x2": (40, 28, 40),
    "3068b_tile_2x2": (40, 8, 40),
    "3700_technic_brick_1x2_hole": (40, 28, 20),
    "3941_round_brick_2x2": (40, 28, 40),
}
"""Length, height with studs, and width in LDU, as in LDraw's parts library."""

STUDS = {
    "3001_brick_2x4": (4, 2),
    "3002_brick_2x3": (3, 2),
    "3003_brick_2x2": (2, 2),
    "3004_brick_1x2": (2, 1),
    "3005_brick_1x1": (1, 1),
    "3020_plate_2x4": (4, 2),
    "3022_plate_2x2": (2, 2),
    "3023_plate_1x2": (2, 1),
    "3039_slope_2x2": (2, 1),
    "3068b_tile_2x2": (0, 0),
    "3700_technic_brick_1x2_hole": (2, 1),
    "3941_round_brick_2x2": (2, 2),
}
"""Columns and rows of studs, 20 LDU apart and centred on the origin."""


@cache
def solids(label: str) -> list[Solid]:
    return PARTS[label].build()


@cache
def mesh(label: str) -> Mesh:
    return PARTS[label].mesh()


def corners(label: str) -> np.ndarray:
    return mesh(label).vertices[mesh(label).triangles]


def test_parts__are_the_known_ones() -> None:
    assert sorted(SIZES) == LABELS


@pytest.mark.parametrize("label", LABELS)
def test_part__has_the_known_size_and_its_top_at_zero(label: str) -> None:
    lowest, highest = mesh(label).extent

    assert highest - lowest == pytest.approx(SIZES[label], abs=1e-6)
    assert lowest[1] == (0 if label == "3068b_tile_2x2" else -4)


@pytest.mark.parametrize("label", LABELS)
def test_part__carries_its_studs(label: str) -> None:
    columns, rows = STUDS[label]
    expected = {
        (20 * column - 10 * (columns - 1), 20 * row - 10 * (rows - 1))
        for column in range(columns)
        for row in range(rows)
    }

    studs = [solid.vertices for solid in solids(label) if solid.vertices[:, 1].min() == -4]
    middles = [(stud.min(axis=0) + stud.max(axis=0)) / 2 for stud in studs]
    assert len(studs) == columns * rows
    assert {(round(x), round(z)) for x, _, z in middles} == expected


@pytest.mark.parametrize("label", LABELS)
def test_part__is_made_of_closed_solids(label: str) -> None:
    for solid in solids(label):
        triangles = triangulate(solid)
        edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
        forward = {tuple(edge) for edge in edges.tolist()}
        assert len(forward) == len(edges), "an edge is walked twice in one direction"
        assert forward == {(b, a) for a, b in forward}, "an edge has one face only"
        assert volume(solid) > 0


@pytest.mark.parametrize("label", LABELS)
def test_part__has_no_degenerate_triangle(label: str) -> None:
    a, b, c = np.moveaxis(corners(label), 1, 0)

    assert np.linalg.norm(np.cross(b - a, c - a), axis=1).min() > 1e-3


@pytest.mark.parametrize("label", LABELS)
def test_part__shading_normals_follow_the_surface(label: str) -> None:
    a, b, c = np.moveaxis(corners(label), 1, 0)
    flat = np.cross(b - a, c - a)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    normals = mesh(label).normals

    assert np.linalg.norm(normals, axis=1) == pytest.approx(1)
    agreement = np.einsum("ti,tki->tk", flat, normals[mesh(label).triangles])
    assert agreement.min() > np.cos(np.radians(40))


@pytest.mark.parametrize("label", LABELS)
def test_part__shows_no_face_from_behind(label: str) -> None:
    rng = np.random.default_rng(3)
    lowest, highest = mesh(label).extent
    targets = rng.uniform(lowest, highest, size=(250, 3))
    directions = rng.standard_normal(targets.shape)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)

    facings = [
        facing
        for target, direction in zip(targets, directions, strict=True)
        if (facing := first_facing(label, target - 200 * direction, direction)) is not None
    ]

    assert len(facings) > 50
    assert max(facings) < 0, "a ray from outside meets the back of a face first"


def first_facing(label: str, origin: np.ndarray, direction: np.ndarray) -> float | None:
    """Returns normal times direction at the first hit (Moeller and Trumbore's intersection)."""
    a, b, c = np.moveaxis(corners(label), 1, 0)
    ab, ac = b - a, c - a
    normal = np.cross(ab, ac)
    slope = -(normal @ direction)
    with np.errstate(divide="ignore", invalid="ignore"):
        offset = origin - a
        distance = np.einsum("ti,ti->t", offset, normal) / slope
        turned = np.cross(offset, direction)
        u = np.einsum("ti,ti->t", ac, turned) / slope
        v = -np.einsum("ti,ti->t", ab, turned) / slope
        hits = (u > 0) & (v > 0) & (u + v < 1) & (distance > 0)
    if not hits.any():
        return None
    first = np.flatnonzero(hits)[np.argmin(distance[hits])]
    return float(-slope[first])


@pytest.mark.parametrize("label", LABELS)
def test_stable_poses__probabilities_add_up_to_one(label: str) -> None:
    poses = stable_poses(mesh(label))

    assert sum(pose.probability for pose in poses) == pytest.approx(1)
    assert min(pose.probability for pose in poses) > 0


@pytest.mark.parametrize("label", LABELS)
def test_stable_poses__hold_the_centre_of_mass_over_the_support(label: str) -> None:
    for pose in stable_poses(mesh(label))[:4]:
        assert np.linalg.det(pose.rotation) == pytest.approx(1)
        placed = mesh(label).vertices @ pose.rotation.T
        touching = placed[placed[:, 2] < placed[:, 2].min() + 1e-3][:, :2]
        centre = (pose.rotation @ mesh(label).centre_of_mass)[:2]
        assert (touching.min(axis=0) < centre).all()
        assert (touching.max(axis=0) > centre).all()


def test_stable_poses__brick_2x4_rests_most_often_on_its_large_faces() -> None:
    first, second, third, *_ = stable_poses(mesh("3001_brick_2x4"))

    assert {round(first.uprightness), round(second.uprightness)} == {1, -1}
    assert abs(first.uprightness) == pytest.approx(1, abs=1e-6)
    assert third.uprightness == pytest.approx(0, abs=1e-6)
    assert first.probability + second.probability > 0.6


def test_stable_poses__slope_can_lie_on_its_slope() -> None:
    angles = [pose.uprightness for pose in stable_poses(mesh("3039_slope_2x2"))]

    assert any(angle == pytest.approx(-np.sqrt(0.5), abs=0.01) for angle in angles)

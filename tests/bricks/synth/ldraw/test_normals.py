"""Welding, and where the shading is smooth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bricksight.bricks.synth.geometry.mesh import Mesh
from bricksight.bricks.synth.ldraw.errors import LDrawError
from bricksight.bricks.synth.ldraw.geometry import flatten
from bricksight.bricks.synth.ldraw.parser import parse
from bricksight.bricks.synth.ldraw.surface import weld as weld_module
from bricksight.bricks.synth.ldraw.surface.normals import build_mesh
from bricksight.bricks.synth.ldraw.surface.weld import points_on_segments, weld
from helpers.ldraw_files import CERTIFIED, cube, cylinder, numbers, part


def mesh_of(text: str) -> Mesh:
    class NoShelf:
        places = "nowhere"

        def find(self, name: str) -> None:
            raise AssertionError(name)

    return build_mesh(flatten(parse(text, "x"), NoShelf(), {}))[0]


def roof(slope: float, *lines: str, cut: bool = False) -> str:
    """Two squares of side 2 that meet at the z axis; the one at x > 0 falls by ``slope``.

    If ``cut``, that one is made of two halves, so that a corner lies on the side of the other.
    """
    left = [[-2, 0, -1], [-2, 0, 1], [0, 0, 1], [0, 0, -1]]
    bounds = [(-1, 0), (0, 1)] if cut else [(-1, 1)]
    right = [[[0, 0, a], [0, 0, b], [2, -slope, b], [2, -slope, a]] for a, b in bounds]
    return part(*[f"4 16 {numbers(face)}" for face in [left, *right]], *lines)


def ridge_normals(mesh: Mesh) -> np.ndarray:
    """The distinct normals on the z axis, (n, 3)."""
    on_ridge = np.abs(mesh.vertices[:, 0]) < 1e-9
    return np.unique(mesh.normals[on_ridge].round(6), axis=0)


SHARP = f"2 24 {numbers([[0, 0, -1], [0, 0, 1]])}"
SHARP_HALVES = [f"2 24 {numbers([[0, 0, a], [0, 0, b]])}" for a, b in ((-1, 0), (0, 1))]
SMOOTH = f"5 24 {numbers([[0, 0, -1], [0, 0, 1], [1, 0, 0], [-1, 0, 0]])}"
STEEP, BLUNT = 2.0, 0.5
"""Falls of 45 and 14 degrees."""


@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize(
    ("slope", "lines", "num_normals"),
    [
        (BLUNT, [], 1),
        (STEEP, [], 2),
        (BLUNT, [SHARP], 2),
        (STEEP, [SMOOTH], 1),
        (STEEP, [SMOOTH, SHARP], 2),
    ],
)
def test_build_mesh__breaks_the_shading_at_lines_and_steep_edges(
    slope: float, lines: list[str], num_normals: int, cut: bool
) -> None:
    mesh = mesh_of(roof(slope, *lines, cut=cut))

    assert len(ridge_normals(mesh)) == num_normals


def test_build_mesh__takes_a_sharp_edge_that_is_drawn_in_pieces() -> None:
    assert len(ridge_normals(mesh_of(roof(BLUNT, *SHARP_HALVES, cut=True)))) == 2


@pytest.mark.parametrize("order", [(0, 1, 2, 0, 2, 3), (0, 1, 3, 1, 2, 3)])
def test_build_mesh__smooth_normal_does_not_depend_on_the_diagonal(order: tuple[int, ...]) -> None:
    left = np.array([[-2.0, 0, -1], [-2, 0, 1], [0, 0, 1], [0, 0, -1]])[list(order)]
    right = [[0, 0, -1], [0, 0, 1], [2, -BLUNT, 1], [2, -BLUNT, -1]]
    halves = [f"3 16 {numbers(half)}" for half in (left[:3], left[3:])]

    mesh = mesh_of(part(*halves, f"4 16 {numbers(right)}"))

    assert ridge_normals(mesh) == pytest.approx(ridge_normals(mesh_of(roof(BLUNT))))


@pytest.mark.parametrize(("num_sides", "optional"), [(16, True), (16, False), (8, True)])
def test_build_mesh__shades_a_cylinder_round(num_sides: int, optional: bool) -> None:
    mesh = mesh_of(cylinder(num_sides=num_sides, optional=optional))

    assert len(mesh.vertices) == 2 * num_sides
    assert mesh.normals == pytest.approx(mesh.vertices * [1, 0, 1], abs=1e-5)


def test_build_mesh__without_optional_lines_eight_sides_are_flat() -> None:
    mesh = mesh_of(cylinder(num_sides=8, optional=False))

    assert len(mesh.vertices) == 4 * 8


def test_build_mesh__keeps_a_cube_flat() -> None:
    mesh = mesh_of(cube())

    assert np.abs(mesh.normals).max(axis=1) == pytest.approx(1)
    assert len(mesh.vertices) == 24
    flat = mesh.vertices[mesh.triangles]
    outwards = np.cross(flat[:, 1] - flat[:, 0], flat[:, 2] - flat[:, 0])
    assert (np.einsum("ti,tci->tc", outwards, mesh.normals[mesh.triangles]) > 0).all()


def test_build_mesh__the_tip_of_a_steep_cone_has_no_common_normal() -> None:
    angles = np.arange(17) * 2 * np.pi / 16
    ring = np.stack([np.cos(angles), np.zeros(17), np.sin(angles)], axis=1)
    sides = [f"3 16 {numbers([ring[i], [0, 9, 0], ring[i + 1]])}" for i in range(16)]

    mesh = mesh_of(part(*sides))

    tips = mesh.normals[mesh.vertices[:, 1] == 9]
    assert len(tips) == 16
    assert np.abs(tips[:, 1]).max() < 0.2


def test_build_mesh__drops_what_has_no_area_and_what_is_there_already() -> None:
    triangle = numbers([[0, 0, 0], [1, 0, 0], [0, 1, 0]])
    backwards = numbers([[0, 0, 0], [0, 1, 0], [1, 0, 0]])
    sliver = numbers([[0, 0, 0], [1, 0, 0], [2, 0.00001, 0]])
    shrunken = numbers([[0, 0, 0], [0.001, 0, 0], [0, 0.001, 0]])
    lines = [f"3 16 {text}" for text in (triangle, sliver, shrunken, triangle, backwards)]

    geometry = flatten(parse(part(*lines, f"3 4 {triangle}"), "x"), None, {})  # type: ignore[arg-type]
    mesh, colour_codes = build_mesh(geometry)

    assert len(mesh.triangles) == 1
    assert colour_codes.tolist() == [16]
    assert mesh.normals.tolist() == [[0, 0, 1]] * 3


def test_build_mesh__uncertified_cube_looks_outwards() -> None:
    mesh = mesh_of(cube(header="0 BFC NOCERTIFY").replace(CERTIFIED, ""))

    assert (mesh.normals * mesh.vertices).sum(axis=1).min() > 0


@given(st.lists(st.tuples(*[st.integers(-400, 400)] * 3), min_size=1, max_size=30), st.integers())
def test_weld__joins_what_is_near_and_nothing_else(
    corners: list[tuple[int, int, int]], seed: int
) -> None:
    exact = np.array(corners) * 0.1
    rng = np.random.default_rng(abs(seed))
    blurred = np.repeat(exact, 3, axis=0)
    blurred += rng.uniform(-0.0045, 0.0045, blurred.shape)

    points, where = weld(blurred)

    assert len(points) == len(np.unique(corners, axis=0))
    assert np.abs(points[where] - blurred).max() < 0.0091


def test_weld__holds_a_model_of_any_size() -> None:
    far = np.array([[0.0, 0, 0], [0.001, 0, 0], [9e7, 0, 0], [9e7, 9e7, -9e7]])

    points, where = weld(far)

    assert len(points) == 3
    assert where[0] == where[1]


def test_points_on_segments__finds_those_inside_and_how_far_along() -> None:
    points = np.array(
        [[0.0, 0, 0], [10, 0, 0], [2.5, 0, 0.005], [5, 0.1, 0], [12, 0, 0], [0, 3, 0]]
    )

    segment, point, along = points_on_segments(
        points, np.array([[1, 0], [0, 5]]), np.arange(len(points))
    )

    assert segment.tolist() == [0]
    assert point.tolist() == [2]
    assert along == pytest.approx([0.75])


def test_points_on_segments__refuses_more_pairs_than_there_is_time_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(weld_module, "_MAX_PAIRS", 50)
    points = np.array([[0.0, 0, 0], [10, 0, 0]] * 10)
    segments = np.arange(20).reshape(10, 2)
    with pytest.raises(LDrawError, match="10 open edges that overlap in more places"):
        points_on_segments(points, segments, np.arange(20))

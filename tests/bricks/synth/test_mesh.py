"""Polygons to closed solids to triangles."""

import numpy as np
import pytest

from bricksight.bricks.synth.geometry.mesh import Solid, drill, loft, to_mesh, triangulate, volume


def square(half: float, y: float) -> np.ndarray:
    return np.array([[half, y, -half], [half, y, half], [-half, y, half], [-half, y, -half]])


def circle(radius: float, y: float, *, num_points: int = 64) -> np.ndarray:
    angles = np.arange(num_points) * 2 * np.pi / num_points
    return np.stack([radius * np.cos(angles), np.full(num_points, y), radius * np.sin(angles)], 1)


def edges_match(solid: Solid) -> bool:
    """Whether every edge is walked once in each direction."""
    triangles = triangulate(solid)
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    forward = {tuple(edge) for edge in edges.tolist()}
    return len(forward) == len(edges) and forward == {(b, a) for a, b in forward}


@pytest.mark.parametrize("order", [1, -1])
def test_loft__encloses_a_positive_volume_whichever_way_it_runs(order: int) -> None:
    solid = loft([square(1, 0), square(1, 3)][::order])

    assert volume(solid) == pytest.approx(12)
    assert edges_match(solid)


def test_loft__closed_is_a_ring_with_a_hole() -> None:
    solid = loft([square(2, 0), square(2, 1), square(1, 1), square(1, 0)], closed=True)

    assert volume(solid) == pytest.approx(16 - 4)
    assert edges_match(solid)


def test_loft__joins_rings_of_different_lengths_in_one_plane() -> None:
    solid = loft([circle(1, 0), circle(1, 2), square(3, 2), square(3, 5)])

    disc = 64 / 2 * np.sin(2 * np.pi / 64)
    assert volume(solid) == pytest.approx(2 * disc + 3 * 36)
    assert edges_match(solid)


def test_drill__through_takes_the_cylinder_away() -> None:
    block = loft([square(2, 0), square(2, 3)])

    drilled = drill(block, [circle(1, 0), circle(1, 3)])

    assert volume(block) - volume(drilled) == pytest.approx(3 * 32 * np.sin(2 * np.pi / 64))
    assert edges_match(drilled)


def test_drill__blind_stops_inside() -> None:
    block = loft([square(2, 0), square(2, 3)])

    drilled = drill(block, [circle(1, 3), circle(1, 2)], blind=True)

    assert volume(block) - volume(drilled) == pytest.approx(32 * np.sin(2 * np.pi / 64))
    assert edges_match(drilled)


def test_drill__refuses_a_ring_that_is_in_no_face() -> None:
    block = loft([square(2, 0), square(2, 3)])

    with pytest.raises(ValueError, match="No flat face of the solid lies around the ring"):
        drill(block, [circle(5, 0), circle(5, 3)])


def test_to_mesh__shades_a_cylinder_round_and_its_ends_flat() -> None:
    mesh = to_mesh([loft([circle(1, 0), circle(1, 2)])])

    on_end = np.abs(mesh.normals[:, 1]) > 0.5
    assert np.abs(mesh.normals[on_end, 1]) == pytest.approx(1)
    side = mesh.vertices[~on_end][:, [0, 2]]
    assert mesh.normals[~on_end][:, [0, 2]] == pytest.approx(side)


def test_to_mesh__keeps_the_edges_of_a_cube_sharp() -> None:
    mesh = to_mesh([loft([square(1, -1), square(1, 1)])])

    assert sorted(np.abs(mesh.normals).max(axis=1)) == pytest.approx([1.0] * len(mesh.normals))


def test_centre_of_mass__of_a_hollow_box_is_towards_its_closed_side() -> None:
    cup = loft([square(1, 1), square(1, 4), square(2, 4), square(2, 0)])

    # A 4 x 4 x 4 block at y = 2 without a 2 x 2 x 3 block at y = 2.5.
    assert to_mesh([cup]).centre_of_mass == pytest.approx([0, (64 * 2 - 12 * 2.5) / 52, 0])

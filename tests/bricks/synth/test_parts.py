"""The parts: known measurements, and skins without holes."""

import re
from collections import defaultdict
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from bricksight.bricks.synth import PARTS, SAMPLE_LABELS, Mesh, Solid, stable_poses
from bricksight.bricks.synth.geometry.mesh import to_mesh, triangulate, volume

LABELS = sorted(PARTS)

EXTENTS = {
    "11211_brick_1x2_studs_on_1_side": (-20, 20, -4, 24, -14, 10),
    "11477_curved_slope_2x1": (-10, 10, -16.0001, 0, -20, 20),
    "14719_corner_tile_2x2": (-10, 30, 0, 8, -10, 30),
    "14769_round_tile_2x2": (-20.0005, 20.0005, 0, 8, -20.0005, 20.0005),
    "15068_curved_slope_2x2": (-20, 20, -16.0001, 0, -20, 20),
    "15573_jumper_plate_1x2": (-20, 20, -4, 8, -10, 10),
    "2357_corner_brick_2x2": (-10, 30, -4, 24, -10, 30),
    "23950_panel_1x3x1": (-30, 30, 0, 24, -10, 10),
    "2420_corner_plate_2x2": (-10, 30, -4, 8, -10, 30),
    "24309_curved_slope_3x2": (-20, 20, 0, 24, -30, 30),
    "2431_tile_1x4": (-40, 40, 0, 8, -10, 10),
    "2436a_bracket_1x2_1x4_down": (-40, 40, -4, 20, -18, 10),
    "2450_plate_3x3_cut_corner": (-30, 30, -4, 8, -30, 30),
    "2456_brick_2x6": (-60, 60, -4, 24, -20, 20),
    "2458_brick_1x2_pin": (-20, 20, -4, 24, -30, 10),
    "2460_tile_2x2_pin": (-20, 20, -20, 8, -20, 20),
    "2476a_plate_2x2_pin": (-20, 20, -4, 28, -20, 20),
    "26601_plate_2x2_cut_corner": (-20, 20, -4, 8, -20, 20),
    "26603_tile_2x3": (-30, 30, 0, 8, -20, 20),
    "2877_brick_1x2_grille": (-20, 20, -4, 24, -10, 10),
    "3001_brick_2x4": (-40, 40, -4, 24, -20, 20),
    "3002_brick_2x3": (-30, 30, -4, 24, -20, 20),
    "3003_brick_2x2": (-20, 20, -4, 24, -20, 20),
    "3004_brick_1x2": (-20, 20, -4, 24, -10, 10),
    "3005_brick_1x1": (-10, 10, -4, 24, -10, 10),
    "3007_brick_2x8": (-80, 80, -4, 24, -20, 20),
    "3008_brick_1x8": (-80, 80, -4, 24, -10, 10),
    "3009_brick_1x6": (-60, 60, -4, 24, -10, 10),
    "3010_brick_1x4": (-40, 40, -4, 24, -10, 10),
    "30136_brick_1x2_log": (-20, 20, -4, 24, -9.8994, 9.8994),
    "30165_curved_brick_2x2": (-20, 20, -4, 24, -20, 20),
    "3020_plate_2x4": (-40, 40, -4, 8, -20, 20),
    "3021_plate_2x3": (-30, 30, -4, 8, -20, 20),
    "3022_plate_2x2": (-20, 20, -4, 8, -20, 20),
    "3023_plate_1x2": (-20, 20, -4, 8, -10, 10),
    "3024_plate_1x1": (-10, 10, -4, 8, -10, 10),
    "3031_plate_4x4": (-40, 40, -4, 8, -40, 40),
    "3034_plate_2x8": (-80, 80, -4, 8, -20, 20),
    "30357_plate_3x3_round_corner": (-10, 50, -4, 8, -10, 50),
    "3037_slope_2x4": (-40, 40, -4, 24, -30, 10),
    "3038_slope_2x3": (-30, 30, -4, 24, -30, 10),
    "3039_slope_2x2": (-20, 20, -4, 24, -30, 10),
    "3040a_slope_2x1_without_pin": (-10, 10, -4, 24, -30, 10),
    "3040b_slope_2x1": (-10, 10, -4, 24, -30, 10),
    "30413_panel_1x4x1": (-40, 40, 0, 24, -10, 10),
    "30414_brick_1x4_studs_on_1_side": (-40, 40, -4, 24, -14, 10),
    "3062b_round_brick_1x1": (-10, 10, -4, 24, -10, 10),
    "3068a_tile_2x2_without_groove": (-20, 20, 0, 8, -20, 20),
    "3068b_tile_2x2": (-20, 20, 0, 8, -20, 20),
    "3069b_tile_1x2": (-20, 20, 0, 8, -10, 10),
    "3070a_tile_1x1_without_groove": (-10, 10, 0, 8, -10, 10),
    "3070b_tile_1x1": (-10, 10, 0, 8, -10, 10),
    "32000_technic_brick_1x2_holes": (-20, 20, -4, 24, -10, 10),
    "32062_technic_axle_2": (-20, 20, -6, 6, -6, 6),
    "32064a_technic_brick_1x2_axle_hole": (-20, 20, -4, 24, -10, 10),
    "32073_technic_axle_5": (-50, 50, -6, 6, -6, 6),
    "32316_technic_beam_5": (-9, 9, -10, 10, -49, 49),
    "32523_technic_beam_3": (-9, 9, -10, 10, -29, 29),
    "32524_technic_beam_7": (-9, 9, -10, 10, -69, 69),
    "3297_slope_33_3x4": (-40, 40, -4, 24, -50, 10),
    "3298_slope_33_3x2": (-20, 20, -4, 24, -50, 10),
    "3460_plate_1x8": (-80, 80, -4, 8, -10, 10),
    "3622_brick_1x3": (-30, 30, -4, 24, -10, 10),
    "3623_plate_1x3": (-30, 30, -4, 8, -10, 10),
    "3659_arch_1x4": (-40, 40, -4, 24, -10, 10),
    "3660_inverted_slope_2x2": (-20, 20, -4, 24, -30, 10),
    "3665a_inverted_slope_2x1": (-10, 10, -4, 24, -30, 10),
    "3666_plate_1x6": (-60, 60, -4, 8, -10, 10),
    "3673_technic_pin": (-20, 20, -8, 8, -8, 8),
    "36840_bracket_1x1_1x1_up": (-10, 10, -12, 8, -18, 10),
    "36841_bracket_1x1_1x1_down": (-10, 10, -4, 20, -18, 10),
    "3700_technic_brick_1x2_hole": (-20, 20, -4, 24, -10, 10),
    "3701_technic_brick_1x4_holes": (-40, 40, -4, 24, -10, 10),
    "3705_technic_axle_4": (-40, 40, -6, 6, -6, 6),
    "3706_technic_axle_6": (-60, 60, -6, 6, -6, 6),
    "3710_plate_1x4": (-40, 40, -4, 8, -10, 10),
    "3747a_inverted_slope_33_3x2": (-20, 20, -4, 24, -50, 10),
    "3795_plate_2x6": (-60, 60, -4, 8, -20, 20),
    "3894_technic_brick_1x6_holes": (-60, 60, -4, 24, -10, 10),
    "3941_round_brick_2x2": (-20.0005, 20.0005, -4, 24, -20.0005, 20.0005),
    "3942c_cone_2x2x2": (-20, 20, -4, 48, -20, 20),
    "4032a_round_plate_2x2": (-20.0005, 20.0005, -4, 8, -20.0005, 20.0005),
    "4150_round_tile_2x2_cross": (-20.0005, 20.0005, 0, 8, -20.0005, 20.0005),
    "41769_wedge_plate_2x4_right": (-20, 20, -4, 8, -40, 40),
    "41770_wedge_plate_2x4_left": (-20, 20, -4, 8, -40, 40),
    "4216_brick_1x2_groove": (-20, 20, -4, 24, -10, 10),
    "4286_slope_33_3x1": (-10, 10, -4, 24, -50, 10),
    "4287a_inverted_slope_33_3x1": (-10, 10, -4, 24, -50, 10),
    "43722_wedge_plate_2x3_right": (-20, 20, -4, 8, -30, 30),
    "43723_wedge_plate_2x3_left": (-20, 20, -4, 8, -30, 30),
    "43857_technic_beam_2": (-9, 9, -10, 10, -19, 19),
    "44728_bracket_1x2_2x2_down": (-20, 20, -4, 40, -18, 10),
    "4490_arch_1x3": (-30, 30, -4, 24, -10, 10),
    "4519_technic_axle_3": (-30, 30, -6, 6, -6, 6),
    "4589_cone_1x1": (-10, 10, -4, 24, -10, 10),
    "4733_brick_1x1_studs_on_4_sides": (-14, 14, -4, 24, -14, 14),
    "4740_dish_2x2": (-20, 20, -4, 8, -20, 20),
    "47905_brick_1x1_studs_on_2_sides": (-10, 10, -4, 24, -14, 14),
    "4865_panel_1x2x1": (-20, 20, 0, 24, -10, 10),
    "50950_curved_slope_3x1": (-10, 10, 0, 24, -30, 30),
    "51739_wedge_plate_2x4": (-38.5, 38.5, -4, 8, -20, 20),
    "54200_cheese_slope_1x1": (-10, 10, -15.6, 0, -10, 10),
    "54383_wedge_plate_3x6_right": (-30, 30, -4, 8, -60, 60),
    "54384_wedge_plate_3x6_left": (-30, 30, -4, 8, -60, 60),
    "6091_curved_brick_2x1": (-10, 10, 0, 32, -30, 10),
    "6141_round_plate_1x1": (-10, 10, -4, 8, -10, 10),
    "61678_curved_slope_4x1": (-10, 10, 0, 24, -40, 40),
    "6182_arch_1x4x2": (-40, 40, -4, 48, -10, 10),
    "6215_curved_brick_2x3": (-20, 40, -4, 24, -20, 20),
    "6231_corner_panel_1x1x1": (-10, 10, 0, 24, -10, 10),
    "63864_tile_1x3": (-30, 30, 0, 8, -10, 10),
    "6541_technic_brick_1x1_hole": (-10, 10, -4, 24, -10, 10),
    "6636_tile_1x6": (-60, 60, 0, 8, -10, 10),
    "85861_round_plate_1x1_open_stud": (-10, 10, -4, 8, -10, 10),
    "85984_cheese_slope_1x2": (-20, 20, -15.6, 0, -10, 10),
    "87079_tile_2x4": (-40, 40, 0, 8, -20, 20),
    "87087_brick_1x1_stud_on_1_side": (-10, 10, -4, 24, -14, 10),
    "87580_jumper_plate_2x2": (-20, 20, -4, 8, -20, 20),
    "93606_curved_slope_4x2": (-20, 20, 0, 24, -40, 40),
    "98138_round_tile_1x1": (-10, 10, 0, 8, -10, 10),
    "99207_bracket_1x2_2x2_up": (-20, 20, -32, 8, -18, 10),
    "99780_bracket_1x2_1x2_up": (-20, 20, -12, 8, -18, 10),
    "99781_bracket_1x2_1x2_down": (-20, 20, -4, 20, -18, 10),
}
"""Lowest and highest x, y and z in LDU: where LDraw's parts library has the part of that number."""

STUDS = {
    "2357_corner_brick_2x2": 3,
    "2450_plate_3x3_cut_corner": 6,
    "3001_brick_2x4": 8,
    "3005_brick_1x1": 1,
    "30357_plate_3x3_round_corner": 8,
    "3031_plate_4x4": 16,
    "3039_slope_2x2": 2,
    "3068b_tile_2x2": 0,
    "3298_slope_33_3x2": 2,
    "3660_inverted_slope_2x2": 4,
    "3700_technic_brick_1x2_hole": 2,
    "3941_round_brick_2x2": 4,
    "41769_wedge_plate_2x4_right": 4,
    "43722_wedge_plate_2x3_right": 3,
    "51739_wedge_plate_2x4": 4,
    "54383_wedge_plate_3x6_right": 9,
    "87580_jumper_plate_2x2": 1,
}
"""How many studs stand on top."""

MIRRORED = {
    "41770_wedge_plate_2x4_left": "41769_wedge_plate_2x4_right",
    "43723_wedge_plate_2x3_left": "43722_wedge_plate_2x3_right",
    "54384_wedge_plate_3x6_left": "54383_wedge_plate_3x6_right",
}

LOPSIDED = {
    *("14719_corner_tile_2x2", "2357_corner_brick_2x2", "2420_corner_plate_2x2"),
    *("2450_plate_3x3_cut_corner", "26601_plate_2x2_cut_corner", "30357_plate_3x3_round_corner"),
    *("6215_curved_brick_2x3", "6231_corner_panel_1x1x1", *MIRRORED, *MIRRORED.values()),
}
"""Parts whose left side is not the mirror image of their right."""


@cache
def solids(label: str) -> list[Solid]:
    return PARTS[label].build()


@cache
def mesh(label: str) -> Mesh:
    return to_mesh(solids(label))


def corners(label: str) -> np.ndarray:
    return mesh(label).vertices[mesh(label).triangles]


def test_parts__are_the_known_ones() -> None:
    assert sorted(EXTENTS) == LABELS
    assert set(SAMPLE_LABELS) < set(LABELS)


def test_docs__list_every_part_in_order() -> None:
    page = Path(__file__).parents[3] / "docs" / "reference" / "parts.md"

    listed = re.findall(r"^\| `([0-9]+[a-z]?_\w+)`", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert listed == list(PARTS)


def test_parts__have_numbers_of_their_own() -> None:
    numbers = [label.partition("_")[0] for label in LABELS]

    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("label", LABELS)
def test_part__has_the_known_extent(label: str) -> None:
    x0, x1, y0, y1, z0, z1 = EXTENTS[label]

    # The acute corners of wedges are rounded off, which LDraw's are not.
    tolerance = 0.3 if "wedge" in label else 0.05
    assert mesh(label).extent == pytest.approx(
        np.array([(x0, y0, z0), (x1, y1, z1)]), abs=tolerance
    )


@pytest.mark.parametrize("label", sorted(STUDS))
def test_part__carries_its_studs(label: str) -> None:
    studs = [solid.vertices for solid in solids(label) if solid.vertices[:, 1].min() == -4]
    middles = np.array([(stud.min(axis=0) + stud.max(axis=0)) / 2 for stud in studs])

    assert len(studs) == STUDS[label]
    for i, middle in enumerate(middles):
        assert (np.abs(middles[:i] - middle).max(axis=1) > 19).all()


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
    flat = flat_normals(corners(label))
    normals = mesh(label).normals

    assert np.linalg.norm(normals, axis=1) == pytest.approx(1)
    agreement = np.einsum("ti,tki->tk", flat, normals[mesh(label).triangles])
    assert agreement.min() > np.cos(np.radians(40))


def flat_normals(triangles: np.ndarray) -> np.ndarray:
    a, b, c = np.moveaxis(triangles, 1, 0)
    normals = np.cross(b - a, c - a)
    unit: np.ndarray = normals / np.linalg.norm(normals, axis=1, keepdims=True)
    return unit


@pytest.mark.parametrize("label", LABELS)
def test_part__shows_no_face_from_behind(label: str) -> None:
    rng = np.random.default_rng(3)
    lowest, highest = mesh(label).extent
    targets = rng.uniform(lowest, highest, size=(120, 3))
    directions = rng.standard_normal(targets.shape)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)

    facings = []
    for target, direction in zip(targets, directions, strict=True):
        first = first_hit(label, target - 200 * direction, direction)
        if first is not None:
            facings.append(rays_need(label)[3][first] @ direction)

    assert len(facings) > 25
    assert max(facings) < 0, "a ray from outside meets the back of a face first"


def first_hit(label: str, origin: np.ndarray, direction: np.ndarray) -> int | None:
    """Returns the first triangle that a ray meets (Moeller and Trumbore's intersection)."""
    a, ab, ac, normal = rays_need(label)
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
    return int(np.flatnonzero(hits)[np.argmin(distance[hits])])


@cache
def rays_need(label: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    a, b, c = np.moveaxis(corners(label), 1, 0)
    return a, b - a, c - a, np.cross(b - a, c - a)


@pytest.mark.parametrize("label", [label for label in LABELS if "slope" in label])
def test_slope__shows_no_tube_from_above(label: str) -> None:
    (x0, _, z0), (x1, _, z1) = mesh(label).extent
    body, *others = solids(label)
    tubes = {id(solid) for solid in others if solid.vertices[:, 1].min() > -4 or "cheese" in label}
    owners = [id(solid) for solid in (body, *others) for _ in triangulate(solid)]

    for x in np.linspace(x0, x1, 20)[1:-1]:
        for z in np.linspace(z0, z1, 24)[1:-1]:
            first = first_hit(label, np.array([x, -200.0, z]), np.array([0.0, 1.0, 0.0]))
            assert first is not None
            assert owners[first] not in tubes, f"a tube comes through at x = {x}, z = {z}"


@pytest.mark.parametrize("label", LABELS)
def test_part__solids_share_no_face(label: str) -> None:
    planes: defaultdict[tuple[float, ...], list[tuple[int, np.ndarray]]] = defaultdict(list)
    for number, solid in enumerate(solids(label)):
        triangles = solid.vertices[triangulate(solid)]
        normals = flat_normals(triangles)
        offsets = np.einsum("ti,ti->t", normals, triangles[:, 0])
        keys = np.column_stack([normals, offsets]).round(2) + 0.0
        for key, triangle in zip(keys.tolist(), triangles, strict=True):
            planes[tuple(key)].append((number, triangle))

    for (*normal, _), members in planes.items():
        owners = np.array([number for number, _ in members])
        if len(set(owners)) > 1:
            kept = [axis for axis in range(3) if axis != np.argmax(np.abs(normal))]
            flat = np.array([triangle for _, triangle in members])[:, :, kept]
            covered = holds(flat, flat.mean(axis=1)) & (owners[:, None] != owners)
            assert not covered.any(), f"two solids have a face in the plane {normal}"


def holds(triangles: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Returns whether each triangle, (n, 3, 2), holds each point, (m, 2): bool, (m, n)."""
    sides = np.roll(triangles, -1, axis=1) - triangles
    away = points[:, None, None] - triangles
    turns = sides[..., 0] * away[..., 1] - sides[..., 1] * away[..., 0]
    inside: np.ndarray = (turns > 1e-6).all(axis=2) | (turns < -1e-6).all(axis=2)
    return inside


@pytest.mark.parametrize("label", LABELS)
def test_part__centre_of_mass_is_inside_and_halfway_across(label: str) -> None:
    lowest, highest = mesh(label).extent
    share = (mesh(label).centre_of_mass - lowest) / (highest - lowest)

    assert (share > 0.2).all()
    assert (share < 0.8).all()
    if label not in LOPSIDED:
        assert share[0] == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize(("left", "right"), MIRRORED.items())
def test_part__left_is_the_mirror_image_of_right(left: str, right: str) -> None:
    for solid, other in zip(solids(left), solids(right), strict=True):
        assert solid.vertices * (-1, 1, 1) == pytest.approx(other.vertices)
        assert volume(solid) == pytest.approx(volume(other))
    assert not np.allclose(mesh(left).centre_of_mass, mesh(right).centre_of_mass, atol=1)


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
        touching = placed[placed[:, 2] < placed[:, 2].min() + 0.02][:, :2]
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

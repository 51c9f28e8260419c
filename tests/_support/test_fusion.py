"""One row of probabilities from several, by hand-made numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bricksight._support.fusion import count_votes, fuse


def fuse_one(*rows: list[float]) -> np.ndarray:
    return fuse(np.array(rows, np.float32), np.zeros(len(rows), int))[0]


def test_fuse__is_the_geometric_mean_renormalised():
    # sqrt(0.6 * 0.1) : sqrt(0.3 * 0.8) : sqrt(0.1 * 0.1) = 0.2449 : 0.4899 : 0.1
    expected = np.array([0.24495, 0.48990, 0.1]) / 0.83485
    np.testing.assert_allclose(fuse_one([0.6, 0.3, 0.1], [0.1, 0.8, 0.1]), expected, atol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 40])
@pytest.mark.parametrize("row", [[0.7, 0.2, 0.1], [1.0, 0.0, 0.0]], ids=["unsure", "sure"])
def test_fuse__photos_that_agree_are_as_sure_as_one(row: list[float], count: int):
    """So a threshold that was chosen on single photos fits; the product would near 1."""
    np.testing.assert_allclose(fuse_one(*[row] * count), row, rtol=1e-6)


def test_fuse__a_zero_is_no_veto_for_good():
    fused = fuse_one([1.0, 0.0], [0.2, 0.8], [0.2, 0.8], [0.2, 0.8], [0.2, 0.8])
    assert 0 < fused[1] < fused[0]
    many = fuse_one([1.0, 0.0], *[[0.2, 0.8]] * 40)
    assert many[1] > many[0]


def test_fuse__groups_are_apart_and_in_any_order():
    rows = np.array([[0.9, 0.1], [0.3, 0.7], [0.8, 0.2], [0.2, 0.8]])
    together = fuse(rows, np.array([0, 1, 0, 1]))
    np.testing.assert_allclose(together[0], fuse_one([0.9, 0.1], [0.8, 0.2]), atol=1e-6)
    np.testing.assert_allclose(together[1], fuse_one([0.3, 0.7], [0.2, 0.8]), atol=1e-6)


@given(st.lists(st.lists(st.floats(0, 1), min_size=4, max_size=4), min_size=1, max_size=6))
def test_fuse__any_rows_give_probabilities(weights: list[list[float]]):
    rows = np.array(weights) + np.array([0, 0, 0, 1e-3])
    fused = fuse(rows / rows.sum(axis=1, keepdims=True), np.zeros(len(rows), int))
    assert fused.min() >= 0
    assert fused.sum() == pytest.approx(1)


def test_count_votes__counts_the_photos_that_agree():
    # The first group answers the second class, which is first on none of its photos.
    rows = np.array([[0.55, 0.45, 0], [0, 0.45, 0.55], [0.2, 0.3, 0.5], [0.1, 0.2, 0.7]])
    groups = np.array([0, 0, 1, 1])
    fused = fuse(rows, groups)
    assert fused.argmax(axis=1).tolist() == [1, 2]
    assert count_votes(rows, groups, fused).tolist() == [0, 2]

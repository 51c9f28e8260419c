"""Classes that are mirror images of one another."""

import pytest

from bricksight.dataset import mirrored_pairs


@pytest.mark.parametrize(
    ("labels", "pairs"),
    [
        (("wedge_left", "wedge_right", "brick"), [("wedge_left", "wedge_right")]),
        (("Right shoe", "Left shoe"), [("Left shoe", "Right shoe")]),
        (("upright", "upleft", "left"), []),
        (("left", "right"), [("left", "right")]),
    ],
)
def test_mirrored_pairs(labels: tuple[str, ...], pairs: list[tuple[str, str]]) -> None:
    assert mirrored_pairs(labels) == pairs

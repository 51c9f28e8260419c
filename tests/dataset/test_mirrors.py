"""Classes that are mirror images of one another."""

from pathlib import Path

import pytest

from bricksight.dataset import mirrored_pairs
from bricksight.dataset._mirrors import PART_PAIRS
from bricksight.synth import PARTS


@pytest.mark.parametrize(
    ("labels", "pairs"),
    [
        (("wedge_left", "wedge_right", "brick"), [("wedge_left", "wedge_right")]),
        (("Right shoe", "Left shoe"), [("Left shoe", "Right shoe")]),
        (("upright", "upleft", "left"), []),
        (("left", "right"), [("left", "right")]),
        (("43722", "43723", "3001"), [("43722", "43723")]),
        (("43722_red", "43723"), [("43722_red", "43723")]),
        (("437220", "43723"), []),
        (("43722", "3001"), []),
    ],
)
def test_mirrored_pairs(labels: tuple[str, ...], pairs: list[tuple[str, str]]) -> None:
    assert mirrored_pairs(labels) == pairs


def test_mirrored_pairs__of_our_own_parts() -> None:
    found = {pair[0].partition("_")[0] for pair in mirrored_pairs(list(PARTS))}
    assert found == {"43722", "41769", "54383"}


def test_part_pairs__are_left_and_right_in_ldraw(shared_dir: Path) -> None:
    compared = 0
    for pair in PART_PAIRS:
        files = [shared_dir / "ldraw" / "parts" / f"{number}.dat" for number in pair]
        if all(file.is_file() for file in files):
            titles = [file.read_text("utf-8").splitlines()[0].lower() for file in files]
            assert titles[0] != titles[1]
            sides = [title.replace("left", "").replace("right", "") for title in titles]
            assert sides[0] == sides[1]
            compared += 1
    assert compared >= 5

"""Part numbers in class names."""

from pathlib import Path

import numpy as np
import pytest

from bricksight.backbones import KnownClasses
from bricksight.bricks.part_numbers import MIRRORED_PARTS, identify
from bricksight.bricks.synth import PARTS
from bricksight.bundle import Head
from bricksight.dataset import mirrored_pairs


@pytest.mark.parametrize(
    ("labels", "pairs"),
    [
        (("wedge_left", "wedge_right", "brick"), [("wedge_left", "wedge_right")]),
        (("43722", "43723", "3001"), [("43722", "43723")]),
        (("43722_red", "43723"), [("43722_red", "43723")]),
        (("43723", "43722_red"), [("43722_red", "43723")]),
        (("437220", "43723"), []),
        (("43722", "3001"), []),
    ],
)
def test_mirrored_pairs(labels: tuple[str, ...], pairs: list[tuple[str, str]]) -> None:
    assert mirrored_pairs(labels) == pairs


def test_mirrored_pairs__of_our_own_parts() -> None:
    found = {pair[0].partition("_")[0] for pair in mirrored_pairs(list(PARTS))}
    assert found == {"43722", "41769", "54383"}


def test_mirrored_parts__are_left_and_right_in_ldraw(shared_dir: Path) -> None:
    compared = 0
    for pair in MIRRORED_PARTS:
        files = [shared_dir / "ldraw" / "parts" / f"{number}.dat" for number in pair]
        if all(file.is_file() for file in files):
            titles = [file.read_text("utf-8").splitlines()[0].lower() for file in files]
            assert titles[0] != titles[1]
            sides = [title.replace("left", "").replace("right", "") for title in titles]
            assert sides[0] == sides[1]
            compared += 1
    assert compared >= 5


PARTS_OF_A_HEAD = ("3001_brick_2x4", "3068b_tile", "32064", "32064a", "3005", "none")


def known(*labels: str) -> KnownClasses:
    kernel = np.eye(len(labels), dtype=np.float32)
    return KnownClasses(labels=labels, head=Head(kernel=kernel, bias=kernel[0]), identify=identify)


@pytest.mark.parametrize(
    ("label", "column"),
    [
        ("3001", 0),
        ("3001_brick_2x4", 0),
        ("3001 Brick 2 x 4", 0),
        ("3068b", 1),
        ("3068B", 1),
        ("3068a", 1),  # another variant
        ("3068", 1),
        ("32064a", 3),  # its own, not the first variant
        ("32064c", 2),
        ("30010", None),
        ("300", None),
        ("3001xyz", None),
        ("brick 3001", None),
        ("dog", None),
    ],
)
def test_known_parts__go_by_the_number(label: str, column: int | None) -> None:
    found = known(*PARTS_OF_A_HEAD).head_for([label, "dog"])
    if column is None:
        assert found is None
        return
    assert found is not None
    head, is_known = found
    assert is_known.tolist() == [True, False]
    assert head.kernel[:, 0].argmax() == column


def test_known_parts__no_variant_of_a_class_is_background() -> None:
    found = known(*PARTS_OF_A_HEAD).head_for(["3068a", "32064c", "dog"])
    assert found is not None
    background = found[0].background
    assert background is not None
    assert background.kernel.argmax(axis=0).tolist() == [0, 4, 5]

"""Problems in few lines."""

import pytest

from bricksight.dataset import Problem, summaries, unreadable_files


def test_summaries__one_line_for_hundreds_of_bad_photos() -> None:
    bad = unreadable_files({f"a/{number:03d}.jpg": "not an image" for number in range(558)})
    (line,) = summaries(bad, where="metrics.json")
    assert line == (
        "558 files cannot be read: 'a/000.jpg', 'a/001.jpg', 'a/002.jpg' and 555 more. "
        "The first: 'a/000.jpg' cannot be read: not an image. See metrics.json for all."
    )


def test_summaries__few_are_told_one_by_one_in_the_order_of_their_kinds() -> None:
    problems = [
        Problem("duplicate", "Twice: a.", ("a",)),
        Problem("unreadable", "'b' cannot be read: gone.", ("b",)),
        Problem("duplicate", "Twice: c.", ("c",)),
    ]
    assert summaries(problems, where="--json") == [
        "Twice: a.",
        "Twice: c.",
        "'b' cannot be read: gone.",
    ]
    assert summaries([], where="--json") == []


@pytest.mark.parametrize(
    "kind",
    [
        "duplicate",
        "conflicting_labels",
        "empty_class",
        "missing_split",
        "bad_name",
        "link_loop",
        "wrong_extension",
        "some_later_kind",
    ],
)
def test_summaries__every_kind_says_how_many_and_the_first_names(kind: str) -> None:
    problems = [Problem(kind, f"{name} is odd.", (name,)) for name in "abcdefg"]
    (line,) = summaries(problems, where="--json")
    assert ("7 " in line) or ("'a'" not in line and "6 more" in line)
    assert "'b'" in line
    assert line.endswith("See --json for all.")


def test_summaries__of_problems_without_files() -> None:
    (line,) = summaries([Problem("some_kind", "Odd.")] * 5, where="--json")
    assert line == "Odd. The same applies to 4 more. See --json for all."

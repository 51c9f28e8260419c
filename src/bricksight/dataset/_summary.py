"""Problems in few lines: of each kind one, however many files have it."""

from collections.abc import Sequence
from itertools import groupby

from bricksight._support.text import some
from bricksight.dataset._examples import Problem

_SHOWN_ONE_BY_ONE = 3
_NAMES = 3

_MANY = {
    "unreadable": "files cannot be read",
    "duplicate": "photos are there more than once",
    "two_labels": "photos are under several labels; keep the right ones",
    "empty_class": "classes have no photo that can be used, so they are left out",
    "missing_split": "classes have no photo on some side of the split: their groups are shared "
    "with classes that cannot spare them",
    "bad_name": "names are not UTF-8 text; rename them to use them",
    "own_folder": "folders are skipped: they hold what bricksight has written",
    "link_loop": "links lead back up and are not followed",
    "wrong_extension": "photos are files of another type than their names say; they are used, but "
    "other programs may refuse them",
}
"""Kind → what is said of several; of other kinds the first message stands for all."""


def summaries(problems: Sequence[Problem], *, where: str) -> list[str]:
    """Returns the messages; those of a kind that is there many times become one line.

    Args:
        problems: in any order; each kind stands where it is met first.
        where: where all of them are listed, such as "metrics.json".
    """
    kinds = list(dict.fromkeys(problem.kind for problem in problems))
    in_order = sorted(problems, key=lambda problem: kinds.index(problem.kind))
    lines = []
    for _, found in groupby(in_order, key=lambda problem: problem.kind):
        same = list(found)
        few = len(same) <= _SHOWN_ONE_BY_ONE
        lines += [one.message for one in same] if few else [summary_of(same, where=where)]
    return lines


def summary_of(problems: Sequence[Problem], *, where: str | None = None) -> str:
    """Returns one line for several problems of one kind: how many, the first names, where all are.

    Args:
        problems: at least one.
        where: as in ``summaries``; ``None`` where they are listed below.
    """
    first = problems[0]
    names = [problem.paths[0] for problem in problems if problem.paths]
    if first.kind in _MANY:
        named = f": {some(names, limit=_NAMES)}" if names else ""
        line = f"{len(problems):,} {_MANY[first.kind]}{named}."
    else:
        line = f"{first.message} The same applies to {len(problems) - 1:,} more"
        line += f": {some(names[1:], limit=_NAMES)}." if names[1:] else "."
    if first.kind == "unreadable":
        line += f" The first: {first.message}"
    return line if where is None else f"{line} See {where} for all."

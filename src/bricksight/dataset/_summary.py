"""Summarize problems: one line per kind if many files have it."""

from collections.abc import Sequence
from itertools import groupby

from bricksight._support.text import some
from bricksight.dataset._examples import Problem

_SHOWN_ONE_BY_ONE = 3
_MAX_NAMES = 3

_MANY = {
    "unreadable": "files cannot be read",
    "duplicate": "photos are in their class more than once; keep one of each",
    "conflicting_labels": "photos are in several classes; keep each in the right one",
    "empty_class": "classes have no readable photo, so they are left out",
    "missing_split": "classes have no photo in some split, because their groups also hold photos "
    "of classes that need them in other splits",
    "bad_name": "names are not UTF-8 text; rename the files",
    "generated_folder": "folders are skipped, because bricksight has written them",
    "link_loop": "links lead back to a parent folder and are not followed",
    "wrong_extension": "photos have the extension of another file type; they are used, but other "
    "programs may refuse them",
}
"""Kind → text for several problems. For other kinds, the first message stands for all."""


def summaries(problems: Sequence[Problem], *, where: str) -> list[str]:
    """Return the messages of problems, with one line for more than three problems of a kind.

    Args:
        problems: In any order; kinds are returned in the order of their first problem.
        where: Where all problems are listed, such as "metrics.json".
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
    """Return one line for several problems of one kind: their number and the first names.

    Args:
        problems: At least one, all of one kind.
        where: As in ``summaries``; ``None`` to leave the reference out.
    """
    first = problems[0]
    names = [problem.paths[0] for problem in problems if problem.paths]
    if first.kind in _MANY:
        named = f": {some(names, limit=_MAX_NAMES)}" if names else ""
        line = f"{len(problems):,} {_MANY[first.kind]}{named}."
    else:
        line = f"{first.message} The same applies to {len(problems) - 1:,} more"
        line += f": {some(names[1:], limit=_MAX_NAMES)}." if names[1:] else "."
    if first.kind == "unreadable":
        line += f" The first: {first.message}"
    return line if where is None else f"{line} See {where} for all."

"""Are the folders of a data set its classes, or splits (train, test), or sessions?"""

import re
import shlex
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bricksight._support.text import some
from bricksight.dataset._examples import Problem
from bricksight.errors import DataError

_WORDS = re.compile(r"[^\W\d_]+")

_SIDES = {
    "training": {"train", "training", "trn", "trainset", "trainingset"},
    "validation": {"val", "valid", "validation", "dev", "valset", "devset", "validationset"},
    "test": {"test", "testing", "tst", "eval", "evaluation", "holdout", "testset"},
}
"""Split → words that name it."""

_FILLERS = {"image", "images", "img", "imgs", "photo", "photos", "pictures", "data", "set"}

_OCCASIONS = {
    *("fold", "split", "part", "session", "run", "batch", "day", "week", "shoot", "round", "take"),
    *("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
    *("mon", "tue", "wed", "thu", "fri", "sat", "sun"),
}
_DATE = re.compile(r"(19|20)\d\d([-_.]?)[01]\d\2[0-3]\d")

_VIEWS = {
    *("front", "back", "rear", "left", "right", "top", "bottom", "side", "above", "below"),
    *("cam", "camera", "view", "angle", "pose"),
}

_ANYWAY = "If these folders are the classes all the same, add --layout classes."


@dataclass
class _Top:
    """What a folder of the first level holds: photos of its own, and sub-folders with photos."""

    num_own: int = 0
    inside: set[str] = field(default_factory=set)

    @property
    def is_nested(self) -> bool:
        return not self.num_own and bool(self.inside)


def require_class_folders(image_dir: Path, paths: Sequence[str]) -> None:
    """Refuses folders that are splits or sessions, with the class folders inside them.

    Names decide first: folders are splits if two are named after different ones, such as train and
    test, and hold class folders. Without such names the structure decides: all folders have the
    same sub-folders and no photos of their own, as if the same classes were photographed several
    times. Sub-folders that are named after cameras or views, or that are fewer than the folders,
    probably divide the photos of a class; see ``same_subfolders``.

    Args:
        image_dir: what was listed.
        paths: its photos, relative to it.

    Raises:
        DataError: names what is meant, and how to go on all the same.
    """
    tops = _tops(paths)
    while len(tops) == 1 and all(top.is_nested for top in tops.values()):  # such as images/train
        (name,) = tops
        image_dir /= name
        paths = [path.partition("/")[2] for path in paths if path.startswith(f"{name}/")]
        tops = _tops(paths)
    sides = {name: side for name in sorted(tops) if (side := _side_of(name))}
    if _are_sides(tops, sides):
        raise DataError(_split_message(image_dir, tops, sides))
    if _are_sessions(tops):
        raise DataError(_sessions_message(image_dir, tops))


def same_subfolders(paths: Iterable[str]) -> list[Problem]:
    """Returns the advice for classes that all have the same sub-folders."""
    tops = _tops(paths)
    if not _are_alike(tops):
        return []
    message = (
        f"All {len(tops)} folders have the same sub-folders, {some(sorted(_inside(tops)))}, which "
        "are taken for photos of the class. If they are the classes themselves, put them first: "
        f"{_turned(tops)}."
    )
    return [Problem("same_subfolders", message, tuple(sorted(tops)))]


def _side_of(name: str) -> str:
    """Returns the split that a folder is named after, "" if none.

    Numbers and words such as "images" may go with it, as in ``train_images`` and ``val2017``.
    """
    words = _words(name) - _FILLERS
    return next((side for side, known in _SIDES.items() if len(words) == 1 and words <= known), "")


def _are_sides(tops: Mapping[str, _Top], sides: Mapping[str, str]) -> bool:
    if len(set(sides.values())) > 1:
        return len(sides) == len(tops) or any(tops[name].is_nested for name in sides)
    # One side and folders beside it, such as meta, that hold fewer photos' folders than it does.
    others = [top for name, top in tops.items() if name not in sides]
    return len(sides) == 1 and all(
        tops[name].is_nested
        and not any(other.is_nested for other in others)
        and len(tops[name].inside) > max(1, len(others))
        for name in sides
    )


def _are_sessions(tops: Mapping[str, _Top]) -> bool:
    inside = _inside(tops)
    if len(tops) > 1 and all(map(_is_occasion, tops)):
        # A class may be missing in one of them.
        return len(inside) > 1 and all(
            top.is_nested and 2 * len(top.inside) >= len(inside) for top in tops.values()
        )
    are_views = all(_VIEWS & _words(name) or _side_of(name) for name in inside)
    return _are_alike(tops) and len(inside) >= len(tops) and not are_views


def _are_alike(tops: Mapping[str, _Top]) -> bool:
    """Returns whether all folders have the same sub-folders, two or more, and no photos besides."""
    inside = _inside(tops)
    return (
        len(tops) > 1
        and len(inside) > 1
        and all(top.is_nested and top.inside == inside for top in tops.values())
    )


def _inside(tops: Mapping[str, _Top]) -> set[str]:
    return set().union(*(top.inside for top in tops.values()))


def _is_occasion(name: str) -> bool:
    return bool(_DATE.search(name) or _OCCASIONS & _words(name))


def _tops(paths: Iterable[str]) -> dict[str, _Top]:
    tops: dict[str, _Top] = defaultdict(_Top)
    for path in paths:
        first, _, rest = path.partition("/")
        second, _, third = rest.partition("/")
        if third:
            tops[first].inside.add(second)
        elif rest:
            tops[first].num_own += 1
    return dict(tops)


def _words(name: str) -> set[str]:
    return {word.lower() for word in _WORDS.findall(name)}


def _named(names: Sequence[str], *, limit: int = 4) -> str:
    shown = [f"{name}/" for name in names[:limit]]
    if len(names) > limit:
        shown.append(f"{len(names) - limit} more")
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))


def _turned(tops: Mapping[str, _Top]) -> str:
    return f"{min(_inside(tops))}/{min(tops)}/"


def _sessions_message(image_dir: Path, tops: Mapping[str, _Top]) -> str:
    return (
        f"{image_dir} holds {_named(sorted(tops))}, which have the same sub-folders, such as "
        f"{some(sorted(_inside(tops)), limit=3)}, and no photos of their own. If the sub-folders "
        f"are the classes, put them first: {_turned(tops)}. {_ANYWAY}"
    )


def _split_message(image_dir: Path, tops: Mapping[str, _Top], sides: Mapping[str, str]) -> str:
    found = f"{image_dir} holds {_named(list(sides))}"
    found += ", splits of a data set" if len(sides) > 1 else ", a split of a data set"
    nested = [name for name in sides if tops[name].is_nested]
    if not nested:
        return f"{found}, with no class folders inside. Expected one folder a class. {_ANYWAY}"
    inside = some(sorted(tops[nested[0]].inside), limit=3)
    training = next((name for name in nested if sides[name] == "training"), nested[0])
    lines = [
        f"{found}, with the classes inside, such as {inside}. Train on one and measure on another:",
        f"  bricksight train {shlex.quote(str(image_dir / training))}",
    ]
    others = [name for name in nested if name != training]
    others.sort(key=lambda name: sides[name] != "test")
    if others:
        measured = shlex.quote(str(image_dir / others[0]))
        lines.append(f"  bricksight evaluate MODEL {measured}")
    return "\n".join([*lines, f"  {_ANYWAY}"])

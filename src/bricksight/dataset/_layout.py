"""Detect folders that are splits (train, test) or photo sessions instead of classes."""

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

_SPLIT_NAMES = {
    "training": {"train", "training", "trn", "trainset", "trainingset"},
    "validation": {"val", "valid", "validation", "dev", "valset", "devset", "validationset"},
    "test": {"test", "testing", "tst", "eval", "evaluation", "holdout", "testset"},
}
"""Split → names that data sets give its folder."""

_IGNORED_WORDS = {"image", "images", "img", "imgs", "photo", "photos", "pictures", "data", "set"}

_SESSION_WORDS = {
    *("fold", "split", "part", "session", "run", "batch", "day", "week", "shoot", "round", "take"),
    *("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
    *("mon", "tue", "wed", "thu", "fri", "sat", "sun"),
}
_DATE = re.compile(r"(19|20)\d\d([-_.]?)[01]\d\2[0-3]\d")

_CAMERA_WORDS = {
    *("front", "back", "rear", "left", "right", "top", "bottom", "side", "above", "below"),
    *("cam", "camera", "view", "angle", "pose"),
}

_OVERRIDE_HINT = "If these folders are your classes, add --layout classes."


@dataclass
class _TopFolder:
    """A folder directly below ``image_dir``.

    Attributes:
        num_photos: Photos directly in it.
        subfolders: Names of its sub-folders that have photos.
    """

    num_photos: int = 0
    subfolders: set[str] = field(default_factory=set)

    @property
    def is_nested(self) -> bool:
        return not self.num_photos and bool(self.subfolders)


_TopFolders = Mapping[str, _TopFolder]
"""Name → folder."""


def require_class_folders(image_dir: Path, paths: Sequence[str]) -> None:
    """Raise an error if the folders look like splits or sessions that contain the class folders.

    Folders are taken for splits if two of them are named after different splits, such as train and
    test, and contain class folders. Otherwise the structure decides. Folders are taken for sessions
    if all have the same sub-folders and no photos of their own. There are two exceptions, in which
    the sub-folders probably divide the photos of a class (see ``same_subfolders``): they are named
    after cameras, or there are fewer sub-folders than folders.

    Args:
        image_dir: Folder that was listed.
        paths: Its photos, relative to it.

    Raises:
        DataError: The folders look like splits or sessions. The message names the class folders
            and the option that keeps the folders as classes.
    """
    folders = _top_folders(paths)
    while len(folders) == 1 and all(folder.is_nested for folder in folders.values()):
        # A single folder around the others, as in images/train and images/test.
        (name,) = folders
        image_dir /= name
        paths = [path.partition("/")[2] for path in paths if path.startswith(f"{name}/")]
        folders = _top_folders(paths)
    split_of = {name: split for name in sorted(folders) if (split := _split_named_by(name))}
    if _look_like_splits(folders, split_of):
        raise DataError(_split_message(image_dir, folders, split_of))
    if _look_like_sessions(folders):
        raise DataError(_sessions_message(image_dir, folders))


def same_subfolders(paths: Iterable[str]) -> list[Problem]:
    """Return a "same_subfolders" problem if all classes have the same sub-folders."""
    folders = _top_folders(paths)
    if not _have_same_subfolders(folders):
        return []
    message = (
        f"All {len(folders)} class folders have the same sub-folders: "
        f"{some(sorted(_all_subfolders(folders)))}. They are used as photos of the class that "
        "contains them. If the sub-folders are your classes, swap the two levels: "
        f"{_swapped_path(folders)}."
    )
    return [Problem("same_subfolders", message, tuple(sorted(folders)))]


def _split_named_by(name: str) -> str:
    """Return the split that a folder is named after, "" if none.

    The name may also contain digits and words such as "images": ``train_images``, ``val2017``.
    """
    words = _words(name) - _IGNORED_WORDS
    return next(
        (split for split, known in _SPLIT_NAMES.items() if len(words) == 1 and words <= known), ""
    )


def _look_like_splits(folders: _TopFolders, split_of: Mapping[str, str]) -> bool:
    if len(set(split_of.values())) > 1:
        return len(split_of) == len(folders) or any(folders[name].is_nested for name in split_of)
    # One split folder, and beside it only folders without class folders, such as "meta". A split
    # has more class folders than there are such folders; a class called "train" has not.
    others = [folder for name, folder in folders.items() if name not in split_of]
    return len(split_of) == 1 and all(
        folders[name].is_nested
        and not any(other.is_nested for other in others)
        and len(folders[name].subfolders) > max(1, len(others))
        for name in split_of
    )


def _look_like_sessions(folders: _TopFolders) -> bool:
    subfolders = _all_subfolders(folders)
    if len(folders) > 1 and all(map(_names_session, folders)):
        # A class may be missing in a session, so half of the sub-folders suffice.
        return len(subfolders) > 1 and all(
            folder.is_nested and 2 * len(folder.subfolders) >= len(subfolders)
            for folder in folders.values()
        )
    name_cameras = all(_CAMERA_WORDS & _words(name) or _split_named_by(name) for name in subfolders)
    return _have_same_subfolders(folders) and len(subfolders) >= len(folders) and not name_cameras


def _have_same_subfolders(folders: _TopFolders) -> bool:
    """Return whether all folders have the same sub-folders, at least two, and no other photos."""
    subfolders = _all_subfolders(folders)
    return (
        len(folders) > 1
        and len(subfolders) > 1
        and all(folder.is_nested and folder.subfolders == subfolders for folder in folders.values())
    )


def _all_subfolders(folders: _TopFolders) -> set[str]:
    return set().union(*(folder.subfolders for folder in folders.values()))


def _names_session(name: str) -> bool:
    return bool(_DATE.search(name) or _SESSION_WORDS & _words(name))


def _top_folders(paths: Iterable[str]) -> dict[str, _TopFolder]:
    folders: dict[str, _TopFolder] = defaultdict(_TopFolder)
    for path in paths:
        first, _, rest = path.partition("/")
        second, _, third = rest.partition("/")
        if third:
            folders[first].subfolders.add(second)
        elif rest:
            folders[first].num_photos += 1
    return dict(folders)


def _words(name: str) -> set[str]:
    return {word.lower() for word in _WORDS.findall(name)}


def _list_folders(names: Sequence[str], *, limit: int = 4) -> str:
    shown = [f"{name}/" for name in names[:limit]]
    if len(names) > limit:
        shown.append(f"{len(names) - limit} more")
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))


def _swapped_path(folders: _TopFolders) -> str:
    return f"{min(_all_subfolders(folders))}/{min(folders)}/"


def _sessions_message(image_dir: Path, folders: _TopFolders) -> str:
    return (
        f"{image_dir} holds {_list_folders(sorted(folders))}, which have the same sub-folders, "
        f"such as {some(sorted(_all_subfolders(folders)), limit=3)}, and no photos of their own. "
        "Expected one folder per class. If the sub-folders are your classes, swap the two levels: "
        f"{_swapped_path(folders)}. {_OVERRIDE_HINT}"
    )


def _split_message(image_dir: Path, folders: _TopFolders, split_of: Mapping[str, str]) -> str:
    found = f"{image_dir} holds {_list_folders(list(split_of))}"
    found += ", splits of a data set" if len(split_of) > 1 else ", a split of a data set"
    nested = [name for name in split_of if folders[name].is_nested]
    if not nested:
        return f"{found}, without class folders. Expected one folder per class. {_OVERRIDE_HINT}"
    subfolders = some(sorted(folders[nested[0]].subfolders), limit=3)
    training = next((name for name in nested if split_of[name] == "training"), nested[0])
    others = sorted(
        (name for name in nested if name != training), key=lambda name: split_of[name] != "test"
    )
    action = "Train on one split and evaluate on another" if others else "Train on this split"
    lines = [
        f"{found}, with class folders inside, such as {subfolders}. {action}:",
        f"  bricksight train {shlex.quote(str(image_dir / training))}",
    ]
    if others:
        test_folder = shlex.quote(str(image_dir / others[0]))
        lines.append(f"  bricksight evaluate MODEL {test_folder}")
    return "\n".join([*lines, f"  {_OVERRIDE_HINT}"])

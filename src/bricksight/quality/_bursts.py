"""Photos that were taken one right after the other, and so probably show one object."""

import datetime
import itertools
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from bricksight._support.text import pluralize
from bricksight._support.threads import num_cores, thread_map
from bricksight.config import SplitConfig
from bricksight.dataset import Example, Problem
from bricksight.images.reading.decoding import read_exif

_SECONDS = 2
_MIN_SHARE = 0.5
_SAMPLE = 40
_EXIF, _TAKEN = 0x8769, 0x9003  # the Exif directory, and DateTimeOriginal in it


def bursts(examples: Sequence[Example], split: SplitConfig) -> list[Problem]:
    """Return a warning where most photos were taken within seconds of another of their class.

    Args:
        examples: the photos; where a few dozen of them have no time, the others are not opened.
        split: says whether groups are given; then nothing is to be said.
    """
    if split.group_by or not _have_times(examples):
        return []
    times: dict[str, list[tuple[float, Example]]] = defaultdict(list)
    with thread_map(taken_at, [one.path for one in examples], num_threads=num_cores()) as found:
        for example, taken in zip(examples, found, strict=True):
            if taken is not None:
                times[example.label].append((taken, example))
    close = [path for dated in times.values() for path in _close(dated)]
    if len(close) < _MIN_SHARE * len(examples):
        return []
    message = (
        f"{len(close):,} of {pluralize(len(examples), 'photo')} were taken within {_SECONDS} "
        "seconds of another of their class, so they probably show the same object. Where one is "
        "trained on and another tested on, the accuracy is too good. Begin the names of the "
        "photos of each object alike, such as object7_1.jpg, and keep them together: "
        "--group_by '^(.+)_[^_/]*$'"
    )
    return [Problem("bursts", message, tuple(close))]


def taken_at(path: Path) -> float | None:
    """Return when a photo was taken, in seconds, by its EXIF data; ``None`` where they are mute.

    Cameras do not agree on time zones; only differences mean something.
    """
    try:
        text = str(read_exif(path).get_ifd(_EXIF).get(_TAKEN, ""))
        taken = datetime.datetime.strptime(text[:19], "%Y:%m:%d %H:%M:%S")
        return taken.replace(tzinfo=datetime.timezone.utc).timestamp()
    except Exception:  # noqa: BLE001  (damaged EXIF data fail in many ways, and no time is no fault)
        return None


def _have_times(examples: Sequence[Example]) -> bool:
    sample = examples[:: max(1, len(examples) // _SAMPLE)]
    known = sum(taken_at(example.path) is not None for example in sample)
    return bool(examples) and known >= _MIN_SHARE * len(sample)


def _close(dated: Sequence[tuple[float, Example]]) -> list[str]:
    """Return the paths of photos with one of another group shortly before or after."""
    in_order = sorted(dated, key=lambda one: (one[0], one[1].relative_path))
    found = set()
    for (before, first), (after, second) in itertools.pairwise(in_order):
        if after - before <= _SECONDS and first.group != second.group:
            found |= {first.relative_path, second.relative_path}
    return sorted(found)

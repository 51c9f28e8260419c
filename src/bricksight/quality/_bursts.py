"""Detect bursts: photos taken within seconds of each other, which probably show one object."""

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
_SAMPLE_SIZE = 40
_EXIF, _TAKEN = 0x8769, 0x9003  # the Exif directory, and DateTimeOriginal in it


def bursts(examples: Sequence[Example], split: SplitConfig) -> list[Problem]:
    """Return a problem if most photos were taken within 2 seconds of another one of their class.

    Args:
        examples: The photos. If most of a sample of 40 have no time, the others are not opened.
        split: Settings of the split. With ``group_by``, no photo is opened and nothing is returned.
    """
    if split.group_by or not _have_times(examples):
        return []
    times: dict[str, list[tuple[float, Example]]] = defaultdict(list)
    with thread_map(taken_at, [one.path for one in examples], num_threads=num_cores()) as found:
        for example, taken in zip(examples, found, strict=True):
            if taken is not None:
                times[example.label].append((taken, example))
    in_bursts = [path for dated in times.values() for path in _in_bursts(dated)]
    if len(in_bursts) < _MIN_SHARE * len(examples):
        return []
    message = (
        f"{len(in_bursts):,} of {pluralize(len(examples), 'photo')} were taken within {_SECONDS} "
        "seconds of another one of their class, so they probably show the same object. If some of "
        "them are trained on and others tested on, the measured accuracy is too high. Rename the "
        "photos so that those of one object begin alike, such as object7_1.jpg, and keep them in "
        "one split: --group_by '^(.+)_[^_/]*$'"
    )
    return [Problem("bursts", message, tuple(in_bursts))]


def taken_at(path: Path) -> float | None:
    """Return when a photo was taken, in seconds, from its EXIF data; ``None`` if it has none.

    EXIF times have no time zone, so that only differences are meaningful.
    """
    try:
        text = str(read_exif(path).get_ifd(_EXIF).get(_TAKEN, ""))
        taken = datetime.datetime.strptime(text[:19], "%Y:%m:%d %H:%M:%S")
        return taken.replace(tzinfo=datetime.timezone.utc).timestamp()
    except Exception:  # noqa: BLE001  (damaged EXIF data fail in many ways; the time is optional)
        return None


def _have_times(examples: Sequence[Example]) -> bool:
    sample = examples[:: max(1, len(examples) // _SAMPLE_SIZE)]
    num_with_time = sum(taken_at(example.path) is not None for example in sample)
    return bool(examples) and num_with_time >= _MIN_SHARE * len(sample)


def _in_bursts(dated: Sequence[tuple[float, Example]]) -> list[str]:
    """Return the paths of photos that follow or precede one of another group within 2 seconds."""
    in_order = sorted(dated, key=lambda one: (one[0], one[1].relative_path))
    found = set()
    for (before, first), (after, second) in itertools.pairwise(in_order):
        if after - before <= _SECONDS and first.group != second.group:
            found |= {first.relative_path, second.relative_path}
    return sorted(found)

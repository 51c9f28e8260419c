"""photos.csv of a bundle: which photos the training used for what."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from bricksight._support.filesystem.csv_files import read_rows
from bricksight._support.untrusted.folders import stays_inside
from bricksight.config import SPLITS


@dataclass(frozen=True)
class Photo:
    """A line of photos.csv.

    Attributes:
        path: Below the folder of photos, with ``/`` between its parts.
        label: Its class.
        split: "training", "validation" or "test".
        sha256: Of its bytes.
    """

    path: str
    label: str
    split: str
    sha256: str


def read_photos(path: Path) -> tuple[Photo, ...]:
    """Return the lines of a photos.csv.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no such file, or names a photo outside the folder of photos.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return tuple(_photo(row) for row in read_rows(file))
    except csv.Error as error:
        raise ValueError(error) from error


def _photo(row: Mapping[str, str | None]) -> Photo:
    values = {one.name: row.get(one.name) for one in fields(Photo)}
    if values["split"] is None:  # bundles before 0.1.0
        old = row.get("bucket")
        values["split"] = "test" if old == "testing" else old
    missing = [name for name, value in values.items() if value is None]
    if missing:
        raise ValueError(f"a line has no {missing[0]}")
    photo = Photo(**{name: value or "" for name, value in values.items()})
    if photo.split not in SPLITS:
        raise ValueError(f"the split of {photo.path!r} is {photo.split!r}; {SPLITS} are known")
    if not stays_inside(photo.path):
        raise ValueError(f"the path {photo.path!r} leads out of the folder of photos")
    return photo

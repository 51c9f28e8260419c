"""photos.csv of a bundle: the photos of the data set, each with its label and split."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from bricksight._support.filesystem.csv_files import read_rows
from bricksight._support.untrusted.folders import stays_inside
from bricksight.config import SPLITS


@dataclass(frozen=True)
class Photo:
    """A row of photos.csv.

    Attributes:
        path: Path relative to the data set's folder, separated by ``/``.
        label: Class label.
        split: "training", "validation" or "test".
        sha256: SHA-256 of the file.
    """

    path: str
    label: str
    split: str
    sha256: str


def read_photos(path: Path) -> tuple[Photo, ...]:
    """Read the rows of a photos.csv.

    Raises:
        OSError: The file cannot be read.
        ValueError: A column is missing, a split is unknown, or a path leads out of the data set's
            folder.
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
        raise ValueError(f"a row has no value for {missing[0]!r}")
    photo = Photo(**{name: value or "" for name, value in values.items()})
    if photo.split not in SPLITS:
        raise ValueError(
            f"the split of {photo.path!r} is {photo.split!r}; expected {' or '.join(SPLITS)}"
        )
    if not stays_inside(photo.path):
        raise ValueError(
            f"the path {photo.path!r} leads out of the data set's folder; expected a relative "
            "path without '..'"
        )
    return photo

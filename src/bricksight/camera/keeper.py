"""Frames kept as photos in class folders, so that mistakes become training photos."""

import contextlib
import io
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
from PIL import Image

from bricksight._support.filesystem.places import try_folder
from bricksight.camera.observe import Observation, to_rgb
from bricksight.config import user_path
from bricksight.dataset import label_fault
from bricksight.errors import CameraError, ConfigError

_SAME_OBJECT_S = 10.0
_QUALITY = 95


class Keeper:
    """Saves the classified region of a frame as a JPEG in the folder of a class."""

    def __init__(self, save_dir: Path, *, label: str | None = None) -> None:
        """Save below ``save_dir``; folders are made when they are needed.

        Args:
            save_dir: one folder a class, as ``retrain --image_dir`` takes them.
            label: the class of everything that is saved by "s"; by default the one shown.

        Raises:
            ConfigError: photos in a folder of this name would not be of the class ``label``.
            OutputError: nothing can be written below ``save_dir``.
        """
        self.save_dir = save_dir = user_path(save_dir, "--save_dir")
        self.label = label
        if label is not None and (fault := label_fault(label, save_dir)):
            raise ConfigError(f"--save_label is {label!r}; it {fault}.")
        self._groups: dict[str, tuple[str, float]] = {}
        try_folder(save_dir)

    def press(self, key: str, seen: Observation) -> str | None:
        """Save the frame if ``key`` asks for it, and return what to tell the user.

        "s" saves under ``label``, or the label shown; "1" to "9" under the class of that rank.

        Raises:
            CameraError: the photo cannot be written.
        """
        label = self.label_for(key, seen)
        if label is None:
            return "unknown: press the number of its class" if key == "s" else None
        path = self.save(label, seen)
        return f"saved {path.parent.name}/{path.name}"

    def label_for(self, key: str, seen: Observation) -> str | None:
        """Return the class under which ``key`` saves, ``None`` if it does not."""
        if key == "s":
            return self.label or seen.answer.label
        ranks = {str(rank): one.label for rank, one in enumerate(seen.answer.predictions, 1)}
        return ranks.get(key)

    def save(self, label: str, seen: Observation, *, now: datetime | None = None) -> Path:
        """Return the new photo of the frame's region in the folder of ``label``.

        Photos of a class that follow each other within ten seconds show the same object. Their
        names begin alike up to ``_nohash_``, by which ``retrain`` keeps them on one side of the
        split.

        Raises:
            CameraError: the photo cannot be written.
        """
        now = now or datetime.now()
        group, last_s = self._groups.get(label, ("", float("-inf")))
        if not 0 <= now.timestamp() - last_s <= _SAME_OBJECT_S:
            group = f"camera-{now:%Y%m%d-%H%M%S}"
        self._groups[label] = group, now.timestamp()
        if fault := label_fault(label, self.save_dir):
            raise CameraError(
                f"The class {label!r} cannot be a folder's name: it {fault}. Name one: "
                "--save_label LABEL."
            )
        pixels = to_rgb(seen.region.crop(seen.frame.picture))
        stem = f"{group}_nohash_{now:%H%M%S}-{now.microsecond // 1000:03d}"
        return write_photo(self.save_dir / label, stem, pixels)


def write_photo(folder: Path, stem: str, pixels: np.ndarray) -> Path:
    """Write a JPEG of quality 95 without loss of colour resolution, and return its path.

    No file is overwritten: where ``stem`` is taken, a number follows it.

    Args:
        folder: made if need be.
        stem: file name without extension.
        pixels: uint8 (height, width, 3), RGB.

    Raises:
        CameraError: the file cannot be written.
    """
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "JPEG", quality=_QUALITY, subsampling=0)
    path, number = folder / f"{stem}.jpg", 1
    try:
        folder.mkdir(parents=True, exist_ok=True)
        while True:
            try:
                with path.open("xb") as file, _whole_or_absent(path):
                    file.write(content.getvalue())
                    file.flush()
                return path
            except FileExistsError:
                number += 1
                path = folder / f"{stem}-{number}.jpg"
    except OSError as error:
        raise CameraError(
            f"{path} cannot be written ({error.strerror or error}). Name another --save_dir."
        ) from error


@contextlib.contextmanager
def _whole_or_absent(path: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)  # half a photo would be trained on
        raise

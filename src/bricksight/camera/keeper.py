"""Save frames as photos in class folders, for example to correct mistakes by training."""

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
        """Save photos below ``save_dir``; class folders are created when needed.

        Args:
            save_dir: Folder with one sub-folder per class, as training expects it.
            label: Class under which the key "s" saves; the predicted class by default.

        Raises:
            ConfigError: ``label`` cannot be the name of a class folder.
            OutputError: ``save_dir`` cannot be written.
        """
        self.save_dir = save_dir = user_path(save_dir, "--save_dir")
        self.label = label
        if label is not None and (fault := label_fault(label, save_dir)):
            raise ConfigError(f"--save_label is {label!r}; it {fault}.")
        self._groups: dict[str, tuple[str, float]] = {}
        try_folder(save_dir)

    def press(self, key: str, observation: Observation) -> str | None:
        """Save the frame if ``key`` is a key for saving; returns a message for the user.

        "s" saves under ``label`` or the predicted class, "1" to "9" under the class of that rank.

        Raises:
            CameraError: The photo cannot be written.
        """
        label = self.label_for(key, observation)
        if label is None:
            return "answer is unknown: press a number to choose the class" if key == "s" else None
        path = self.save(label, observation)
        return f"saved {path.parent.name}/{path.name}"

    def label_for(self, key: str, observation: Observation) -> str | None:
        """Return the class under which ``key`` saves, ``None`` if it does not save."""
        if key == "s":
            return self.label or observation.answer.label
        ranks = {str(rank): one.label for rank, one in enumerate(observation.answer.predictions, 1)}
        return ranks.get(key)

    def save(self, label: str, observation: Observation, *, now: datetime | None = None) -> Path:
        """Save the classified region in the folder of ``label``; returns the path of the photo.

        Photos of a class within ten seconds are assumed to show the same object. Their names have
        the same part before ``_nohash_``, so training keeps them in one split.

        Raises:
            CameraError: The photo cannot be written.
        """
        now = now or datetime.now()
        group, last_s = self._groups.get(label, ("", float("-inf")))
        if not 0 <= now.timestamp() - last_s <= _SAME_OBJECT_S:
            group = f"camera-{now:%Y%m%d-%H%M%S}"
        self._groups[label] = group, now.timestamp()
        if fault := label_fault(label, self.save_dir):
            raise CameraError(
                f"The class {label!r} cannot be the name of a folder: it {fault}. Choose another "
                "name with --save_label."
            )
        pixels = to_rgb(observation.region.crop(observation.frame.picture))
        stem = f"{group}_nohash_{now:%H%M%S}-{now.microsecond // 1000:03d}"
        return write_photo(self.save_dir / label, stem, pixels)


def write_photo(folder: Path, stem: str, pixels: np.ndarray) -> Path:
    """Write a JPEG with quality 95 and no chroma subsampling; returns its path.

    Existing files are not overwritten: if the name is taken, a number is appended.

    Args:
        folder: Created if necessary.
        stem: File name without extension.
        pixels: uint8 (height, width, 3), RGB.

    Raises:
        CameraError: The file cannot be written.
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
        path.unlink(missing_ok=True)  # training would read an incomplete photo
        raise

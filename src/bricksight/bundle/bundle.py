"""A model folder that is opened, made, or added to."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bricksight._support.filesystem.files import atomic_write, sha256_of, writing
from bricksight._support.filesystem.places import is_empty, new_folder, waiting_for
from bricksight._support.text import json_text
from bricksight._support.untrusted.folders import recorded_with, require_recorded
from bricksight.bundle.manifest import (
    MANIFEST,
    PHOTOS,
    Manifest,
    manifest_content,
    manifest_from,
)
from bricksight.bundle.photos_csv import Photo, read_photos
from bricksight.config import AnyPath, input_path
from bricksight.errors import BundleError


@dataclass(frozen=True)
class Bundle:
    """A model folder that has been read.

    Attributes:
        path: The folder.
        manifest: What it says of itself.
    """

    path: Path
    manifest: Manifest

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, in the order of the outputs."""
        return self.manifest.labels

    def file(self, name: str) -> Path:
        """Return the path of one of its files after comparing it with its checksum.

        What belongs to a model file is compared too: OpenVINO's weights, the other files of a
        folder that as a whole is one model.

        Raises:
            BundleError: one is not there, or not the one that was written.
        """
        files = self.manifest.files
        if name not in files:
            there = ", ".join(sorted({file.partition("/")[0] for file in files}))
            raise BundleError(f"The bundle {self.path} holds no {name}. It holds {there}.")
        try:
            require_recorded(self.path, recorded_with(name, files), record=MANIFEST)
        except (OSError, ValueError) as error:
            raise BundleError(f"{error} Copy the bundle again, or train it again.") from error
        return self.path / name

    def trained_on(self) -> frozenset[str]:
        """Return the SHA-256 of the photos that took part in the training.

        Those by which a step or a threshold was chosen are among them. Bundles of earlier versions
        do not know, and give none.

        Raises:
            BundleError: the list is not the one that was written.
        """
        return frozenset(one.sha256 for one in self.photos() if one.split != "test")

    def photos(self) -> tuple[Photo, ...]:
        """Return the photos of the run; bundles of earlier versions do not know, and give none.

        Raises:
            BundleError: the list is not the one that was written.
        """
        if PHOTOS not in self.manifest.files:
            return ()
        path = self.file(PHOTOS)
        try:
            return read_photos(path)
        except (OSError, ValueError) as error:
            raise BundleError(
                f"{path} is damaged: {error}. Copy the bundle again, or train it again."
            ) from error


def bundle_around(path: Path) -> Path | None:
    """Return the bundle that a file lies in, ``None`` if it lies in none."""
    # Absolute, so that a file that is named from within its bundle finds it.
    return next(
        (folder for folder in path.absolute().parents if (folder / MANIFEST).is_file()), None
    )


def open_bundle(path: AnyPath) -> Bundle:
    """Return the bundle in the folder ``path``.

    Raises:
        BundleError: there is no bundle, it is damaged, or a newer version wrote it.
    """
    folder = input_path(path, "The bundle")
    manifest_path = folder / MANIFEST
    if not manifest_path.is_file():
        what = "is no bundle: it holds no " + MANIFEST if folder.is_dir() else "is not a folder"
        raise BundleError(
            f"{folder} {what}. A bundle is the folder that `bricksight retrain` prints last."
        )
    return Bundle(folder, manifest_from(manifest_content(manifest_path)))


def as_bundle(bundle: Bundle | AnyPath) -> Bundle:
    """Return a bundle that is open, or opens it; see ``open_bundle``."""
    return bundle if isinstance(bundle, Bundle) else open_bundle(bundle)


@contextmanager
def new_bundle(path: Path) -> Iterator[Path]:
    """Yield a temporary folder that becomes the bundle ``path`` when the block ends well.

    The place is taken and tried when the block begins; see ``new_folder``.

    Raises:
        BundleError: ``path`` exists already.
        OutputError: another run writes it, or it cannot be written.
    """
    with writing(path):
        if path.exists() and not (path.is_dir() and is_empty(path)):
            raise BundleError(
                f"{path} exists already. Name another folder with --out, or remove it first; "
                "bricksight overwrites no model."
            )
    with new_folder(path, last=MANIFEST) as folder:
        yield folder


def add_export(bundle: Bundle, path: Path, files: Sequence[Path], entry: dict[str, Any]) -> None:
    """Record a file that was written into an existing bundle, with checksums, in the manifest.

    Args:
        bundle: the bundle.
        path: the model file, or folder, below it; what was recorded of it before is dropped.
        files: all files that belong to it.
        entry: what ``Manifest.exports`` is to say of it.
    """
    root = bundle.path.resolve()
    name = path.resolve().relative_to(root).as_posix()
    manifest_path = bundle.path / MANIFEST
    added = {file.resolve().relative_to(root).as_posix(): sha256_of(file) for file in files}
    with waiting_for(manifest_path):
        # Read anew: others may have been added since the bundle was opened.
        content = manifest_content(manifest_path)
        content["exports"] = content.get("exports", {}) | {name: entry}
        kept = {
            file: digest
            for file, digest in content.get("files", {}).items()
            if not file.startswith(f"{name}/")
        }
        content["files"] = dict(sorted((kept | added).items()))
        with atomic_write(manifest_path) as part:
            part.write_text(json_text(content, indent=2) + "\n", encoding="utf-8")

"""Open or create a bundle, or add an exported file to it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bricksight._support.filesystem.files import atomic_write, sha256_of, writing
from bricksight._support.filesystem.places import is_empty, new_folder, waiting_for
from bricksight._support.reprs import short_repr
from bricksight._support.text import json_text, pluralize
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
    """An opened bundle.

    Attributes:
        path: The folder.
        manifest: The content of its manifest.json.
    """

    path: Path
    manifest: Manifest

    def __repr__(self) -> str:
        return short_repr(self, self.path.name, pluralize(len(self.labels), "class", "classes"))

    @property
    def labels(self) -> tuple[str, ...]:
        """The class labels, in the order of the model's outputs."""
        return self.manifest.labels

    def file(self, name: str) -> Path:
        """Return the path of a file of the bundle after verifying its checksum.

        Files that belong to the same model are verified too, such as OpenVINO's weights or the
        other files of a SavedModel.

        Raises:
            BundleError: A file is missing, or its checksum differs from the manifest.
        """
        files = self.manifest.files
        if name not in files:
            there = ", ".join(sorted({file.partition("/")[0] for file in files}))
            raise BundleError(f"The bundle {self.path} has no file {name}. It has {there}.")
        try:
            require_recorded(self.path, recorded_with(name, files), record=MANIFEST)
        except (OSError, ValueError) as error:
            raise BundleError(f"{error} Copy the bundle again, or train it again.") from error
        return self.path / name

    def trained_on(self) -> frozenset[str]:
        """Return the SHA-256 of the photos of the training and validation splits.

        Empty for bundles of earlier versions, which do not record their photos.

        Raises:
            BundleError: photos.csv is damaged, or its checksum differs from the manifest.
        """
        return frozenset(one.sha256 for one in self.photos() if one.split != "test")

    def photos(self) -> tuple[Photo, ...]:
        """Return the photos of the data set with label and split, from photos.csv.

        Empty for bundles of earlier versions, which do not record their photos.

        Raises:
            BundleError: photos.csv is damaged, or its checksum differs from the manifest.
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
    """Return the path of the bundle that contains a file, ``None`` if there is none."""
    # Absolute, because a relative path may be given from inside the bundle.
    return next(
        (folder for folder in path.absolute().parents if (folder / MANIFEST).is_file()), None
    )


def open_bundle(path: AnyPath) -> Bundle:
    """Open the bundle in the folder ``path``.

    Raises:
        BundleError: ``path`` is not a bundle, the manifest is damaged, or a newer version of
            bricksight wrote it.
    """
    folder = input_path(path, "The bundle")
    manifest_path = folder / MANIFEST
    if not manifest_path.is_file():
        what = f"is not a bundle: it has no {MANIFEST}" if folder.is_dir() else "is not a folder"
        raise BundleError(
            f"{folder} {what}. Give the folder that training wrote; its path is at the end of "
            "the output of training."
        )
    return Bundle(folder, manifest_from(manifest_content(manifest_path)))


def as_bundle(bundle: Bundle | AnyPath) -> Bundle:
    """Return the bundle itself, or open it if a path is given; see ``open_bundle``."""
    return bundle if isinstance(bundle, Bundle) else open_bundle(bundle)


@contextmanager
def new_bundle(path: Path) -> Iterator[Path]:
    """Yield a temporary folder that becomes the bundle ``path`` when the block succeeds.

    The path is reserved and tested for writing before the block runs; see ``new_folder``.

    Raises:
        BundleError: ``path`` exists already.
        OutputError: Another run is writing ``path``, or it cannot be written.
    """
    with writing(path):
        if path.exists() and not (path.is_dir() and is_empty(path)):
            raise BundleError(
                f"{path} exists already. Name another folder with --out, or remove it first; "
                "bricksight does not overwrite models."
            )
    with new_folder(path, last=MANIFEST) as folder:
        yield folder


def add_export(bundle: Bundle, path: Path, files: Sequence[Path], entry: dict[str, Any]) -> None:
    """Add an exported file to the manifest of an existing bundle.

    Args:
        bundle: The bundle.
        path: The exported file or folder, inside the bundle; it replaces an earlier entry.
        files: All files of the export, whose checksums are recorded.
        entry: The entry in ``Manifest.exports``.
    """
    root = bundle.path.resolve()
    name = path.resolve().relative_to(root).as_posix()
    manifest_path = bundle.path / MANIFEST
    added = {file.resolve().relative_to(root).as_posix(): sha256_of(file) for file in files}
    with waiting_for(manifest_path):
        # Read again: another process may have added an export since the bundle was opened.
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

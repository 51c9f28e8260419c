"""Export further files from a bundle; apart from the bundle, only photos are needed."""

import functools
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np

from bricksight._support.filesystem.files import sha256_of, writing
from bricksight._support.filesystem.places import is_empty, try_file, try_folder
from bricksight._support.filesystem.walk import photos_below
from bricksight._support.optional import require_installed
from bricksight._support.threads import num_cores, thread_map
from bricksight._support.untrusted.folders import is_inside
from bricksight.bundle import EXPORTS, Bundle, add_export, as_bundle
from bricksight.config import AnyPath, given_or_default, input_path, user_path
from bricksight.errors import ConfigError, ExportError, ImageError
from bricksight.formats._formats import (
    ExportedFile,
    Format,
    export,
    format_named,
    layers_of,
    require_choice,
)
from bricksight.formats.classifier import Classifier, load_classifier
from bricksight.formats.request import Choices, InputOutput, Request
from bricksight.formats.verification import ParityReference
from bricksight.images import load_input
from bricksight.predict import Predictor
from bricksight.predict._sidecar import (
    Sidecar,
    has_sidecar,
    read_sidecar,
    sidecar_path,
    write_sidecar,
)

MAX_PHOTOS = 200
"""Most photos used to verify a file, and most used to calibrate an int8 file."""

_SPLITS = ("test", "validation", "training")


class Exporter:
    """Exports several files from one bundle; photos and reference answers are computed once.

    Args:
        bundle: A bundle or its path; its LiteRT file gives the reference answers.
        photos_dir: Folder of photos, one sub-folder per class; the photos of the training by
            default.
        trust: Export a network even if it may access files, the network or other programs; see
            docs/reference/security.md.
    """

    def __init__(
        self,
        bundle: Bundle | AnyPath,
        *,
        photos_dir: AnyPath | None = None,
        trust: bool = False,
    ) -> None:
        self._bundle = bundle = as_bundle(bundle)
        require_installed("tensorflow", extra="train", feature="Exporting")
        self._trust = trust
        settings = bundle.manifest.settings
        # Earlier versions of bricksight named this section "retrain".
        named = settings.get("data", settings.get("retrain", {})).get("image_dir")
        self._is_named_here = photos_dir is not None
        self._photos_dir = Path(named) if named else None
        if photos_dir is not None:
            self._photos_dir = input_path(photos_dir, "--image_dir")

    def export(
        self,
        format_name: str,
        *,
        out: AnyPath | None = None,
        choices: Choices | None = None,
    ) -> ExportedFile:
        """Export a file and its JSON sidecar; see ``export_bundle``."""
        chosen = given_or_default(choices, Choices, "choices")
        path, before = self.require_place(format_name, out=out, choices=chosen)
        figures: dict[str, Any] = {}

        def describe(exported: ExportedFile, part: Path) -> None:
            figures.update(_figures(exported))
            write_sidecar(part, self._sidecar(exported, part, figures))

        def record(exported: ExportedFile) -> None:
            if is_inside(path, self._bundle.path):
                entry = {"format": format_name, "file": path.name, **figures}
                add_export(self._bundle, path, (*exported.files, sidecar_path(path)), entry)

        return export(
            self._classifier,
            format_name,
            path,
            self._request(format_name, chosen),
            written_before=before,
            describe=describe,
            record=record,
        )

    def require_place(
        self, format_name: str, *, out: AnyPath | None, choices: Choices
    ) -> tuple[Path, tuple[str, ...]]:
        """Check, before any work, that the output path can be written.

        Returns:
            The path and, if it is a folder, the names of the files of an earlier export in it.

        Raises:
            ConfigError: The path is a file where a folder is needed or the reverse, or holds files
                that export has not written.
            OutputError: The path cannot be written.
        """
        require_choice(format_name, choices.given())
        described = format_named(format_name)
        default = self._bundle.path / EXPORTS / _file_name(format_name, choices)
        path = (default if out is None else user_path(out, "--out")).absolute()
        is_folder = "." not in described.file_name
        with writing(path):
            before = self._require_free(path, described, is_folder=is_folder)
        for one in (path, *(path.with_suffix(suffix) for suffix in described.companions)):
            (try_folder if is_folder else try_file)(one)
        try_file(sidecar_path(path))
        return path, before

    def _require_free(self, path: Path, described: Format, *, is_folder: bool) -> tuple[str, ...]:
        """Refuse to replace files that export has not written.

        Returns the names of the files of an earlier export in the folder.
        """
        if not path.name or path == Path.cwd():
            kind = "folder" if is_folder else "file"
            raise ConfigError(
                f"--out {path} is the current or a top-level folder, which export does not "
                f"replace. Name a {kind} in it."
            )
        if path.exists() and path.is_dir() != is_folder:
            found, expected = ("file", "folder") if is_folder else ("folder", "file")
            raise ConfigError(
                f"--out {path} is a {found}; the format needs a {expected}. Name another."
            )
        if is_inside(path, self._bundle.path) and not is_inside(path, self._bundle.path / EXPORTS):
            raise ConfigError(
                f"--out {path} is inside the bundle. Name a path below "
                f"{self._bundle.path / EXPORTS}, or outside the bundle."
            )
        if has_sidecar(path):
            return _unchanged(path) if is_folder and path.is_dir() else ()
        if path.is_dir() and not is_empty(path):
            raise ConfigError(
                f"--out {path} is a folder with files that bricksight export has not written. "
                "Name another folder, or remove it first."
            )
        companions = (path.with_suffix(suffix) for suffix in described.companions)
        for one in (*(() if is_folder else (path,)), *companions, sidecar_path(path)):
            if os.path.lexists(one):
                raise ConfigError(
                    f"{one} exists already and was not written by bricksight export. Name "
                    "another --out, or remove it first."
                )
        return ()

    def _request(self, format_name: str, chosen: Choices) -> Request:
        described = format_named(format_name)
        default_io = cast(InputOutput, described.options.get("io", ("float32",))[0])
        return Request(
            reference=self._reference,
            calibration=lambda: self._calibration,
            precision=chosen.precision or described.precisions[0],
            batch=None if chosen.batch == "dynamic" else 1,
            layout=chosen.layout or "nchw",
            io=chosen.io or default_io,
            unknown_threshold=self._bundle.manifest.unknown_threshold,
            trust=self._trust,
        )

    def _sidecar(self, exported: ExportedFile, part: Path, agreement: Mapping[str, Any]) -> Sidecar:
        """Return the sidecar of an exported model while it is still at its temporary path."""
        manifest = self._bundle.manifest
        folder = part if part.is_dir() else part.parent
        written = (part.parent / file.relative_to(exported.path.parent) for file in exported.files)
        return Sidecar(
            labels=manifest.labels,
            input=manifest.input,
            unknown_threshold=manifest.unknown_threshold,
            format=exported.format,
            precision=exported.precision,
            layers=layers_of(self._classifier, exported.format),
            agreement=agreement,
            files={file.relative_to(folder).as_posix(): sha256_of(file) for file in written},
            origin={
                "bundle": self._bundle.path.resolve().name,
                "created": manifest.created,
                "backbone": dict(manifest.backbone),
            },
        )

    @functools.cached_property
    def _classifier(self) -> Classifier:
        return load_classifier(self._bundle, trust=self._trust)

    @functools.cached_property
    def _photos(self) -> dict[str, list[Path]]:
        """Split → paths of existing photos; photos of unknown split count as "test"."""
        folder = self._photos_dir
        found: dict[str, list[Path]] = {split: [] for split in _SPLITS}
        if folder is not None and folder.is_dir():
            for one in self._bundle.photos():
                if self._is_its_photo(path := folder / one.path, one.sha256):
                    found[one.split].append(path)
            if not any(found.values()) and (self._is_named_here or not self._bundle.photos()):
                found["test"], _ = photos_below(folder)
        if not any(found.values()):
            if self._is_named_here:
                where = f"--image_dir {folder} holds no photos"
            elif folder is None:
                where = f"the bundle {self._bundle.path} does not record a folder of photos"
            else:
                where = (
                    f"the bundle {self._bundle.path} was trained on {folder}, which no longer "
                    "holds its photos"
                )
            raise ExportError(
                f"Every exported file is verified on photos, but {where}. Name a folder of "
                "photos with --image_dir, one sub-folder per class."
            )
        return found

    def _is_its_photo(self, path: Path, sha256: str) -> bool:
        """Return whether ``path`` is a photo of the bundle's data set.

        A link that leads out of the folder is accepted only if the checksum matches.
        """
        folder = self._photos_dir
        if folder is None or not path.is_file():
            return False
        return is_inside(path, folder) or sha256_of(path) == sha256

    @functools.cached_property
    def _reference(self) -> ParityReference:
        photos: list[Path] = []
        for split in _SPLITS:
            photos += _spread(self._photos[split], MAX_PHOTOS - len(photos))
        rows = list(Predictor(self._bundle.path).probabilities_of(photos))
        readable = [
            (photo, row)
            for photo, row in zip(photos, rows, strict=True)
            if not isinstance(row, ImageError)
        ]
        if not readable:
            raise ExportError(
                f"None of the {len(photos)} photos below {self._photos_dir} can be read; for "
                f"example {photos[0]}: {rows[0]}. Name another folder with --image_dir."
            )
        photos = [photo for photo, _ in readable]
        return ParityReference(
            photos=photos,
            probabilities=np.stack([row for _, row in readable]),
            labels=self._bundle.labels,
            spec=self._bundle.manifest.input,
            truth=self._truth(photos),
        )

    def _truth(self, photos: Sequence[Path]) -> dict[int, int]:
        """Return row → class index of the photos that were not used for training."""
        if not self._bundle.photos():
            return {}
        trained_on = self._bundle.trained_on()
        index_of = {label: index for index, label in enumerate(self._bundle.labels)}
        return {
            row: index_of[photo.parent.name]
            for row, photo in enumerate(photos)
            if photo.parent.name in index_of and sha256_of(photo) not in trained_on
        }

    @functools.cached_property
    def _calibration(self) -> np.ndarray:
        """Calibration images, float32 (num_photos, height, width, 3) in [0, 1].

        Training photos are used where the split is known.
        """
        photos = self._photos["training"] or [
            photo for split in _SPLITS for photo in self._photos[split]
        ]
        spec = self._bundle.manifest.input

        def load(photo: Path) -> np.ndarray | None:
            try:
                return load_input(photo, spec)
            except ImageError:
                return None

        with thread_map(load, _spread(photos, MAX_PHOTOS), num_threads=num_cores()) as loaded:
            readable = [one for one in loaded if one is not None]
        return np.stack(readable) if readable else np.empty((0, spec.height, spec.width, 3), "f4")


def export_bundle(
    bundle: Bundle | AnyPath,
    format_name: str,
    *,
    out: AnyPath | None = None,
    photos_dir: AnyPath | None = None,
    choices: Choices | None = None,
    trust: bool = False,
) -> ExportedFile:
    """Export a bundle to a format and verify the file on up to 200 photos.

    The answers of the file are compared with those of the bundle's LiteRT file. A JSON sidecar,
    ``<file>.json``, with labels and preprocessing is written beside the file, so that ``Predictor``
    can load it alone. A file inside the bundle is also added to its manifest.

    Args:
        bundle: A bundle or its path.
        format_name: One of ``FORMATS``.
        out: The file or folder to write; by default in the bundle's folder ``exports``.
        photos_dir: Folder of photos, one sub-folder per class; the photos of the training by
            default.
        choices: Precision, batch size, layout and input type.
        trust: Export a network even if it may access files, the network or other programs.

    Raises:
        UntrustedModelError: The network may access these, and ``trust`` is not set.
        ConfigError: The format is unknown, or does not support an option.
        ExportError: There are no photos, or the verification failed; the file is removed.
        OutputError: The file cannot be written, or another run is writing it.
        MissingPackageError: A package that writes or runs the format is not installed.
    """
    exporter = Exporter(bundle, photos_dir=photos_dir, trust=trust)
    return exporter.export(format_name, out=out, choices=choices)


def _unchanged(folder: Path) -> tuple[str, ...]:
    """Return the names of the files that an earlier export has written into a folder.

    Raises:
        ConfigError: One of them has been changed since, perhaps by the user.
    """
    files = read_sidecar(folder).files
    for name, digest in files.items():
        if digest and (folder / name).is_file() and sha256_of(folder / name) != digest:
            raise ConfigError(
                f"{folder / name} has been changed since bricksight export wrote it, and would be "
                "replaced. Move it, or name another --out."
            )
    return tuple(files)


def _figures(exported: ExportedFile) -> dict[str, Any]:
    return {
        "precision": exported.precision,
        "size_bytes": exported.size_bytes,
        "inference_ms": round(exported.inference_ms, 3),
        **asdict(exported.agreement),
        "accuracy": exported.accuracy and asdict(exported.accuracy),
    }


def _file_name(format_name: str, chosen: Choices) -> str:
    """Return the default file name with its non-default options: "model-int8-uint8.tflite"."""
    described = format_named(format_name)
    defaults: dict[str, str] = {"precision": described.precisions[0]}
    defaults |= {name: values[0] for name, values in described.options.items()}
    parts = [
        # "dynamic" alone is a precision.
        f"{value}-batch" if name == "batch" else value
        for name, value in chosen.given().items()
        if value != defaults[name]
    ]
    name = Path(described.file_name)
    return "-".join([name.stem, *parts]) + name.suffix


def _spread(photos: Sequence[Path], count: int) -> list[Path]:
    """Return at most ``count`` photos, evenly spaced over the list and so over the classes."""
    rows: Iterable[int] = np.unique(
        np.linspace(0, len(photos) - 1, min(count, len(photos))).astype(int)
    )
    return [photos[row] for row in rows]

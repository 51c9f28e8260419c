"""From a bundle to further files: nothing of what it was trained with is needed but photos."""

import functools
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, cast

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
from bricksight.formats.request import InputOutput, Layout, Precision, Request
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
"""As many prove a file, and as many give an int8 file its ranges."""

_SPLITS = ("test", "validation", "training")


@dataclass(frozen=True, kw_only=True)
class Choices:
    """How a file is to be written; ``None`` is what the format does by itself.

    Attributes:
        precision: Of the weights, and with "int8" of all arithmetic.
        batch: Photos that the file takes at a time.
        layout: Order of the input's dimensions.
        io: Type of input and output.
    """

    precision: Precision | None = None
    batch: Literal["1", "dynamic"] | None = None
    layout: Layout | None = None
    io: InputOutput | None = None

    def given(self) -> dict[str, str]:
        """Return what was chosen."""
        return {name: value for name, value in asdict(self).items() if value is not None}


class Exporter:
    """Writes files from one bundle; photos and the reference's answers are shared by all of them.

    Args:
        bundle: What ``retrain`` wrote, or its path; its LiteRT file gives the reference.
        photos_dir: Photos, one sub-folder a class; by default those of the training.
        trust: Write a network even if it may access files, the network or other programs; see
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
        # Bundles of before the settings had sections called this one "retrain".
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
        """Write a file with its description beside it; see ``export_bundle``."""
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
        """Try, before any work, the place of a file.

        Returns:
            The place, and what an earlier export has written into it if it is a folder.

        Raises:
            ConfigError: the place is of another kind, or holds what export has not written.
            OutputError: it cannot be written.
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
        """Refuse what would take the place of something that export has not written.

        Returns what an earlier export has written into the folder.
        """
        if not path.name or path == Path.cwd():
            kind = "folder" if is_folder else "file"
            raise ConfigError(f"--out {path} cannot be replaced. Name a {kind} in it.")
        if path.exists() and path.is_dir() != is_folder:
            found, expected = ("file", "folder") if is_folder else ("folder", "file")
            raise ConfigError(
                f"--out {path} is a {found}; the format needs a {expected}. Name another."
            )
        if is_inside(path, self._bundle.path) and not is_inside(path, self._bundle.path / EXPORTS):
            raise ConfigError(
                f"--out {path} lies among the bundle's own files. Name a place below "
                f"{self._bundle.path / EXPORTS}, or outside the bundle."
            )
        if has_sidecar(path):
            return _unchanged(path) if is_folder and path.is_dir() else ()
        if path.is_dir() and not is_empty(path):
            raise ConfigError(
                f"--out {path} is a folder that is not empty, and not one that bricksight export "
                "has written. Name another, or remove it first."
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
            proof=self._proof,
            calibration=lambda: self._calibration,
            precision=chosen.precision or described.precisions[0],
            batch=None if chosen.batch == "dynamic" else 1,
            layout=chosen.layout or "nchw",
            io=chosen.io or default_io,
            unknown_threshold=self._bundle.manifest.unknown_threshold,
            trust=self._trust,
        )

    def _sidecar(self, exported: ExportedFile, part: Path, agreement: Mapping[str, Any]) -> Sidecar:
        """Return the description of a model that still lies at ``part``."""
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
                "module": dict(manifest.module),
            },
        )

    @functools.cached_property
    def _classifier(self) -> Classifier:
        return load_classifier(self._bundle, trust=self._trust)

    @functools.cached_property
    def _photos(self) -> dict[str, list[Path]]:
        """Side of the split → photos that are there; photos of no known side are "test"."""
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
                where = f"--image_dir {folder} holds none"
            elif folder is None:
                where = f"the bundle {self._bundle.path} names no folder of them"
            else:
                where = (
                    f"the bundle {self._bundle.path} was trained on {folder}, where none of its "
                    "photos lies any more"
                )
            raise ExportError(
                f"A file is only handed out once it has been proved on photos, and there are none: "
                f"{where}. Name a folder of photos with --image_dir, one sub-folder a class."
            )
        return found

    def _is_its_photo(self, path: Path, sha256: str) -> bool:
        """Return whether a photo that the bundle names is there to be read.

        Where a link leads out of the folder, it has to be the very photo of the training.
        """
        folder = self._photos_dir
        if folder is None or not path.is_file():
            return False
        return is_inside(path, folder) or sha256_of(path) == sha256

    @functools.cached_property
    def _proof(self) -> ParityReference:
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
                f"None of the {len(photos)} photos below {self._photos_dir} can be read; "
                f"{photos[0]}: {rows[0]} Name others with --image_dir."
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
        """Return the labels of those photos that the training is known not to have seen."""
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
        """Float32 (num_photos, height, width, 3) in [0, 1]; of training photos where known."""
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
    """Write one further file from a bundle, proved on up to 200 photos against its LiteRT file.

    Beside it lies its description, ``<file>.json``, by which a ``Predictor`` knows its labels. A
    file within the bundle is also recorded in its manifest.

    Args:
        bundle: what ``retrain`` wrote, or its path.
        format_name: one of ``FORMATS``.
        out: the file, or folder, to write; by default one in the bundle's folder ``exports``.
        photos_dir: photos, one sub-folder a class; by default those of the training.
        choices: precision and the like.
        trust: write a network even if it may access files, the network or other programs.

    Raises:
        UntrustedModelError: it may, and ``trust`` is not given.
        ConfigError: there is no such format, or it is not to be had as chosen.
        ExportError: there are no photos, or the file gives other answers; nothing is left of it.
        OutputError: the file cannot be written, or another run writes it.
        MissingPackageError: what writes or runs the format is not installed.
    """
    exporter = Exporter(bundle, photos_dir=photos_dir, trust=trust)
    return exporter.export(format_name, out=out, choices=choices)


def _unchanged(folder: Path) -> tuple[str, ...]:
    """Return what an earlier export has written into a folder.

    Raises:
        ConfigError: some of it is not as it was written: it may be the user's own work by now.
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
    """Return such as "model-int8-uint8.tflite"; what is the default is not named."""
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
    """Return at most ``count`` of them, from all classes alike."""
    rows: Iterable[int] = np.unique(
        np.linspace(0, len(photos) - 1, min(count, len(photos))).astype(int)
    )
    return [photos[row] for row in rows]

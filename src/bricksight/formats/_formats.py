"""The table of formats, and the one way through which every file is written."""

import gc
import importlib
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bricksight._support.filesystem.files import under_its_own_name, writing
from bricksight._support.filesystem.places import claimed, moved
from bricksight._support.optional import require_installed
from bricksight._support.reprs import short_repr
from bricksight._support.text import percent, pluralize
from bricksight.errors import ConfigError, ExportError, OutputError
from bricksight.formats.classifier import Classifier
from bricksight.formats.request import Precision, Request
from bricksight.formats.verification import Accuracy, Parity, measured

_BATCH = ("1", "dynamic")
_WRITING_ONNX = {"onnx": "onnx", "tf2onnx": "onnx"}
_PROVING_ONNX = {**_WRITING_ONNX, "onnxruntime": "onnx"}

TOLERANCES: Mapping[Precision, float] = {"float32": 1e-4, "float16": 5e-3}
"""Largest difference of a probability that is let through. Of 8-bit files see below."""

LEAST_AGREEMENT = 0.7
"""Share of the photos that an 8-bit file must answer as the reference does. On hard photos
of 54 classes good files reached 0.89 to 0.95, those without bias correction 0.74 to 0.80, a broken
one 0.03."""


@dataclass(frozen=True, kw_only=True)
class Format:
    """What export can write.

    Attributes:
        writer: ``module:function``, imported on use; it takes classifier, path and request.
        runtime: Which runtime proves the file.
        file_name: Of the file in a bundle's folder of exports.
        precisions: What weights may be, the default first.
        options: What else may be chosen: name → values, the default first.
        companions: Suffixes of the files that are written beside the one.
        proved: The file in the folder, where it is a folder, that is run.
        also: ``module:function`` that checks what the runtime does not use of the file.
        packages: What has to be installed beyond plain dependencies → the extra that installs it.
    """

    writer: str
    runtime: str
    file_name: str
    precisions: tuple[Precision, ...] = ("float32",)
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    companions: tuple[str, ...] = ()
    proved: str = ""
    also: str | None = None
    packages: Mapping[str, str | None] = field(default_factory=dict)


FORMATS = {
    "frozen_graph": Format(
        writer="bricksight.formats.frozen_graph:write", runtime="tensorflow", file_name="model.pb"
    ),
    "saved_model": Format(
        writer="bricksight.formats.saved_model.saved_model:write",
        runtime="saved_model",
        file_name="saved_model",
        also="bricksight.formats.saved_model.signatures:require_signatures",
        options={"io": ("bytes", "float32")},
    ),
    "keras": Format(
        writer="bricksight.formats.keras:write",
        runtime="keras",
        file_name="model.keras",
        packages=_WRITING_ONNX,
    ),
    "tflite": Format(
        writer="bricksight.formats.tflite.tflite:write",
        runtime="litert",
        file_name="model.tflite",
        precisions=("float32", "float16", "dynamic", "int8"),
        options={"batch": _BATCH, "io": ("float32", "uint8", "int8")},
    ),
    "onnx": Format(
        writer="bricksight.formats.onnx.onnx:write",
        runtime="onnxruntime",
        file_name="model.onnx",
        options={"batch": _BATCH, "layout": ("nchw", "nhwc")},
        packages=_PROVING_ONNX,
    ),
    "openvino": Format(
        writer="bricksight.formats.openvino:write",
        runtime="openvino",
        file_name="model.xml",
        precisions=("float32", "float16", "int8"),
        options={"batch": _BATCH},
        companions=(".bin",),
        packages={"openvino": "openvino"},
    ),
    "jetson": Format(
        writer="bricksight.formats.jetson:write",
        runtime="onnxruntime",
        file_name="jetson",
        proved="model.onnx",
        packages=_PROVING_ONNX,
    ),
    "tfjs": Format(
        writer="bricksight.formats.tfjs:write",
        runtime="tfjs",
        file_name="tfjs",
        packages={"tensorflowjs": None},
    ),
}
"""Format name → how it is written and proved."""


@dataclass(frozen=True, kw_only=True)
class ExportedFile:
    """A file that was written and proved.

    Attributes:
        format: Of ``FORMATS``.
        path: The file, or the folder.
        precision: Of the weights.
        size_bytes: With the files that belong to it.
        files: The file and its companions, or what was written into the folder.
        agreement: How near it is to the reference.
        inference_ms: Of one photo; see ``Measured``.
        accuracy: On held-out photos, ``None`` where none of them has a known label.
    """

    format: str
    path: Path
    precision: Precision
    size_bytes: int
    files: tuple[Path, ...]
    agreement: Parity
    inference_ms: float
    accuracy: Accuracy | None = None

    def __repr__(self) -> str:
        agreement = f"top-1 agreement {percent(self.agreement.top1_agreement)}"
        size = f"{self.size_bytes / 1e6:,.1f} MB"
        return short_repr(self, self.path.name, self.format, size, agreement)

    def to_dict(self) -> dict[str, Any]:
        """Return the file and its verification as plain values, for JSON."""
        return {
            "format": self.format,
            "file": str(self.path),
            "precision": self.precision,
            "size_bytes": self.size_bytes,
            "inference_ms": round(self.inference_ms, 3),
            **asdict(self.agreement),
            "accuracy": self.accuracy and asdict(self.accuracy),
        }


def format_named(name: str) -> Format:
    """Return the format.

    Raises:
        ConfigError: there is no such format.
    """
    if not isinstance(name, str) or name not in FORMATS:
        raise ConfigError(
            f"--format is {name!r}; it must be one of {', '.join(FORMATS)}, several of them with "
            "commas between, or all."
        )
    return FORMATS[name]


def export(
    classifier: Classifier,
    format_name: str,
    path: Path,
    request: Request,
    *,
    written_before: Collection[str] = (),
    describe: Callable[[ExportedFile, Path], None] | None = None,
    record: Callable[[ExportedFile], None] | None = None,
) -> ExportedFile:
    """Write ``path`` and return how near it comes to the reference.

    An existing file is replaced, and only by one that has been proved. In an existing folder, only
    what an earlier export has written is replaced; where anything fails, all is as it was.

    Args:
        classifier: the network.
        format_name: of ``FORMATS``.
        path: the file, or the folder.
        request: how it is to be written.
        written_before: in an existing folder, what an earlier export has put there and what goes
            now; other files stay.
        describe: writes further files beside the file as it is before it gets its place.
        record: called when everything has its place, and before what was there is removed.

    Raises:
        ConfigError: there is no such format, or it is not to be had as requested.
        ExportError: the file gives other answers than the reference; nothing is left of it.
        OutputError: it cannot be written, another run writes it, or it would take the place of a
            file that export has not written.
    """
    described = format_named(format_name)
    require_choice(format_name, {"precision": request.precision})
    suffix = Path(described.file_name).suffix
    if path.suffix != suffix:
        raise ConfigError(
            f"{path} is to be a file of the format {format_name}; its name must end in {suffix}."
            if suffix
            else f"{path} is to be a folder of the format {format_name}, not a {path.suffix} file."
        )
    write: Callable[[Classifier, Path, Request], None] = _imported(described.writer)
    with claimed(path) as folder, under_its_own_name(path, folder):
        new, old = folder / "new", folder / "old"
        with writing(path):
            new.mkdir()
            old.mkdir()
            write(classifier, new / path.name, request)
            exported = _proved(new / path.name, path, classifier, described, request)
            if describe is not None:
                describe(exported, new / path.name)
        moves = _moves(new, path, written_before)
        with writing(path), moved(moves, aside=old):
            if record is not None:
                record(exported)
    gc.collect()  # TensorFlow's graphs hold each other in circles, as large as the network
    return exported


def _proved(
    part: Path, path: Path, classifier: Classifier, described: Format, request: Request
) -> ExportedFile:
    """Return what the file ``part`` will be as ``path``, once it gives the right answers."""
    name = next(name for name, one in FORMATS.items() if one is described)
    found = measured(
        part / described.proved,
        runtime=described.runtime,
        proof=request.proof,
        options=layers_of(classifier, name),
        trust=request.trust,
        also=None if described.also is None else _imported(described.also),
    )
    _require_agreement(name, request.precision, found.agreement)
    files = _files(part, described)
    return ExportedFile(
        format=name,
        path=path,
        precision=request.precision,
        size_bytes=sum(file.stat().st_size for file in files),
        files=tuple(path.parent / file.relative_to(part.parent) for file in files),
        agreement=found.agreement,
        accuracy=found.accuracy,
        inference_ms=found.inference_ms,
    )


def _imported(name: str) -> Any:
    """Return ``module:function``."""
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


def require_choice(format_name: str, chosen: Mapping[str, str]) -> None:
    """Refuse options, by name, that the format does not have, and values of them.

    Raises:
        ConfigError: there is no such format, or it does not have one of them.
    """
    described = format_named(format_name)
    options = {"precision": described.precisions, **described.options}
    for name, value in chosen.items():
        known = options.get(name, ())
        if value not in known:
            choice = f"it must be {' or '.join(known)}" if known else "it has no such choice"
            raise ConfigError(f"--{name} is {value!r} for the format {format_name}; {choice}.")


def require_packages(format_name: str) -> None:
    """Check, without loading them, that the packages are there which the format needs.

    Raises:
        ConfigError: there is no such format.
        MissingPackageError: one of them is not installed.
    """
    packages = format_named(format_name).packages
    require_installed("tensorflow", extra="train", feature="Exporting")
    for package, extra in packages.items():
        require_installed(package, extra=extra, feature=f"Writing the format {format_name}")


def layers_of(classifier: Classifier, format_name: str) -> dict[str, str]:
    """Return what has to be said of the nodes of such a file when it is opened."""
    if format_named(format_name).runtime != "tensorflow":
        return {}
    return {"input_layer": classifier.input_layer, "output_layer": classifier.output_layer}


def _require_agreement(format_name: str, precision: Precision, found: Parity) -> None:
    tolerance, photos = TOLERANCES.get(precision), pluralize(found.num_photos, "photo")
    if tolerance is not None and found.largest_difference > tolerance:
        raise ExportError(
            f"The {format_name} file gives other answers than the trained model: probabilities "
            f"differ by up to {found.largest_difference:.2g} on {photos}, "
            f"{tolerance:.2g} is allowed. It was not kept."
        )
    if tolerance is None and found.top1_agreement < LEAST_AGREEMENT:
        raise ExportError(
            f"The {format_name} file of precision {precision} gives another first answer than the "
            f"trained model on {1 - found.top1_agreement:.0%} of {photos}; "
            f"{1 - LEAST_AGREEMENT:.0%} is allowed. It was not kept. Choose another precision."
        )


def _moves(
    new: Path, path: Path, written_before: Collection[str]
) -> list[tuple[Path | None, Path]]:
    """Return what takes which place so that ``path`` is what was written into ``new``.

    Raises:
        OutputError: a file of another's is in the way.
    """
    beside = [one for one in sorted(new.iterdir()) if one.name != path.name]
    moves: list[tuple[Path | None, Path]] = [(one, path.with_name(one.name)) for one in beside]
    part = new / path.name
    if not path.is_dir():
        return [(part, path), *moves]
    files = {
        file.relative_to(part).as_posix(): file
        for file in sorted(part.rglob("*"))
        if file.is_file()
    }
    for name in files:
        if name not in written_before and os.path.lexists(path / name):
            raise OutputError(
                f"{path / name} was not written by bricksight export, which would replace it now. "
                "Move it, or name another --out."
            )
    gone = [(None, path / name) for name in written_before if name not in files]
    return [*gone, *((file, path / name) for name, file in files.items()), *moves]


def _files(path: Path, described: Format) -> tuple[Path, ...]:
    if path.is_dir():
        return tuple(file for file in sorted(path.rglob("*")) if file.is_file())
    return path, *(path.with_suffix(suffix) for suffix in described.companions)

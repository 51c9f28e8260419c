"""Table of export formats, and ``export``, which writes and verifies a file."""

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
from bricksight.formats.verification import Accuracy, Parity, verify_export

_BATCH = ("1", "dynamic")
_WRITING_ONNX = {"onnx": "onnx", "tf2onnx": "onnx"}
_VERIFYING_ONNX = {**_WRITING_ONNX, "onnxruntime": "onnx"}

TOLERANCES: Mapping[Precision, float] = {"float32": 1e-4, "float16": 5e-3}
"""Largest allowed difference of a probability, by precision; for 8-bit files see below."""

MIN_TOP1_AGREEMENT = 0.7
"""Fraction of photos on which an 8-bit file must give the same top-1 answer as the reference.

Measured on difficult photos of 54 classes: good files 0.89 to 0.95, files without bias correction
0.74 to 0.80, a broken file 0.03.
"""


@dataclass(frozen=True, kw_only=True)
class Format:
    """An export format.

    Attributes:
        writer: ``module:function``, imported on use; called with classifier, path and request.
        runtime: Runtime that verifies the file.
        file_name: Default name of the file or folder.
        precisions: Supported precisions, the default first.
        options: Further options: name → supported values, the default first.
        companions: Suffixes of further files that are written beside the file.
        verified_file: For a format that is a folder: the file in it that the runtime runs.
        extra_check: ``module:function`` that verifies what the runtime does not use.
        packages: Required packages beyond the dependencies → the extra that installs them.
    """

    writer: str
    runtime: str
    file_name: str
    precisions: tuple[Precision, ...] = ("float32",)
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    companions: tuple[str, ...] = ()
    verified_file: str = ""
    extra_check: str | None = None
    packages: Mapping[str, str | None] = field(default_factory=dict)


FORMATS = {
    "frozen_graph": Format(
        writer="bricksight.formats.frozen_graph:write", runtime="tensorflow", file_name="model.pb"
    ),
    "saved_model": Format(
        writer="bricksight.formats.saved_model.saved_model:write",
        runtime="saved_model",
        file_name="saved_model",
        extra_check="bricksight.formats.saved_model.signatures:require_signatures",
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
        packages=_VERIFYING_ONNX,
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
        verified_file="model.onnx",
        packages=_VERIFYING_ONNX,
    ),
    "tfjs": Format(
        writer="bricksight.formats.tfjs:write",
        runtime="tfjs",
        file_name="tfjs",
        packages={"tensorflowjs": None},
    ),
}
"""Name → format."""


@dataclass(frozen=True, kw_only=True)
class ExportedFile:
    """A file that was written and verified.

    Attributes:
        format: Name of the format in ``FORMATS``.
        path: The file or folder.
        precision: Precision of the weights.
        size_bytes: Total size of ``files``.
        files: The file and its companions, or all files of the folder.
        agreement: Comparison with the reference.
        inference_ms: Milliseconds per photo; see ``VerificationResult``.
        accuracy: Accuracy on held-out photos, ``None`` if none of them has a known label.
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
    """Return a format by its name.

    Raises:
        ConfigError: There is no such format.
    """
    if not isinstance(name, str) or name not in FORMATS:
        raise ConfigError(
            f"--format is {name!r}; it must be one or more of {', '.join(FORMATS)}, separated by "
            "commas, or all."
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
    """Write a file, verify it against the reference, and move it to ``path``.

    An existing file is replaced only after the new one is verified. In an existing folder, only
    files of an earlier export are replaced. If anything fails, nothing is changed.

    Args:
        classifier: The network.
        format_name: Name of a format in ``FORMATS``.
        path: The file or folder to write.
        request: Options, reference answers and calibration images.
        written_before: In an existing folder, the files of an earlier export, which are replaced
            or removed; other files stay.
        describe: Called with the result and the temporary path; may write further files beside it.
        record: Called when all files are in place; if it raises, they are moved back.

    Raises:
        ConfigError: The format is unknown or does not support an option, or ``path`` has the wrong
            suffix.
        ExportError: The verification failed; the file is removed.
        OutputError: The file cannot be written, another run is writing it, or a file is in the way
            that export has not written.
    """
    described = format_named(format_name)
    require_choice(format_name, {"precision": request.precision})
    _require_suffix(path, format_name)
    write: Callable[[Classifier, Path, Request], None] = _imported(described.writer)
    with claimed(path) as folder, under_its_own_name(path, folder):
        new, old = folder / "new", folder / "old"
        with writing(path):
            new.mkdir()
            old.mkdir()
            write(classifier, new / path.name, request)
            exported = _verify(new / path.name, path, classifier, described, request)
            if describe is not None:
                describe(exported, new / path.name)
        moves = _moves(new, path, written_before)
        with writing(path), moved(moves, aside=old):
            if record is not None:
                record(exported)
    gc.collect()  # TensorFlow's graphs are reference cycles as large as the network
    return exported


def _require_suffix(path: Path, format_name: str) -> None:
    suffix = Path(format_named(format_name).file_name).suffix
    if path.suffix != suffix:
        raise ConfigError(
            f"{path} does not end in {suffix}, the suffix of the format {format_name}. Rename it."
            if suffix
            else f"{path} ends in {path.suffix}, but the format {format_name} is a folder. Name a "
            "folder."
        )


def _verify(
    part: Path, path: Path, classifier: Classifier, described: Format, request: Request
) -> ExportedFile:
    """Verify the file at its temporary path ``part``; return it as it will be at ``path``."""
    name = next(name for name, one in FORMATS.items() if one is described)
    found = verify_export(
        part / described.verified_file,
        runtime=described.runtime,
        reference=request.reference,
        options=layers_of(classifier, name),
        trust=request.trust,
        extra_check=None if described.extra_check is None else _imported(described.extra_check),
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
    """Import and return ``module:function``."""
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


def require_choice(format_name: str, chosen: Mapping[str, str]) -> None:
    """Check that a format supports the given options (name → value).

    Raises:
        ConfigError: The format is unknown, or does not support an option or its value.
    """
    described = format_named(format_name)
    options = {"precision": described.precisions, **described.options}
    for name, value in chosen.items():
        known = options.get(name, ())
        if value not in known:
            choice = (
                f"it must be {' or '.join(known)}"
                if known
                else "the format does not have this option, so leave it out"
            )
            raise ConfigError(f"--{name} is {value!r} for the format {format_name}; {choice}.")


def require_packages(format_name: str) -> None:
    """Check that the packages of a format are installed, without importing them.

    Raises:
        ConfigError: The format is unknown.
        MissingPackageError: A package is not installed.
    """
    packages = format_named(format_name).packages
    require_installed("tensorflow", extra="train", feature="Exporting")
    for package, extra in packages.items():
        require_installed(package, extra=extra, feature=f"Writing the format {format_name}")


def layers_of(classifier: Classifier, format_name: str) -> dict[str, str]:
    """Return the names of input and output node, which only a frozen graph needs."""
    if format_named(format_name).runtime != "tensorflow":
        return {}
    return {"input_layer": classifier.input_layer, "output_layer": classifier.output_layer}


def _require_agreement(format_name: str, precision: Precision, found: Parity) -> None:
    tolerance, photos = TOLERANCES.get(precision), pluralize(found.num_photos, "photo")
    if tolerance is not None and found.largest_difference > tolerance:
        raise ExportError(
            f"The {format_name} file differs from the trained model: probabilities differ by up "
            f"to {found.largest_difference:.2g} on {photos}; {tolerance:.2g} is allowed. The file "
            "was not kept. Choose another format."
        )
    if tolerance is None and found.top1_agreement < MIN_TOP1_AGREEMENT:
        raise ExportError(
            f"The {format_name} file with precision {precision} gives a different top-1 answer "
            f"than the trained model on {1 - found.top1_agreement:.0%} of {photos}; "
            f"{1 - MIN_TOP1_AGREEMENT:.0%} is allowed. The file was not kept. "
            "Choose another precision."
        )


def _moves(
    new: Path, path: Path, written_before: Collection[str]
) -> list[tuple[Path | None, Path]]:
    """Return (source, destination) pairs that move the files in ``new`` to ``path``.

    Raises:
        OutputError: A file is in the way that export has not written.
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
                f"{path / name} exists and was not written by bricksight export. Move it, or name "
                "another --out."
            )
    gone = [(None, path / name) for name in written_before if name not in files]
    return [*gone, *((file, path / name) for name, file in files.items()), *moves]


def _files(path: Path, described: Format) -> tuple[Path, ...]:
    if path.is_dir():
        return tuple(file for file in sorted(path.rglob("*")) if file.is_file())
    return path, *(path.with_suffix(suffix) for suffix in described.companions)

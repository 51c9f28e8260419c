"""What a lone model file is: a JSON file beside it, ``model.onnx.json`` beside ``model.onnx``."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from bricksight._support.filesystem.files import atomic_write
from bricksight._support.text import json_text
from bricksight._support.untrusted.folders import MODEL_FOLDERS, require_recorded
from bricksight._support.untrusted.json_files import read_json
from bricksight._version import __version__
from bricksight.bundle import Bundle, bundle_around, open_bundle
from bricksight.bundle.schemas import SIDECAR
from bricksight.config import InputSpec
from bricksight.errors import BundleError
from bricksight.predict.runtimes import runtime_of


@dataclass(frozen=True, kw_only=True)
class Sidecar:
    """What is to be known of a model file before it can be used.

    Attributes:
        labels: In the order of the outputs.
        input: How photos are prepared.
        unknown_threshold: See ``bricksight.bundle.Manifest``.
        format: Of ``bricksight export``.
        precision: Of the weights, and with "int8" of all arithmetic.
        layers: The nodes of a frozen graph: ``input_layer``, ``output_layer``; else empty.
        agreement: How near the file's answers are to those of the bundle.
        origin: The bundle that it was made from.
        files: Name → SHA-256 of what was written: below the folder if the model is one, else beside
            the model file. Empty where earlier versions did not tell.
    """

    labels: tuple[str, ...]
    input: InputSpec
    unknown_threshold: float | None = None
    format: str = ""
    precision: str = "float32"
    layers: Mapping[str, str] = field(default_factory=dict)
    agreement: Mapping[str, Any] = field(default_factory=dict)
    origin: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)


def sidecar_path(path: Path) -> Path:
    """Returns where the description of the model file, or folder, ``path`` lies."""
    return path.with_name(f"{path.name}.json")


def is_described(path: Path) -> bool:
    """Whether export has described a model file, or folder, of this path; it may be gone since."""
    try:
        _read(sidecar_path(path))
    except BundleError:
        return False
    return True


def write_sidecar(path: Path, sidecar: Sidecar) -> None:
    """Describes the model file ``path``."""
    content = asdict(sidecar) | {"bricksight_version": __version__}
    with atomic_write(sidecar_path(path)) as part:
        part.write_text(json_text(content, indent=2) + "\n", encoding="utf-8")


def read_sidecar(path: Path) -> Sidecar:
    """Returns what the model file ``path`` is: by the file beside it, or by its bundle.

    Raises:
        BundleError: there is no model file, or nothing that describes it.
    """
    if not path.exists():
        raise BundleError(
            f"{path} does not exist. Name a bundle, the folder that `bricksight retrain` prints "
            "last, or a file that `bricksight export` wrote."
        )
    if not path.is_file() and not path.is_dir():
        raise BundleError(f"{path} is a pipe, a socket or a device; expected a model file.")
    beside = sidecar_path(path)
    if beside.is_file():
        return _read(beside)
    if (folder := bundle_around(path)) is not None:
        return of_bundle(open_bundle(folder), path.name)
    runtime_of(path)  # what is no model, such as a photo named first, needs no labels
    raise BundleError(
        f"Nothing tells the labels of {path}: there is no {beside.name} beside it, which "
        "bricksight export writes, and it lies in no bundle. Copy the two together, or export it "
        "again."
    )


def of_bundle(bundle: Bundle, name: str) -> Sidecar:
    """Returns what a bundle says of its file ``name``."""
    manifest = bundle.manifest
    return Sidecar(
        labels=manifest.labels,
        input=manifest.input,
        unknown_threshold=manifest.unknown_threshold,
        layers={"output_layer": manifest.output_layer} if name.endswith(".pb") else {},
    )


def require_as_written(path: Path, described: Sidecar) -> None:
    """Compares all files of the model ``path`` with the checksums that were written with them.

    They are in the file beside it, or else in the manifest of its bundle.

    Raises:
        BundleError: one of them is missing, or is not the one that was written.
    """
    try:
        if any(described.files.values()):
            folder = path if path.is_dir() else path.parent
            files = described.files if path.is_dir() else _renamed(described.files, path)
            require_recorded(folder, files, record=sidecar_path(path).name)
        elif (around := bundle_around(path)) is not None:
            _require_in_bundle(path, open_bundle(around))
    except (OSError, ValueError) as error:
        raise BundleError(f"{error} Copy the model again, or export it again.") from error


def _renamed(files: Mapping[str, str], path: Path) -> dict[str, str]:
    """Returns the checksums by the names of today: a model file may have been renamed."""
    found = {path.with_suffix(Path(name).suffix).name: digest for name, digest in files.items()}
    if path.name not in found:
        raise ValueError(f"{sidecar_path(path)} describes {', '.join(files)}, not {path.name}.")
    return found


def _require_in_bundle(path: Path, bundle: Bundle) -> None:
    file = path
    if path.is_dir():
        file = next(path / name for name in MODEL_FOLDERS if (path / name).is_file())
    name = file.absolute().relative_to(bundle.path.absolute()).as_posix()
    if name in bundle.manifest.files:  # else another program put it there
        bundle.file(name)


def _read(path: Path) -> Sidecar:
    try:
        content = SIDECAR(read_json(path), "")
    except (OSError, ValueError) as error:
        raise BundleError(
            f"{path} does not describe a model file: {error}. Export the file again."
        ) from error
    known = {one.name: content[one.name] for one in fields(Sidecar) if one.name in content}
    given = content["input"]
    spec = {one.name: given[one.name] for one in fields(InputSpec) if one.name in given}
    layers = {
        name: content["layers"][name]
        for name in ("input_layer", "output_layer")
        if name in content["layers"]
    }
    return Sidecar(**known | {"input": InputSpec(**spec), "layers": layers})

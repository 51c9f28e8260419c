"""The sidecar of an exported model: ``model.onnx.json`` beside ``model.onnx``."""

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
    """What is needed to use a model file: the content of its sidecar.

    Attributes:
        labels: The classes, in the order of the outputs.
        input: Size of the model's input, and how photos are resized to it.
        unknown_threshold: See ``bricksight.bundle.Manifest``.
        format: Format name, as in ``bricksight export --format``.
        precision: Precision of the weights; with "int8" also of the arithmetic.
        layers: ``input_layer`` and ``output_layer`` of a frozen graph, else empty.
        agreement: Result of the verification against the bundle.
        origin: The bundle that was exported.
        files: File name → SHA-256 of the exported files. Names are relative to the model if it is
            a folder, else to the folder of the model file. Empty in sidecars of earlier versions.
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
    """Return the path of the sidecar of a model file or folder."""
    return path.with_name(f"{path.name}.json")


def has_sidecar(path: Path) -> bool:
    """Return whether a valid sidecar exists for this path; the model itself may be missing."""
    try:
        _read(sidecar_path(path))
    except BundleError:
        return False
    return True


def write_sidecar(path: Path, sidecar: Sidecar) -> None:
    """Write the sidecar of the model ``path``."""
    content = asdict(sidecar) | {"bricksight_version": __version__}
    with atomic_write(sidecar_path(path)) as part:
        part.write_text(json_text(content, indent=2) + "\n", encoding="utf-8")


def read_sidecar(path: Path) -> Sidecar:
    """Return the description of the model ``path``, from its sidecar or from its bundle.

    Raises:
        BundleError: There is no such model, or neither a sidecar nor a bundle describes it.
    """
    if not path.exists():
        raise BundleError(
            f"{path} does not exist. Give a bundle, the folder that training printed last, or a "
            "file that `bricksight export` wrote."
        )
    if not path.is_file() and not path.is_dir():
        raise BundleError(f"{path} is a pipe, a socket or a device; expected a model file.")
    beside = sidecar_path(path)
    if beside.is_file():
        return _read(beside)
    if (folder := bundle_around(path)) is not None:
        return sidecar_of_bundle(open_bundle(folder), path.name)
    runtime_of(path)  # raises for other files, such as a photo given in place of the model
    raise BundleError(
        f"The labels of {path} are unknown. Expected {beside.name} beside it, which "
        "`bricksight export` writes, or a bundle around it. Copy both files, or export the model "
        "again."
    )


def sidecar_of_bundle(bundle: Bundle, name: str) -> Sidecar:
    """Return the description of the file ``name`` of a bundle."""
    manifest = bundle.manifest
    return Sidecar(
        labels=manifest.labels,
        input=manifest.input,
        unknown_threshold=manifest.unknown_threshold,
        layers={"output_layer": manifest.output_layer} if name.endswith(".pb") else {},
    )


def require_checksums(path: Path, described: Sidecar) -> None:
    """Compare the files of the model ``path`` with the checksums in its sidecar or bundle.

    Raises:
        BundleError: A file is missing, or its checksum differs.
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
    """Return the checksums by the current file names; the user may have renamed the model."""
    found = {path.with_suffix(Path(name).suffix).name: digest for name, digest in files.items()}
    if path.name not in found:
        raise ValueError(f"{sidecar_path(path)} describes {', '.join(files)}, not {path.name}.")
    return found


def _require_in_bundle(path: Path, bundle: Bundle) -> None:
    file = path
    if path.is_dir():
        file = next(path / name for name in MODEL_FOLDERS if (path / name).is_file())
    name = file.absolute().relative_to(bundle.path.absolute()).as_posix()
    if name in bundle.manifest.files:  # otherwise another program wrote it
        bundle.file(name)


def _read(path: Path) -> Sidecar:
    try:
        content = SIDECAR(read_json(path), "")
    except (OSError, ValueError) as error:
        raise BundleError(
            f"{path} does not describe a model: {error}. Export the model again."
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

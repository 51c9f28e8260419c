"""What a lone model file is: a JSON file beside it, ``model.onnx.json`` beside ``model.onnx``."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bricksight._files import replacing
from bricksight._text import json_text
from bricksight._version import __version__
from bricksight.bundle import bundle_around, open_bundle
from bricksight.config import InputSpec
from bricksight.errors import BundleError


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
        files: What was written into a folder, by paths below it; empty for a file.
    """

    labels: tuple[str, ...]
    input: InputSpec
    unknown_threshold: float | None = None
    format: str = ""
    precision: str = "float32"
    layers: Mapping[str, str] = field(default_factory=dict)
    agreement: Mapping[str, Any] = field(default_factory=dict)
    origin: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[str, ...] = ()


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
    with replacing(sidecar_path(path)) as part:
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
    beside = sidecar_path(path)
    if beside.is_file():
        return _read(beside)
    if (folder := bundle_around(path)) is not None:
        manifest = open_bundle(folder).manifest
        layers = {"output_layer": manifest.output_layer} if path.suffix == ".pb" else {}
        return Sidecar(
            labels=manifest.labels,
            input=manifest.input,
            unknown_threshold=manifest.unknown_threshold,
            layers=layers,
        )
    raise BundleError(
        f"Nothing tells the labels of {path}: there is no {beside.name} beside it, which "
        "bricksight export writes, and it lies in no bundle. Copy the two together, or export it "
        "again."
    )


def _read(path: Path) -> Sidecar:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        spec = content["input"]
        return Sidecar(
            labels=tuple(content["labels"]),
            input=InputSpec(height=spec["height"], width=spec["width"], resize=spec["resize"]),
            unknown_threshold=content["unknown_threshold"],
            format=content["format"],
            precision=content["precision"],
            layers=content["layers"],
            agreement=content["agreement"],
            origin=content["origin"],
            files=tuple(content.get("files", ())),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleError(
            f"{path} does not describe a model file ({type(error).__name__}: {error}). Export the "
            "file again."
        ) from error

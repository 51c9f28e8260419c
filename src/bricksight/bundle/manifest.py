"""manifest.json of a bundle: labels, preprocessing, settings, metrics, checksums.

The manifest is written last, so a folder with a manifest is complete.
"""

import datetime
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from bricksight._support.filesystem.files import sha256_of
from bricksight._support.text import json_text
from bricksight._support.untrusted.fields import mapping
from bricksight._support.untrusted.json_files import read_json
from bricksight._version import __version__
from bricksight.bundle.schemas import MANIFEST as SCHEMA
from bricksight.config import InputSpec
from bricksight.errors import BundleError

FORMAT_VERSION = 1
"""Increased when earlier versions of bricksight would misread the new format."""

MANIFEST = "manifest.json"
LABELS = "output_labels.txt"
HEAD = "head.npz"
PHOTOS = "photos.csv"
EXPORTS = "exports"  # folder of exported files inside a bundle


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The content of manifest.json.

    Attributes:
        labels: Class labels, in the order of the model's outputs.
        input: Input size and resize mode.
        backbone: The backbone: reference, title, licence, fingerprint.
        output_layer: Node of output_graph.pb that gives the probabilities.
        unknown_threshold: Photos whose highest probability is below it are answered "unknown";
            ``None`` if there were no validation photos to choose it on.
        settings: Settings of the training run.
        data: Number of photos, version of the split rule, and problems found in the photos.
        metrics: The most important metrics; metrics.json holds all of them.
        exports: Format (of a file that training wrote) or file name (of a later export) → result
            of its verification against the reference.
        files: File name → SHA-256, for all files of the bundle.
        created: Date and time, ISO 8601, UTC.
        bricksight_version: Version of bricksight that wrote the bundle.
        format_version: ``FORMAT_VERSION`` of that version.
    """

    labels: tuple[str, ...]
    input: InputSpec
    backbone: Mapping[str, Any]
    output_layer: str = "final_result"
    unknown_threshold: float | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    exports: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    created: str = ""
    bricksight_version: str = __version__
    format_version: int = FORMAT_VERSION


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the labels file and then the manifest, with the checksums of all other files."""
    (folder / LABELS).write_text(
        "".join(f"{label}\n" for label in manifest.labels), encoding="utf-8", newline="\n"
    )
    files = {
        path.relative_to(folder).as_posix(): sha256_of(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }
    content = asdict(manifest) | {
        "files": files,
        "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
    }
    (folder / MANIFEST).write_text(json_text(content, indent=2) + "\n", encoding="utf-8")


def manifest_content(path: Path) -> dict[str, Any]:
    """Read a manifest.json and validate it against its schema.

    Raises:
        BundleError: The manifest is damaged, or a newer version of bricksight wrote it.
    """
    try:
        content = read_json(path)
        version = mapping(content, "The content").get("format_version")
        if type(version) is int and version > FORMAT_VERSION:
            raise BundleError(
                f"The bundle {path.parent} has format version {version}; bricksight "
                f"{__version__} reads format versions up to {FORMAT_VERSION}. "
                "Install a newer version of bricksight."
            )
        if "backbone" not in content and "module" in content:  # written before the key's renaming
            content["backbone"] = content.pop("module")
        found: dict[str, Any] = SCHEMA(content, "")
    except (OSError, ValueError) as error:
        raise BundleError(
            f"{path} is damaged: {error}. Copy the bundle again, or train it again."
        ) from error
    return found


def manifest_from(content: dict[str, Any]) -> Manifest:
    """Create a ``Manifest`` from validated JSON; unknown keys of later versions are ignored."""
    known = _known(content, Manifest)
    known["input"] = InputSpec(**_known(content["input"], InputSpec))
    return Manifest(**known)


def _known(content: dict[str, Any], kind: type) -> dict[str, Any]:
    names = {one.name for one in fields(kind)}
    return {name: value for name, value in content.items() if name in names}

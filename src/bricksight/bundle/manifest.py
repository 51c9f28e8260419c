"""manifest.json: what a bundle says of itself, read strictly and written last."""

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
"""Raised when a reader of the former layout would misread the new one."""

MANIFEST = "manifest.json"
LABELS = "output_labels.txt"
HEAD = "head.npz"
PHOTOS = "photos.csv"
EXPORTS = "exports"  # the folder of what export adds


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a bundle says of itself.

    Attributes:
        labels: In the order of the outputs.
        input: The size, and how a photo is brought to it.
        module: The pretrained network: reference, title, licence, fingerprint.
        output_layer: Node of output_graph.pb that gives the probabilities.
        unknown_threshold: A photo whose highest probability is lower is answered "unknown";
            ``None`` where there were no validation photos to choose it on.
        settings: What the run was asked for.
        data: Counts, split rule and problems of the photos.
        metrics: The headline figures; all of them are in metrics.json.
        exports: Format of a file that training wrote, or name of one that was added later → how
            far it is from the reference.
        files: Name → SHA-256 of the files of the folder.
        created: ISO 8601, UTC.
        bricksight_version: That which wrote it.
        format_version: ``FORMAT_VERSION`` of that which wrote it.
    """

    labels: tuple[str, ...]
    input: InputSpec
    module: Mapping[str, Any]
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
    """Write the labels file and, as the last file of a bundle, the manifest with checksums."""
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
    """Return what a manifest holds, checked by its schema.

    Raises:
        BundleError: it is damaged, or a newer version wrote it.
    """
    try:
        content = read_json(path)
        version = mapping(content, "The content").get("format_version")
        if type(version) is int and version > FORMAT_VERSION:
            raise BundleError(
                f"The bundle {path.parent} has format {version}; this bricksight "
                f"({__version__}) reads formats up to {FORMAT_VERSION}. "
                "Install a newer bricksight."
            )
        found: dict[str, Any] = SCHEMA(content, "")
    except (OSError, ValueError) as error:
        raise BundleError(
            f"{path} is damaged: {error}. Copy the bundle again, or train it again."
        ) from error
    return found


def manifest_from(content: dict[str, Any]) -> Manifest:
    """Return the manifest; keys that a later version of the same format has added are ignored."""
    known = _known(content, Manifest)
    known["input"] = InputSpec(**_known(content["input"], InputSpec))
    return Manifest(**known)


def _known(content: dict[str, Any], kind: type) -> dict[str, Any]:
    names = {one.name for one in fields(kind)}
    return {name: value for name, value in content.items() if name in names}

"""Pretrained networks: from a reference to a frozen graph that gives features.

    module = resolve("keras:MobileNetV2")       # found or downloaded, not loaded
    frozen = frozen_graph(module)               # one form whatever the source, cached
    features = frozen.load()(images)            # float32 (num_images, num_features)

A new source of networks is a file with the functions ``resolve`` and ``find`` and a line in
``SOURCES``; a network that a known source has is an entry in ``catalog``.
"""

import importlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from bricksight.backbones.backbone import Backbone, FeatureFunction, Progress
from bricksight.backbones.catalog import BackboneSpec, list_backbones
from bricksight.backbones.freeze import (
    FrozenBackbone,
    frozen_graph,
    without_defaults,
)
from bricksight.backbones.known_classes import KnownClasses
from bricksight.backbones.reference import Reference, parse_reference
from bricksight.backbones.summary.describe import Description, describe
from bricksight.backbones.summary.stages import Stage
from bricksight.backbones.transforms.batch_norm import MOST_PHOTOS, batch_norm_adapted
from bricksight.backbones.transforms.fine_tuned import fine_tuned_backbone
from bricksight.backbones.transforms.multi_scale import (
    MOST_DEPTHS,
    feature_dimensions,
    with_multi_scale,
)
from bricksight.backbones.transforms.rotation_tta import (
    MAX_ROTATIONS,
    mean_over_rotations,
    with_rotation_tta,
)
from bricksight.errors import BackboneError

__all__ = [
    "MAX_ROTATIONS",
    "MOST_PHOTOS",
    "SOURCES",
    "Backbone",
    "BackboneSpec",
    "Description",
    "FeatureFunction",
    "FrozenBackbone",
    "KnownClasses",
    "Progress",
    "Reference",
    "Stage",
    "batch_norm_adapted",
    "describe",
    "feature_dimensions",
    "find",
    "fine_tuned_backbone",
    "frozen_graph",
    "list_backbones",
    "mean_over_rotations",
    "resolve",
    "with_multi_scale",
    "with_rotation_tta",
    "without_defaults",
]

SOURCES = {
    "tfhub": "bricksight.backbones.sources.tfhub",
    "kaggle": "bricksight.backbones.sources.kaggle",
    "keras": "bricksight.backbones.sources.keras_applications",
    "saved_model": "bricksight.backbones.sources.saved_model",
    "packaged": "bricksight.backbones.sources.packaged",
}
"""The files that look references up, loaded on first use."""


def resolve(reference: str, *, progress: Progress | None = None, trust: bool = False) -> Backbone:
    """Return the module that ``reference`` names, from disk or downloaded.

    TensorFlow is not loaded: size, width and fingerprint are read from the files.

    Args:
        reference: such as "keras:MobileNetV2" or a handle of TensorFlow Hub.
        progress: told the bytes received and expected while something is downloaded.
        trust: let the network be loaded even if it may access files, the network or other programs;
            else loading it raises an ``UntrustedModelError``.

    Raises:
        BackboneError: the reference is unknown, the download failed, or it is no such network.
    """
    parsed, depths = _parse(reference)
    asked = replace(parsed, trust=trust)
    module: Backbone = _source(asked).resolve(asked, progress=progress)
    return module if depths is None else with_multi_scale(module, depths)


def find(reference: str) -> Path | None:
    """Return where on disk the files of ``reference`` are, ``None`` if they are not.

    Raises:
        BackboneError: the reference is unknown.
    """
    parsed, _ = _parse(reference)
    path: Path | None = _source(parsed).find(parsed)
    return path


def _parse(reference: str) -> tuple[Reference, int | None]:
    """Return the reference for its source, and the option that is the same for all sources."""
    if not isinstance(reference, str) or "\0" in reference:
        raise BackboneError(
            f"The network is {reference!r}; expected text, such as 'keras:MobileNetV2'."
        )
    parsed = parse_reference(reference, sources=SOURCES, known=_known_references())
    own = dict(parsed.options)
    depths = own.pop("depths", None)
    if depths is None:
        return replace(parsed, options=own), None
    if depths not in map(str, range(1, MOST_DEPTHS + 1)):
        raise BackboneError(
            f"{reference} asks for depths={depths}; it must be from 1 to {MOST_DEPTHS}."
        )
    return replace(parsed, options=own), int(depths)


def _known_references() -> Iterator[str]:
    """Yield those of the catalogue, which is read when there is something to suggest."""
    for spec in list_backbones():
        yield spec.reference


def _source(reference: Reference) -> Any:
    return importlib.import_module(SOURCES[reference.source])

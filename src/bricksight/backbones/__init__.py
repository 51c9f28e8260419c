"""Pretrained networks: from a reference to a frozen graph that gives features.

    backbone = resolve("keras:MobileNetV2")     # found on disk or downloaded, not loaded
    frozen = frozen_graph(backbone)             # a frozen graph, cached, the same for all sources
    features = frozen.load()(images)            # float32 (num_images, num_features)

To add a source, add a file with the functions ``resolve`` and ``find`` and a line in ``SOURCES``.
To add a network of an existing source, add an entry in ``catalog``.
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
from bricksight.backbones.transforms.batch_norm import MAX_ADAPTATION_PHOTOS, batch_norm_adapted
from bricksight.backbones.transforms.fine_tuned import fine_tuned_backbone
from bricksight.backbones.transforms.multi_scale import (
    MAX_SCALES,
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
    "MAX_ADAPTATION_PHOTOS",
    "MAX_ROTATIONS",
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
"""Source → the Python module that resolves its references, imported on first use."""


def resolve(reference: str, *, progress: Progress | None = None, trust: bool = False) -> Backbone:
    """Find or download the backbone that ``reference`` names.

    TensorFlow is not loaded: input size, number of features and fingerprint are read from the
    files.

    Args:
        reference: Such as "keras:MobileNetV2" or a TensorFlow Hub URL.
        progress: Called with the bytes received and expected during a download.
        trust: Whether the network may be loaded even if it can access files, the network or other
            programs. Otherwise loading such a network raises an ``UntrustedModelError``.

    Raises:
        BackboneError: The reference is unknown, the download failed, or the files are not a network
            from images to features.
    """
    parsed, num_scales = _parse(reference)
    asked = replace(parsed, trust=trust)
    backbone: Backbone = _source(asked).resolve(asked, progress=progress)
    return backbone if num_scales is None else with_multi_scale(backbone, num_scales)


def find(reference: str) -> Path | None:
    """Return the path of the files of ``reference``, or ``None`` if they are not on disk.

    Raises:
        BackboneError: The reference is unknown.
    """
    parsed, _ = _parse(reference)
    path: Path | None = _source(parsed).find(parsed)
    return path


def _parse(reference: str) -> tuple[Reference, int | None]:
    """Parse a reference; return it without the option ``scales``, and that option."""
    if not isinstance(reference, str) or "\0" in reference:
        raise BackboneError(
            f"The backbone is {reference!r}; expected text such as 'keras:MobileNetV2'."
        )
    parsed = parse_reference(reference, sources=SOURCES, known=_known_references())
    options = dict(parsed.options)
    num_scales = options.pop("scales", None)
    if num_scales is None:
        return replace(parsed, options=options), None
    if num_scales not in map(str, range(1, MAX_SCALES + 1)):
        raise BackboneError(
            f"{reference} has scales={num_scales}; expected a number from 1 to {MAX_SCALES}."
        )
    return replace(parsed, options=options), int(num_scales)


def _known_references() -> Iterator[str]:
    """Yield the catalogue's references; a generator, as most calls do not need the catalogue."""
    for spec in list_backbones():
        yield spec.reference


def _source(reference: Reference) -> Any:
    return importlib.import_module(SOURCES[reference.source])

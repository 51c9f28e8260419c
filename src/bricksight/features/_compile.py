"""Compile a backbone to LiteRT, once, and verify it against TensorFlow on real photos."""

import gc
import json
import logging
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bricksight._support.filesystem.files import atomic_write, cache_dir, in_cache
from bricksight._support.native_log import without_native_notices
from bricksight._support.optional import require_tensorflow
from bricksight.backbones import Backbone, FrozenBackbone, frozen_graph
from bricksight.config import InputSpec
from bricksight.predict.runtimes.litert import LiteRT

_LOGGER = logging.getLogger(__name__)

COMPILER_VERSION = 1
"""Part of the cache's folder name: raised when the same graph compiles to other features."""

TOLERANCE = 1e-3
"""Largest difference between LiteRT's and TensorFlow's features, relative to the largest feature.

The two sum in different orders; MobileNetV2 differs by 1e-6 to 1e-5.
"""

Run = Callable[[np.ndarray], np.ndarray]
"""float32 (num_images, height, width, 3) in [0, 1] → float32 (num_images, num_features)."""


@dataclass(frozen=True, kw_only=True)
class CompiledBackbone:
    """A backbone that is ready to compute features.

    Attributes:
        backbone: What it was compiled from.
        num_features: Number of features.
        path: The ``.tflite`` file; ``None`` where TensorFlow runs the graph.
        reason: Why TensorFlow runs the graph; empty where LiteRT does.
        largest_difference: Between LiteRT's and TensorFlow's features on real photos, relative to
            the largest feature.
    """

    backbone: Backbone
    num_features: int
    path: Path | None
    reason: str
    largest_difference: float

    @property
    def runtime(self) -> str:
        """The runtime, "litert" or "tensorflow"; part of the features' key in the cache."""
        return "tensorflow" if self.path is None else "litert"

    def open(self) -> Run:
        """Return a function from images to features that uses one thread.

        With LiteRT, each call returns another interpreter, so that each core can have its own.
        """
        if self.path is not None:
            return LiteRT(self.path, threads=1).run
        function = frozen_graph(self.backbone).load()
        return lambda images: np.asarray(function(images))


def compile_backbone(
    backbone: Backbone, *, images: Callable[[InputSpec], np.ndarray]
) -> CompiledBackbone:
    """Return ``backbone`` compiled for LiteRT, from the cache if it was compiled before.

    TensorFlow runs a backbone that LiteRT cannot run, or for which it gives other features; a
    warning tells, and names the operation.

    Args:
        backbone: the backbone.
        images: returns a few real photos, float32 (num_images, height, width, 3) in [0, 1]; called
            only when the backbone is compiled.

    Raises:
        BackboneError: the backbone cannot be loaded.
        CacheError: the cache folder cannot be used.
    """
    name = f"{backbone.fingerprint}-{COMPILER_VERSION}"
    compiled = _read(backbone, cache_dir("compiled") / name)
    if compiled is None:
        compiled = in_cache(lambda root: _compiled_in(root / name, backbone, images), "compiled")
    if compiled.reason:
        _LOGGER.warning(
            "%s cannot be compiled for LiteRT (%s). TensorFlow computes its features, several "
            "times slower.",
            backbone.reference,
            compiled.reason,
        )
    return compiled


def _compiled_in(
    folder: Path, backbone: Backbone, images: Callable[[InputSpec], np.ndarray]
) -> CompiledBackbone:
    compiled = _compile(backbone, folder, images)
    gc.collect()  # TensorFlow's graphs hold each other in circles: 180 MB for MobileNetV2
    with atomic_write(folder / "compiled.json") as part:
        described = asdict(_Described.of(compiled))
        part.write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")
    return compiled


@dataclass(frozen=True)
class _Described:
    """The facts of a ``CompiledBackbone`` that are stored as JSON beside its file."""

    num_features: int
    reason: str
    largest_difference: float
    num_bytes: int

    @classmethod
    def of(cls, compiled: CompiledBackbone) -> "_Described":
        return cls(
            compiled.num_features,
            compiled.reason,
            compiled.largest_difference,
            num_bytes=compiled.path.stat().st_size if compiled.path else 0,
        )


def _read(backbone: Backbone, folder: Path) -> CompiledBackbone | None:
    path = folder / "features.tflite"
    try:
        described = _Described(**json.loads((folder / "compiled.json").read_text("utf-8")))
        if not described.reason and path.stat().st_size != described.num_bytes:
            return None  # cut short
    except (OSError, ValueError, TypeError):
        return None
    return CompiledBackbone(
        backbone=backbone,
        path=None if described.reason else path,
        num_features=described.num_features,
        reason=described.reason,
        largest_difference=described.largest_difference,
    )


def _compile(
    backbone: Backbone, folder: Path, images: Callable[[InputSpec], np.ndarray]
) -> CompiledBackbone:
    frozen = frozen_graph(backbone)
    path = folder / "features.tflite"
    reason, difference = "", 0.0
    try:
        content = _convert(frozen)
    except _Unconvertible as error:
        reason = str(error)
    else:
        with atomic_write(path) as part:
            part.write_bytes(content)
            difference = _difference(frozen, part, images(backbone.input_spec))
        if difference > TOLERANCE:
            reason = f"its features differ by {difference:.1e} of the largest, {TOLERANCE} allowed"
    if reason:
        path.unlink(missing_ok=True)
    return CompiledBackbone(
        backbone=backbone,
        num_features=frozen.num_features,
        path=None if reason else path,
        reason=reason,
        largest_difference=difference,
    )


class _Unconvertible(Exception):  # noqa: N818  (an outcome, handled in this file)
    """LiteRT lacks an operation; the message names it."""


def _convert(frozen: FrozenBackbone) -> bytes:
    tf = require_tensorflow()
    concrete = frozen.load().get_concrete_function()  # type: ignore[attr-defined]
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    try:
        with without_native_notices():
            content: bytes = converter.convert()
    except Exception as error:
        if type(error).__name__ != "ConverterError":
            raise
        raise _Unconvertible(_unsupported_operations(error)) from error
    return content


def _unsupported_operations(error: Exception) -> str:
    names = sorted(set(re.findall(r"'(tf\.\w+)' op", str(error))))
    if names:
        return "it has no operation " + ", ".join(names)
    return str(error).strip().splitlines()[0]


def _difference(frozen: FrozenBackbone, path: Path, images: np.ndarray) -> float:
    expected = np.asarray(frozen.load()(images))
    found = LiteRT(path).run(images)
    largest: Any = np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-6)
    return float(largest)

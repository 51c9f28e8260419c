"""The table of formats, and the one way through which every file is written."""

import gc
import importlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bricksight._files import replacing
from bricksight.errors import ConfigError, ExportError
from bricksight.export._proof import Agreement, Proof, agreement
from bricksight.export.classifier import Classifier


@dataclass(frozen=True, kw_only=True)
class Format:
    """What export can write.

    Attributes:
        writer: ``module:function``, imported on use; it takes the classifier and the path.
        runtime: Which runtime proves the file.
        tolerance: Largest difference of a probability from the reference that is let through.
    """

    writer: str
    runtime: str
    tolerance: float


FORMATS = {
    "frozen_graph": Format(
        writer="bricksight.export.frozen_graph:write", runtime="tensorflow", tolerance=1e-4
    ),
    "saved_model": Format(
        writer="bricksight.export.saved_model:write", runtime="saved_model", tolerance=1e-4
    ),
    "tflite": Format(writer="bricksight.export.tflite:write", runtime="litert", tolerance=1e-4),
}
"""Format name → how it is written and proved."""


@dataclass(frozen=True, kw_only=True)
class ExportedFile:
    """A file that was written and proved."""

    format: str
    path: Path
    size_bytes: int
    agreement: Agreement


def export(classifier: Classifier, format_name: str, path: Path, *, proof: Proof) -> ExportedFile:
    """Writes ``path`` and returns how near it comes to the reference.

    An existing file is replaced, and only by one that has been proved.

    Raises:
        ConfigError: there is no such format.
        ExportError: the file gives other answers than the reference; nothing is left of it.
    """
    if format_name not in FORMATS:
        raise ConfigError(f"--format is {format_name!r}; it must be one of {', '.join(FORMATS)}.")
    described = FORMATS[format_name]
    module, _, function = described.writer.partition(":")
    write: Callable[[Classifier, Path], None] = getattr(importlib.import_module(module), function)
    with replacing(path) as part:
        write(classifier, part)
        found = agreement(
            part, runtime=described.runtime, proof=proof, options=_options(classifier, described)
        )
        if found.largest_difference > described.tolerance:
            raise ExportError(
                f"The {format_name} file gives other answers than the trained model: probabilities "
                f"differ by up to {found.largest_difference:.2g} on {found.num_photos} photos, "
                f"{described.tolerance:.2g} is allowed. It was not kept."
            )
        if path.is_dir():
            shutil.rmtree(path)
    gc.collect()  # TensorFlow's graphs hold each other in circles, as large as the network
    return ExportedFile(
        format=format_name, path=path, size_bytes=_size_bytes(path), agreement=found
    )


def _options(classifier: Classifier, described: Format) -> dict[str, str]:
    if described.runtime != "tensorflow":
        return {}
    return {"input_layer": classifier.input_layer, "output_layer": classifier.output_layer}


def _size_bytes(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())

"""Backbones from folders on disk (SavedModel, TF1 Hub module) and ``.keras`` files."""

import functools
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from bricksight._support.filesystem.native_path import native_path
from bricksight._support.optional import require_tensorflow
from bricksight._support.text import shortened
from bricksight._support.untrusted.graphs import require_pure_saved_model
from bricksight.backbones.backbone import Backbone, FeatureFunction, Progress, fingerprint_of
from bricksight.backbones.reference import Reference, is_model_path
from bricksight.backbones.sources._graph_network import GraphNetwork
from bricksight.backbones.sources._keras_files import keras_input_size, load_keras_file
from bricksight.backbones.sources._signature import (
    MetaGraph,
    Signature,
    TensorSpec,
    read_meta_graphs,
)
from bricksight.config import InputSpec, user_path
from bricksight.errors import BackboneError

READER_VERSION = 1
"""Part of every fingerprint: increased when the same files would give other features."""

_TRAINABLE_ALTERNATIVES = "a version in TF2 format, or a keras:NAME from `bricksight backbones`,"

_VARIABLES = (b"VarHandleOp", b"VariableV2")
"""Names of operations whose values are in the folder ``variables``."""

# What TensorFlow and its Python code raise for incomplete or damaged files.
_DAMAGE = (
    OSError, ValueError, TypeError, RuntimeError, LookupError, AttributeError, ArithmeticError,
    AssertionError,
)  # fmt: skip

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _EntryPoint:
    """The function of a SavedModel that computes features.

    Without ``signature``, it is the loaded object itself, which is callable.
    """

    tags: tuple[str, ...]
    signature: str | None
    input_name: str
    output_name: str
    height: int
    width: int


def resolve(reference: Reference, *, progress: Progress | None = None) -> Backbone:
    """Return the backbone ``saved_model:PATH``; nothing is downloaded.

    Raises:
        BackboneError: The path does not exist, or is not a network from images to features.
    """
    reference.require_options("size")
    path = _path(reference)
    if path.suffix == ".keras" and path.is_file():
        return _keras_file(reference, path)
    if not os.path.exists(path):  # noqa: PTH110  (Path.exists may raise)
        raise BackboneError(
            f"{reference.text}: {path} does not exist. Expected a SavedModel folder or .keras file."
        )
    return from_folder(reference, path, title=f"SavedModel {path.name}")


def _path(reference: Reference) -> Path:
    """Return the absolute path; unlike ``Path.resolve``, without an error for circular links."""
    return Path(os.path.realpath(user_path(reference.name, reference.text)))


def find(reference: Reference) -> Path | None:
    """Return the path of ``saved_model:PATH``, ``None`` if it is not a model."""
    path = _path(reference)
    return path if is_model_path(path) else None


def missing_in(folder: Path) -> str | None:
    """Return what a folder lacks to be a complete SavedModel or TF1 Hub module, or ``None``.

    Damaged variable files are not found here, but by TensorFlow's checksums when they are read.
    """
    graph = folder / "saved_model.pb"
    try:
        if not graph.is_file():
            return f"{folder} holds no saved_model.pb"
        read_meta_graphs(graph)
        if not any(operation in graph.read_bytes() for operation in _VARIABLES):
            return None
        index = folder / "variables" / "variables.index"
        if not (index.is_file() and index.stat().st_size):
            return f"{index} is missing or empty"
        parts = sorted(index.parent.glob("variables.data-*-of-*"))
        are_all = {path.name[-5:] for path in parts} == {f"{len(parts):05d}"}
        if not are_all or not all(path.stat().st_size for path in parts):
            return f"a file variables.data-* in {index.parent} is missing or empty"
    except (BackboneError, OSError) as error:
        return str(error)
    return None


def from_folder(
    reference: Reference,
    folder: Path,
    *,
    title: str,
    licence: str | None = None,
    default_size: int | None = None,
    trainable_alternative: str | None = None,
) -> Backbone:
    """Return the backbone in ``folder``, a SavedModel or a TF1 Hub module.

    Args:
        reference: The user's reference.
        folder: Folder that holds ``saved_model.pb``.
        title: Name for users, one line.
        licence: SPDX identifier, if known.
        default_size: Input size for a network that takes any size, if the reference has no size.
        trainable_alternative: What to fine-tune instead if this is a graph of TensorFlow 1.

    Raises:
        BackboneError: The folder is neither, or its input or output do not fit.
    """
    if not (folder / "saved_model.pb").is_file():
        raise BackboneError(
            f"{reference.text}: {folder} holds no saved_model.pb, "
            "so it is neither a SavedModel nor a TF1 Hub module."
        )
    graph = _choose_graph(reference, read_meta_graphs(folder / "saved_model.pb"))
    entry_point, num_features = _choose_entry_point(reference, graph, default_size)
    return Backbone(
        reference=reference.text,
        source=reference.source,
        title=title,
        input_spec=InputSpec(height=entry_point.height, width=entry_point.width),
        num_features=num_features,
        licence=licence,
        fingerprint=fingerprint_of(
            _files(folder), READER_VERSION, astuple(entry_point), *_trust_marker(reference)
        ),
        location=folder,
        loader=functools.partial(_load_folder, reference, folder, entry_point),
        graph_builder=functools.partial(
            _load_trainable, reference, folder, entry_point, trainable_alternative
        ),
    )


def _trust_marker(reference: Reference) -> tuple[str, ...]:
    """Return a part of the fingerprint, so that caches of a trusted network are separate.

    A run without ``--trust`` must not use files that were made from an untrusted network.
    """
    return ("trusted",) if reference.trust else ()


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files that determine what the network computes."""
    yield "saved_model.pb", folder / "saved_model.pb"
    for part in ("variables", "assets"):
        for path in (folder / part).rglob("*"):
            if path.is_file():
                yield path.relative_to(folder).as_posix(), path


def _choose_graph(reference: Reference, graphs: list[MetaGraph]) -> MetaGraph:
    # The inference graph of a TF1 Hub module has no tag, that of a SavedModel has "serve".
    by_tags = {graph.tags: graph for graph in reversed(graphs)}
    for tags in (frozenset[str](), frozenset({"serve"})):
        if tags in by_tags:
            return by_tags[tags]
    found = "; ".join(", ".join(sorted(graph.tags)) for graph in graphs)
    raise BackboneError(
        f"{reference.text} has no graph for inference. Expected a graph with the tag 'serve', or "
        f"without tags as in TF1 Hub modules; found the tags: {found}."
    )


def _choose_entry_point(
    reference: Reference, graph: MetaGraph, default_size: int | None
) -> tuple[_EntryPoint, int | None]:
    """Return the entry point, and the number of features if the file states it."""
    name, signature = _choose_signature(reference, graph)
    tags = tuple(sorted(graph.tags))
    if signature is None:
        size = _input_size(reference, (None, None), default_size)
        return _EntryPoint(tags, None, "", "", *size), None
    input_name, height, width = _choose_input(reference, signature, default_size)
    output_name, spec = _choose_output(reference, signature)
    num_features = spec.shape[-1] if spec.shape else None
    return _EntryPoint(tags, name, input_name, output_name, height, width), num_features


def _choose_signature(reference: Reference, graph: MetaGraph) -> tuple[str, Signature | None]:
    usable = {name: one for name, one in graph.signatures.items() if one.inputs and one.outputs}
    if not usable:
        return "", None
    for name in ("default", "serving_default"):
        if name in usable:
            return name, usable[name]
    if len(usable) == 1:
        return next(iter(usable.items()))
    raise BackboneError(
        f"{reference.text} has the signatures {', '.join(sorted(usable))}; "
        "expected a single one, or one named 'default' or 'serving_default'."
    )


def _choose_input(
    reference: Reference, signature: Signature, default_size: int | None
) -> tuple[str, int, int]:
    described = {name: spec.shape for name, spec in signature.inputs.items()}
    if len(signature.inputs) == 1:
        name, spec = next(iter(signature.inputs.items()))
        shape = spec.shape or (None, None, None, 3)
        if spec.is_float and len(shape) == 4 and shape[3] in (3, None):
            return name, *_input_size(reference, (shape[1], shape[2]), default_size)
    raise BackboneError(
        f"{reference.text} has the inputs {described}; expected one float32 input "
        "of shape (num_images, height, width, 3)."
    )


def _input_size(
    reference: Reference, found: tuple[int | None, int | None], default_size: int | None
) -> tuple[int, int]:
    height, width = found
    asked = reference.size
    if asked is not None and not {height, width} <= {asked, None}:
        raise BackboneError(
            f"{reference.text} has size={asked}, but the network takes only {height}x{width}."
        )
    size = asked or default_size
    if size is None and (height is None or width is None):
        raise BackboneError(
            f"{reference.text} takes images of any size. Choose one: {reference.text}@size=224"
        )
    return height or size or 0, width or size or 0


def _choose_output(reference: Reference, signature: Signature) -> tuple[str, TensorSpec]:
    outputs = {name: spec for name, spec in signature.outputs.items() if _may_be_features(spec)}
    if "default" in outputs:
        return "default", outputs["default"]
    for rank in (2, 4):
        fitting = {n: s for n, s in outputs.items() if s.shape is None or len(s.shape) == rank}
        if len(fitting) == 1:
            return next(iter(fitting.items()))
    described = {name: spec.shape for name, spec in signature.outputs.items()}
    raise BackboneError(
        f"{reference.text} has the outputs {described}; expected one float32 output of shape "
        "(num_images, num_features) or (num_images, rows, columns, num_features)."
    )


def _may_be_features(spec: TensorSpec) -> bool:
    return spec.is_float and (spec.shape is None or len(spec.shape) in (2, 4))


def _load_folder(reference: Reference, folder: Path, entry_point: _EntryPoint) -> FeatureFunction:
    with _load_saved_model(reference, folder, entry_point) as loaded:
        call = _callable(loaded, entry_point)
        return feature_function(
            call, text=reference.text, height=entry_point.height, width=entry_point.width
        )


def _load_trainable(
    reference: Reference, folder: Path, entry_point: _EntryPoint, alternative: str | None
) -> GraphNetwork:
    text = reference.text
    with _load_saved_model(reference, folder, entry_point) as loaded:
        # Only graphs of TensorFlow 1 are loaded as objects with "prune".
        if hasattr(loaded, "prune"):
            raise BackboneError(
                f"{text} is a graph of TensorFlow 1, whose weights cannot be fine-tuned. "
                f"Fine-tune {alternative or _TRAINABLE_ALTERNATIVES} instead."
            )
        pick = functools.partial(_features_of, text=text, name=entry_point.output_name)
        inference = _callable(loaded, entry_point)
        return GraphNetwork(
            inference=lambda images: pick(inference(images)),
            with_training=lambda images, training: pick(loaded(images, training=training)),
            text=text,
            height=entry_point.height,
            width=entry_point.width,
        )


@contextmanager
def _load_saved_model(
    reference: Reference, folder: Path, entry_point: _EntryPoint
) -> Iterator[Any]:
    """Load a SavedModel; errors of TensorFlow in the block become ``BackboneError``s."""
    tf = require_tensorflow()
    try:
        with native_path(folder) as readable:
            if not reference.trust:
                require_pure_saved_model(readable)
            loaded = tf.saved_model.load(str(readable), tags=list(entry_point.tags))
        yield loaded
    except (*_DAMAGE, tf.errors.OpError) as error:
        raise BackboneError(
            f"{reference.text}: TensorFlow {tf.__version__} cannot load {folder}: "
            f"{shortened(str(error), limit=1000)}. If files are incomplete, remove a downloaded "
            "folder, so that it is downloaded again; copy any other folder again."
        ) from error


def _callable(loaded: Any, entry_point: _EntryPoint) -> Any:
    if entry_point.signature is None:
        return loaded
    signature = loaded.signatures[entry_point.signature]

    def call(images: Any) -> Any:
        # The reference to ``loaded`` keeps its variables alive as long as this function.
        return loaded and signature(**{entry_point.input_name: images})[entry_point.output_name]

    return call


def feature_function(call: Any, *, text: str, height: int, width: int) -> FeatureFunction:
    """Wrap a network as a ``tf.function`` from images to features.

    A feature map (num_images, rows, columns, num_features) is averaged over rows and columns
    (global average pooling), and a message is logged.

    Args:
        call: Network that takes a float32 tensor (num_images, height, width, 3).
        text: The reference, for messages.
        height: Height of the images, in pixels.
        width: Width of the images, in pixels.

    Raises:
        BackboneError: The output is neither features nor a feature map.
    """
    tf = require_tensorflow()

    def features(images: Any) -> Any:
        return _features_of(call(images), text=text)

    spec = tf.TensorSpec((None, height, width, 3), tf.float32, name="images")
    concrete = tf.function(features, input_signature=[spec], autograph=False)
    concrete.get_concrete_function()
    function: FeatureFunction = concrete
    return function


def _features_of(output: Any, *, text: str, name: str = "") -> Any:
    """Return the features in a network's output; ``name`` selects one of several outputs."""
    tf = require_tensorflow()
    output = output.get(name) if isinstance(output, dict) else output
    if not hasattr(output, "shape"):
        raise BackboneError(f"{text} has the output {output}; expected one tensor.")
    if output.dtype == tf.float32 and output.shape.rank == 4:
        _logger.info("The output of %s is a feature map %s; it is averaged.", text, output.shape)
        output = tf.reduce_mean(output, axis=(1, 2))
    if output.dtype != tf.float32 or output.shape.rank != 2 or output.shape[1] is None:
        raise BackboneError(
            f"{text} has an output of {output.dtype.name} {output.shape}; expected float32 "
            "(num_images, num_features)."
        )
    return output


def _keras_file(reference: Reference, path: Path) -> Backbone:
    height, width = _input_size(reference, keras_input_size(path), None)
    build = functools.partial(load_keras_file, reference, path)
    return Backbone(
        reference=reference.text,
        source=reference.source,
        title=f"Keras model {path.name}",
        input_spec=InputSpec(height=height, width=width),
        num_features=None,
        licence=None,
        fingerprint=fingerprint_of(
            [("model.keras", path)], READER_VERSION, height, width, *_trust_marker(reference)
        ),
        location=path,
        loader=functools.partial(_keras_function, build, reference.text, height, width),
        network_builder=build,
    )


def _keras_function(build: Any, text: str, height: int, width: int) -> FeatureFunction:
    model = build()
    call = functools.partial(model, training=False)
    return feature_function(call, text=text, height=height, width=width)

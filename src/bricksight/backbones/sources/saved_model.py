"""Folders that TensorFlow wrote (SavedModel, TF1 Hub module) and ``.keras`` files."""

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
from bricksight.backbones.reference import Reference, is_module_path
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
"""Part of every fingerprint: raised when the same files are read to other features."""

_TUNABLE = "a version in TF2 format, or keras:NAME from `bricksight modules`,"

_VARIABLES = (b"VarHandleOp", b"VariableV2")
"""Operations of a graph whose values lie in the folder ``variables``."""

# What TensorFlow raises itself, and what its Python code runs into when files are cut short.
_DAMAGE = (
    OSError, ValueError, TypeError, RuntimeError, LookupError, AttributeError, ArithmeticError,
    AssertionError,
)  # fmt: skip

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Entry:
    """Where in a SavedModel the network is; ``signature`` ``None`` is the object's own call."""

    tags: tuple[str, ...]
    signature: str | None
    input_name: str
    output_name: str
    height: int
    width: int


def resolve(reference: Reference, *, progress: Progress | None = None) -> Backbone:
    """Return the module of ``saved_model:PATH``; nothing is downloaded, so no progress is told.

    Raises:
        BackboneError: there is nothing to load at the path, or it is no network of this kind.
    """
    reference.only("size")
    path = _path(reference)
    if path.suffix == ".keras" and path.is_file():
        return _keras_file(reference, path)
    if not os.path.exists(path):  # noqa: PTH110  (Path.exists may raise)
        raise BackboneError(f"{reference.text}: there is no folder or .keras file {path}.")
    return from_folder(reference, path, title=f"SavedModel {path.name}")


def _path(reference: Reference) -> Path:
    """Return the absolute path; of a link that leads to itself, which is then no file, too."""
    return Path(os.path.realpath(user_path(reference.name, reference.text)))


def find(reference: Reference) -> Path | None:
    """Return the path of ``saved_model:PATH``, ``None`` if nothing is there to load."""
    path = _path(reference)
    return path if is_module_path(path) else None


def missing_in(folder: Path) -> str | None:
    """Return what a folder lacks to be a whole SavedModel or TF1 Hub module, or ``None``.

    Damage within the files of the variables is found by TensorFlow's checksums when they are read.
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
    tunable_instead: str | None = None,
) -> Backbone:
    """Return the module in ``folder``, a SavedModel or a TF1 Hub module.

    Args:
        reference: what the user asked for.
        folder: holds ``saved_model.pb``.
        title: one line for people.
        licence: SPDX identifier if known.
        default_size: for a network that takes any size, when the reference names none.
        tunable_instead: what to fine-tune where this is a graph of TensorFlow 1, if known.

    Raises:
        BackboneError: it is none of these, or its input and output are not as expected.
    """
    if not (folder / "saved_model.pb").is_file():
        raise BackboneError(
            f"{reference.text}: {folder} holds no saved_model.pb, "
            "so it is neither a SavedModel nor a TF1 Hub module."
        )
    graph = _choose_graph(reference, read_meta_graphs(folder / "saved_model.pb"))
    entry, num_features = _choose_entry(reference, graph, default_size)
    return Backbone(
        reference=reference.text,
        source=reference.source,
        title=title,
        input_spec=InputSpec(height=entry.height, width=entry.width),
        num_features=num_features,
        licence=licence,
        fingerprint=fingerprint_of(
            _files(folder), READER_VERSION, astuple(entry), *_trusted(reference)
        ),
        location=folder,
        loader=functools.partial(_load_folder, reference, folder, entry),
        graph_builder=functools.partial(_load_trainable, reference, folder, entry, tunable_instead),
    )


def _trusted(reference: Reference) -> tuple[str, ...]:
    """Return what keeps what was made of a trusted network from runs that do not trust it."""
    return ("trusted",) if reference.trust else ()


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files that determine what the network computes."""
    yield "saved_model.pb", folder / "saved_model.pb"
    for part in ("variables", "assets"):
        for path in (folder / part).rglob("*"):
            if path.is_file():
                yield path.relative_to(folder).as_posix(), path


def _choose_graph(reference: Reference, graphs: list[MetaGraph]) -> MetaGraph:
    # A TF1 Hub module keeps its inference graph under no tag at all, a SavedModel under "serve".
    by_tags = {graph.tags: graph for graph in reversed(graphs)}
    for tags in (frozenset[str](), frozenset({"serve"})):
        if tags in by_tags:
            return by_tags[tags]
    found = "; ".join(", ".join(sorted(graph.tags)) for graph in graphs)
    raise BackboneError(
        f"{reference.text}: no graph is for inference. Expected one tagged 'serve', or untagged "
        f"as in TF1 Hub modules; found the tags: {found}."
    )


def _choose_entry(
    reference: Reference, graph: MetaGraph, default_size: int | None
) -> tuple[_Entry, int | None]:
    """Return the way in and the width of the features, if the file tells."""
    name, signature = _choose_signature(reference, graph)
    tags = tuple(sorted(graph.tags))
    if signature is None:
        size = _input_size(reference, (None, None), default_size)
        return _Entry(tags, None, "", "", *size), None
    input_name, height, width = _choose_input(reference, signature, default_size)
    output_name, spec = _choose_output(reference, signature)
    num_features = spec.shape[-1] if spec.shape else None
    return _Entry(tags, name, input_name, output_name, height, width), num_features


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
        "expected one, or one named 'default' or 'serving_default'."
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
        f"{reference.text} takes {described}; expected one float32 input "
        "of shape (num_images, height, width, 3)."
    )


def _input_size(
    reference: Reference, found: tuple[int | None, int | None], default_size: int | None
) -> tuple[int, int]:
    height, width = found
    asked = reference.size
    if asked is not None and not {height, width} <= {asked, None}:
        raise BackboneError(
            f"{reference.text} asks for size={asked}, but the network takes {height}x{width} only."
        )
    size = asked or default_size
    if size is None and (height is None or width is None):
        raise BackboneError(
            f"{reference.text} takes photos of any size. Say which: {reference.text}@size=224"
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
        f"{reference.text} gives {described}; expected one float32 output of shape "
        "(num_images, num_features), or (num_images, rows, columns, num_features)."
    )


def _may_be_features(spec: TensorSpec) -> bool:
    return spec.is_float and (spec.shape is None or len(spec.shape) in (2, 4))


def _load_folder(reference: Reference, folder: Path, entry: _Entry) -> FeatureFunction:
    with _loaded(reference, folder, entry) as loaded:
        call = _callable(loaded, entry)
        return feature_function(call, text=reference.text, height=entry.height, width=entry.width)


def _load_trainable(
    reference: Reference, folder: Path, entry: _Entry, instead: str | None
) -> GraphNetwork:
    text = reference.text
    with _loaded(reference, folder, entry) as loaded:
        if hasattr(
            loaded, "prune"
        ):  # what TensorFlow gives for graphs of version 1, and only those
            raise BackboneError(
                f"{text} is a graph of TensorFlow 1, whose weights cannot be trained here. "
                f"Fine-tune {instead or _TUNABLE} instead."
            )
        pick = functools.partial(_features_of, text=text, name=entry.output_name)
        plain = _callable(loaded, entry)
        return GraphNetwork(
            plain=lambda images: pick(plain(images)),
            with_mode=lambda images, training: pick(loaded(images, training=training)),
            text=text,
            height=entry.height,
            width=entry.width,
        )


@contextmanager
def _loaded(reference: Reference, folder: Path, entry: _Entry) -> Iterator[Any]:
    """Load the SavedModel; what fails in TensorFlow in the block is a ``BackboneError``."""
    tf = require_tensorflow()
    try:
        with native_path(folder) as readable:
            if not reference.trust:
                require_pure_saved_model(readable)
            loaded = tf.saved_model.load(str(readable), tags=list(entry.tags))
        yield loaded
    except (*_DAMAGE, tf.errors.OpError) as error:
        raise BackboneError(
            f"{reference.text}: TensorFlow {tf.__version__} cannot load {folder}: "
            f"{shortened(str(error), limit=1000)}. If it is cut short: remove a downloaded folder, "
            "and it is downloaded again; copy another one again from where it came."
        ) from error


def _callable(loaded: Any, entry: _Entry) -> Any:
    if entry.signature is None:
        return loaded
    signature = loaded.signatures[entry.signature]

    def call(images: Any) -> Any:
        # ``loaded`` owns the variables and lives as long as this function refers to it.
        return loaded and signature(**{entry.input_name: images})[entry.output_name]

    return call


def feature_function(call: Any, *, text: str, height: int, width: int) -> FeatureFunction:
    """Return ``call`` as a ``tf.function`` from images to features.

    A feature map (num_images, rows, columns, num_features) is averaged over rows and columns, as
    every network of this kind does before its classification layer, and the log says so.

    Args:
        call: takes a float32 tensor (num_images, height, width, 3).
        text: the reference, for messages.
        height: of the images, in pixels.
        width: of the images, in pixels.

    Raises:
        BackboneError: the output is neither features nor a feature map.
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
    """Return features; ``name`` is that of the output where there are several."""
    tf = require_tensorflow()
    output = output.get(name) if isinstance(output, dict) else output
    if not hasattr(output, "shape"):
        raise BackboneError(f"{text} gives {output}; expected one tensor.")
    if output.dtype == tf.float32 and output.shape.rank == 4:
        _logger.info("%s gives a feature map of %s; averaged over it.", text, output.shape)
        output = tf.reduce_mean(output, axis=(1, 2))
    if output.dtype != tf.float32 or output.shape.rank != 2 or output.shape[1] is None:
        raise BackboneError(
            f"{text} gives {output.dtype.name} of shape {output.shape}; expected float32 of "
            "shape (num_images, num_features)."
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
            [("model.keras", path)], READER_VERSION, height, width, *_trusted(reference)
        ),
        location=path,
        loader=functools.partial(_keras_function, build, reference.text, height, width),
        network_builder=build,
    )


def _keras_function(build: Any, text: str, height: int, width: int) -> FeatureFunction:
    model = build()
    call = functools.partial(model, training=False)
    return feature_function(call, text=text, height=height, width=width)

"""Freeze a backbone: a TensorFlow graph with the weights as constants, kept in the cache folder.

Compiling for LiteRT, exporting and ``describe`` all start from the frozen graph, whatever the
backbone's format. Later runs read it from the cache without loading the original network.
"""

import hashlib
import json
import re
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bricksight._support.filesystem.files import atomic_write, cache_dir, in_cache
from bricksight._support.optional import require_tensorflow
from bricksight.backbones.backbone import Backbone, FeatureFunction
from bricksight.errors import BackboneError

FREEZER_VERSION = 3
"""Part of the name of the cache folder: increased when the same backbone gives another graph."""

INPUT_NODE = "images"
OUTPUT_NODE = "features"

_COUNT = re.compile(r"(_\d+)+$")
# For Keras's default names of layers: GlobalAveragePooling2D becomes global_average_pooling2d.
_CAPITAL = re.compile("(.)([A-Z][a-z]+)")
_WORD = re.compile("([a-z])([A-Z])")

# Operations of TF1's control flow, which ``_prune`` would break.
_CONTROL_FLOW = frozenset({"Switch", "Merge", "Enter", "Exit", "NextIteration", "LoopCond"})


@dataclass(frozen=True, kw_only=True)
class FrozenBackbone:
    """A serialized ``GraphDef`` from images to features.

    Attributes:
        graph_def_bytes: The graph; variables are constants, there is no other input.
        input_name: Name of the input tensor, with its ``:0``: float32
            (num_images, height, width, 3), RGB, in [0, 1].
        output_name: Name of the output tensor: float32 (num_images, num_features).
        height: Rows of the input, in pixels.
        width: Columns of the input, in pixels.
        num_features: Number of features.
        fingerprint: Fingerprint of the backbone.
    """

    graph_def_bytes: bytes
    input_name: str
    output_name: str
    height: int
    width: int
    num_features: int
    fingerprint: str

    def load(self) -> FeatureFunction:
        """Load the graph as a ``tf.function`` from images to features, with one signature."""
        tf = require_tensorflow()
        graph_def = tf.compat.v1.GraphDef.FromString(self.graph_def_bytes)

        def features(images: Any) -> Any:
            return tf.graph_util.import_graph_def(
                graph_def,
                input_map={self.input_name: images},
                return_elements=[self.output_name],
                name="",
            )[0]

        spec = tf.TensorSpec((None, self.height, self.width, 3), tf.float32, name="images")
        function: FeatureFunction = tf.function(features, input_signature=[spec], autograph=False)
        return function


def frozen_graph(backbone: Backbone) -> FrozenBackbone:
    """Return the frozen graph of a backbone, from the cache if it is there.

    Attributes with default values are left out, so that TensorFlow 2.12 can read the graph too.

    Raises:
        BackboneError: The backbone cannot be loaded or frozen.
        CacheError: The cache folder cannot be created.
    """
    name = f"{backbone.fingerprint}-{FREEZER_VERSION}"
    cached = _read(cache_dir("backbones") / name, backbone.fingerprint)
    if cached is not None:
        return cached
    frozen = _freeze(backbone)
    in_cache(lambda root: _write(frozen, root / name), "backbones")
    return frozen


def _read(folder: Path, fingerprint: str) -> FrozenBackbone | None:
    """Read what ``_write`` wrote; return ``None`` if it is missing or damaged."""
    try:
        metadata = json.loads((folder / "backbone.json").read_text(encoding="utf-8"))
        graph = (folder / "graph.pb").read_bytes()
        if metadata.pop("sha256") != hashlib.sha256(graph).hexdigest():
            return None
        return FrozenBackbone(graph_def_bytes=graph, fingerprint=fingerprint, **metadata)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(frozen: FrozenBackbone, folder: Path) -> None:
    metadata = asdict(frozen)
    graph = metadata.pop("graph_def_bytes")
    metadata.pop("fingerprint")
    metadata["sha256"] = hashlib.sha256(graph).hexdigest()
    # Each of the two files is replaced atomically. The checksum shows if they do not match.
    with atomic_write(folder / "graph.pb") as part:
        part.write_bytes(graph)
    with atomic_write(folder / "backbone.json") as part:
        part.write_text(json.dumps(metadata, indent=2) + "\n", encoding="utf-8")


def _freeze(backbone: Backbone) -> FrozenBackbone:
    tf = require_tensorflow()
    spec = backbone.input_spec
    function = backbone.load()

    def renamed(images: Any) -> Any:
        return tf.identity(function(images), name=OUTPUT_NODE)

    signature = tf.TensorSpec((None, spec.height, spec.width, 3), tf.float32, name=INPUT_NODE)
    concrete = tf.function(renamed, autograph=False).get_concrete_function(signature)
    graph_def = _prune(_fold_variables(concrete, backbone.reference))
    return FrozenBackbone(
        graph_def_bytes=graph_def.SerializeToString(deterministic=True),
        input_name=f"{INPUT_NODE}:0",
        output_name=f"{OUTPUT_NODE}:0",
        height=spec.height,
        width=spec.width,
        num_features=int(concrete.outputs[0].shape[1]),
        fingerprint=backbone.fingerprint,
    )


def _fold_variables(concrete: Any, text: str) -> Any:
    # TensorFlow has no public function for this; its TFLite converter and tf2onnx use this one.
    from tensorflow.python.framework import convert_to_constants  # noqa: PLC0415, TID251 (heavy)

    graph_def = convert_to_constants.convert_variables_to_constants_v2(
        concrete
    ).graph.as_graph_def()
    leftover = sorted({node.op for node in graph_def.node} & _CONTROL_FLOW)
    if leftover:
        raise BackboneError(
            f"{text} contains control flow of TensorFlow 1 ({', '.join(leftover)}), which cannot "
            "be frozen. Use a newer version of the backbone."
        )
    return graph_def


def _prune(graph_def: Any) -> Any:
    """Remove control inputs, identities and default attributes, which inference does not need."""
    tf = require_tensorflow()
    for node in graph_def.node:
        # Control inputs only order the reads of variables, and there are no variables left.
        data = [name for name in node.input if not name.startswith("^")]
        del node.input[:]
        node.input.extend(data)
    graph_util = tf.compat.v1.graph_util
    spliced = graph_util.remove_training_nodes(graph_def, protected_nodes=[OUTPUT_NODE])
    spliced.versions.CopyFrom(graph_def.versions)
    spliced.library.CopyFrom(graph_def.library)
    needed = graph_util.extract_sub_graph(spliced, [OUTPUT_NODE])
    return without_defaults(_with_stable_layer_names(_with_stable_weight_names(needed)))


def _with_stable_weight_names(graph_def: Any) -> Any:
    """Put the weights first, numbered in the order of use.

    TensorFlow's names and order of them depend on what else the process did before. Without this,
    freezing the same backbone again would give different bytes.
    """
    names: dict[str, str] = {}
    for node in graph_def.node:
        for name in node.input:
            if name.isdigit():
                names.setdefault(name, f"frozen_weights/{len(names)}")
    nodes = {node.name: node for node in graph_def.node}
    first = [nodes.pop(name) for name in names]
    for node in first:
        node.name = names[node.name]
    for node in nodes.values():
        node.input[:] = [names.get(name, name) for name in node.input]
    ordered = type(graph_def)(versions=graph_def.versions, library=graph_def.library)
    ordered.node.extend([*first, *nodes.values()])
    return ordered


def _with_stable_layer_names(graph_def: Any) -> Any:
    """Renumber default names of Keras, which are counted per process: "add_7" becomes "add"."""
    default_names = _keras_default_names()
    parts: dict[tuple[str, ...], str] = {}
    seen: Counter[tuple[tuple[str, ...], str]] = Counter()
    names = {}
    for node in graph_def.node:
        path: tuple[str, ...] = ()
        renamed = []
        for part in node.name.split("/"):
            above, path = path, (*path, part)
            if path not in parts:
                base = _COUNT.sub("", part)
                if base in default_names:
                    number = seen[above, base]
                    seen[above, base] += 1
                    part = f"{base}_{number}" if number else base
                parts[path] = part
            renamed.append(parts[path])
        names[node.name] = "/".join(renamed)
    for node in graph_def.node:
        node.name = names[node.name]
        for index, name in enumerate(node.input):
            source, colon, output = name.partition(":")
            node.input[index] = f"{names[source]}{colon}{output}"
    return graph_def


def _keras_default_names() -> frozenset[str]:
    """Return the default names of Keras's layers and operations, without their counters."""
    keras = require_tensorflow().keras
    names = (*dir(keras.layers), *dir(keras.ops), "Functional", "Sequential", "Model")
    return frozenset(_WORD.sub(r"\1_\2", _CAPITAL.sub(r"\1_\2", name)).lower() for name in names)


def without_defaults(graph_def: Any) -> Any:
    """Remove attributes with default values from a graph.

    Newer versions of TensorFlow write attributes that older versions do not know.
    """
    tf = require_tensorflow()
    from tensorflow.python.framework import meta_graph  # noqa: PLC0415, TID251 (heavy)

    meta = tf.compat.v1.MetaGraphDef(graph_def=graph_def)
    meta_graph.strip_graph_default_valued_attrs(meta)
    return meta.graph_def

"""The one form in which every module is used: a graph with its weights inside.

Whatever a module was made with, compiling it for LiteRT, exporting it and describing it start from
the same file, written once and kept in the cache folder. A later run reads it back without loading
the original, and without TensorFlow if nothing is to be computed.
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
"""Part of the cache's folder name: raised when the same module is frozen to another graph."""

INPUT_NODE = "images"
OUTPUT_NODE = "features"

_COUNT = re.compile(r"(_\d+)+$")
# As Keras makes a name of a class: GlobalAveragePooling2D, global_average_pooling2d.
_CAPITAL = re.compile("(.)([A-Z][a-z]+)")
_WORD = re.compile("([a-z])([A-Z])")

# TF1's control flow is made of these; what follows would tear it apart.
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
        num_features: Width of the output.
        fingerprint: That of the module.
    """

    graph_def_bytes: bytes
    input_name: str
    output_name: str
    height: int
    width: int
    num_features: int
    fingerprint: str

    def load(self) -> FeatureFunction:
        """Return the graph as a ``tf.function`` of one signature, from images to features."""
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


def frozen_graph(module: Backbone) -> FrozenBackbone:
    """Return ``module`` with its variables folded into constants, from the cache if it is there.

    The graph holds no default-valued attributes, so that TensorFlow 2.12 reads it too.

    Raises:
        BackboneError: the module cannot be loaded or frozen.
        CacheError: the cache folder cannot be made.
    """
    name = f"{module.fingerprint}-{FREEZER_VERSION}"
    kept = _read(cache_dir("modules") / name, module.fingerprint)
    if kept is not None:
        return kept
    frozen = _freeze(module)
    in_cache(lambda root: _write(frozen, root / name), "modules")
    return frozen


def _read(folder: Path, fingerprint: str) -> FrozenBackbone | None:
    """Return what ``_write`` wrote, ``None`` if it is absent or damaged."""
    try:
        described = json.loads((folder / "module.json").read_text(encoding="utf-8"))
        graph = (folder / "graph.pb").read_bytes()
        if described.pop("sha256") != hashlib.sha256(graph).hexdigest():
            return None
        return FrozenBackbone(graph_def_bytes=graph, fingerprint=fingerprint, **described)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(frozen: FrozenBackbone, folder: Path) -> None:
    described = asdict(frozen)
    graph = described.pop("graph_def_bytes")
    described.pop("fingerprint")
    described["sha256"] = hashlib.sha256(graph).hexdigest()
    # Two files, each replaced whole: the checksum tells a pair that does not belong together.
    with atomic_write(folder / "graph.pb") as part:
        part.write_bytes(graph)
    with atomic_write(folder / "module.json") as part:
        part.write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")


def _freeze(module: Backbone) -> FrozenBackbone:
    tf = require_tensorflow()
    spec = module.input_spec
    function = module.load()

    def renamed(images: Any) -> Any:
        return tf.identity(function(images), name=OUTPUT_NODE)

    signature = tf.TensorSpec((None, spec.height, spec.width, 3), tf.float32, name=INPUT_NODE)
    concrete = tf.function(renamed, autograph=False).get_concrete_function(signature)
    graph_def = _tidied(_fold_variables(concrete, module.reference))
    return FrozenBackbone(
        graph_def_bytes=graph_def.SerializeToString(deterministic=True),
        input_name=f"{INPUT_NODE}:0",
        output_name=f"{OUTPUT_NODE}:0",
        height=spec.height,
        width=spec.width,
        num_features=int(concrete.outputs[0].shape[1]),
        fingerprint=module.fingerprint,
    )


def _fold_variables(concrete: Any, text: str) -> Any:
    # TensorFlow has no public name for this; its own TFLite converter and tf2onnx import it so.
    from tensorflow.python.framework import convert_to_constants  # noqa: PLC0415, TID251 (heavy)

    graph_def = convert_to_constants.convert_variables_to_constants_v2(
        concrete
    ).graph.as_graph_def()
    leftover = sorted({node.op for node in graph_def.node} & _CONTROL_FLOW)
    if leftover:
        raise BackboneError(
            f"{text} contains control flow of TensorFlow 1 ({', '.join(leftover)}), which cannot "
            "be frozen. Use a newer version of the module."
        )
    return graph_def


def _tidied(graph_def: Any) -> Any:
    """Return the graph without what inference does not need: order, identities, defaults."""
    tf = require_tensorflow()
    for node in graph_def.node:
        # Without variables nothing has to be done in an order.
        data = [name for name in node.input if not name.startswith("^")]
        del node.input[:]
        node.input.extend(data)
    graph_util = tf.compat.v1.graph_util
    spliced = graph_util.remove_training_nodes(graph_def, protected_nodes=[OUTPUT_NODE])
    spliced.versions.CopyFrom(graph_def.versions)
    spliced.library.CopyFrom(graph_def.library)
    needed = graph_util.extract_sub_graph(spliced, [OUTPUT_NODE])
    return without_defaults(_without_counters(_with_lasting_names(needed)))


def _with_lasting_names(graph_def: Any) -> Any:
    """Return the graph with the weights first, numbered in the order in which they are used.

    TensorFlow names and orders them by what else the process has done, so that the same module
    would be frozen to other bytes the next time.
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


def _without_counters(graph_def: Any) -> Any:
    """Numbers anew what Keras names by counting in the process: "global_average_pooling2d_7"."""
    pluralize = _names_by_keras()
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
                if base in pluralize:
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


def _names_by_keras() -> frozenset[str]:
    """Return what layers and operations without a name of their own are called, uncounted."""
    keras = require_tensorflow().keras
    names = (*dir(keras.layers), *dir(keras.ops), "Functional", "Sequential", "Model")
    return frozenset(_WORD.sub(r"\1_\2", _CAPITAL.sub(r"\1_\2", name)).lower() for name in names)


def without_defaults(graph_def: Any) -> Any:
    """Return the graph without attributes of default value.

    Newer TensorFlow writes some that older TensorFlow does not know.
    """
    tf = require_tensorflow()
    from tensorflow.python.framework import meta_graph  # noqa: PLC0415, TID251 (heavy)

    meta = tf.compat.v1.MetaGraphDef(graph_def=graph_def)
    meta_graph.strip_graph_default_valued_attrs(meta)
    return meta.graph_def

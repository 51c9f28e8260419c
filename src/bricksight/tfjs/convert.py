"""Run TensorFlow.js's converter in a separate process, with some of its imports replaced.

The converter depends on packages that exclude a current TensorFlow. They are needed only for other
conversions, so this script replaces them, and the ``__init__`` that imports them, by empty modules.
"""

import importlib
import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

_UNUSED = ("tensorflow_decision_forests", "tensorflow_hub")


def main() -> None:
    """Convert a frozen graph; arguments: graph file, name of the output node, output folder."""
    graph, output, folder = sys.argv[1:]
    try:
        _converter().convert_tf_frozen_model(graph, output, folder)
    except ValueError as error:
        sys.exit(" ".join(str(error).split()))  # as one line, without a traceback


def _converter() -> Any:
    spec = find_spec("tensorflowjs")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("tensorflowjs is not installed")
    (root,) = spec.submodule_search_locations
    for name, folder in (("tensorflowjs", root), ("tensorflowjs.converters", f"{root}/converters")):
        package = ModuleType(name)
        package.__path__ = [folder]
        package.__spec__ = ModuleSpec(name, None, is_package=True)
        sys.modules[name] = package
    for name in _UNUSED:
        sys.modules[name] = ModuleType(name)
    return importlib.import_module("tensorflowjs.converters.tf_saved_model_conversion_v2")


if __name__ == "__main__":
    main()

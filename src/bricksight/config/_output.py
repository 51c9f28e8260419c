"""Settings of what a training writes and prints."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bricksight._support.reprs import changed_fields_repr
from bricksight.config._checks import require_photos, require_range
from bricksight.config._paths import take_paths
from bricksight.config._types import take_types
from bricksight.errors import ConfigError

Verbosity = Literal["DEBUG", "INFO", "WARN", "ERROR", "FATAL"]

GRAPH_NAMES = ("Placeholder", "input", "module_apply_default", "final_retrain_ops")
"""First parts of the names of all nodes of the frozen graph but the output."""

_TENSOR_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)*", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class OutputConfig:
    """The bundle, and what is printed.

    Attributes:
        out: Folder of the model to write. By default a new one named after photos and time.
        final_tensor_name: Name of the output tensor in the frozen graph.
        test_batch_size: Test on this many randomly drawn photos; -1 uses all.
        print_misclassified_test_images: Print every misclassified test photo.
        logging_verbosity: Log level on stderr. From WARN on progress is not logged.
    """

    out: Path | None = None
    final_tensor_name: str = "final_result"
    test_batch_size: int = -1
    print_misclassified_test_images: bool = False
    logging_verbosity: Verbosity = "INFO"

    __repr__ = changed_fields_repr

    def __post_init__(self) -> None:
        take_types(self)
        take_paths(self)
        require_tensor_name(self.final_tensor_name)
        require_photos(self, "test_batch_size")


@dataclass(frozen=True, kw_only=True)
class FilesConfig:
    """Files beside the model folder.

    Attributes:
        output_graph: Also write the frozen graph to this file.
        output_labels: Also write the labels to this file.
        saved_model_dir: Also write the SavedModel to this folder.
        summaries_dir: Write TensorBoard summaries below this folder instead of into the bundle.
        intermediate_store_frequency: Write a frozen graph every this many steps; 0 turns it off.
        intermediate_output_graphs_dir: Folder for these graphs.
        feature_cache_dir: Folder of the feature cache; by default in the user's cache folder.
        checkpoint_path: File of the checkpoint for --resume; by default in the cache folder.
        resume: Continue an interrupted training of the same command.
    """

    output_graph: Path | None = None
    output_labels: Path | None = None
    saved_model_dir: Path | None = None
    summaries_dir: Path | None = None
    intermediate_store_frequency: int = 0
    intermediate_output_graphs_dir: Path = Path("intermediate_graph")
    feature_cache_dir: Path | None = None
    checkpoint_path: Path | None = None
    resume: bool = False

    __repr__ = changed_fields_repr

    def __post_init__(self) -> None:
        take_types(self)
        take_paths(self)
        require_range(self, "intermediate_store_frequency", 0, 10**9)


def require_tensor_name(name: str) -> None:
    """Raise ConfigError unless the output node of the graph can have this name.

    Raises:
        ConfigError: TensorFlow does not accept the name, or another node has it.
    """
    if not _TENSOR_NAME.fullmatch(name):
        raise ConfigError(
            f"--final_tensor_name {name!r} is not a valid name of a TensorFlow node. Use letters, "
            "digits and . - _ /, and begin with a letter or digit."
        )
    # TensorFlow compares names without regard to case.
    first = name.partition("/")[0].lower()
    if first in {taken.lower() for taken in GRAPH_NAMES}:
        raise ConfigError(
            f"--final_tensor_name {name!r} is taken: {', '.join(GRAPH_NAMES)} are other nodes of "
            "the graph. Choose another name, such as final_result."
        )

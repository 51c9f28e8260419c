"""What a run writes and tells."""

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
"""How the names of the frozen graph's nodes begin, the output's excepted."""

_TENSOR_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)*", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class OutputConfig:
    """What a run tells, and the model folder.

    Attributes:
        out: The model folder to write; by default a new one named after the photos and the time.
        final_tensor_name: Name of the output in the frozen graph.
        test_batch_size: Test on this many photos drawn at random; -1 takes all of them.
        print_misclassified_test_images: Print every test photo with a wrong answer.
        logging_verbosity: How much is said on the way; from WARN on only what may be wrong.
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
        summaries_dir: Write the TensorBoard summaries below this folder instead of into the bundle.
        intermediate_store_frequency: Write a frozen graph after every so many steps; 0 for never.
        intermediate_output_graphs_dir: Folder of these graphs.
        bottleneck_dir: Folder of the feature cache, instead of the one that all runs share.
        checkpoint_path: Where an interrupted training is kept, instead of the cache folder.
        resume: Go on from where the same training was interrupted.
    """

    output_graph: Path | None = None
    output_labels: Path | None = None
    saved_model_dir: Path | None = None
    summaries_dir: Path | None = None
    intermediate_store_frequency: int = 0
    intermediate_output_graphs_dir: Path = Path("intermediate_graph")
    bottleneck_dir: Path | None = None
    checkpoint_path: Path | None = None
    resume: bool = False

    __repr__ = changed_fields_repr

    def __post_init__(self) -> None:
        take_types(self)
        take_paths(self)
        require_range(self, "intermediate_store_frequency", 0, 10**9)


def require_tensor_name(name: str) -> None:
    """Refuses a name that the output of the graph cannot have.

    Raises:
        ConfigError: TensorFlow takes no such name, or other nodes of the graph have it.
    """
    if not _TENSOR_NAME.fullmatch(name):
        raise ConfigError(
            f"--final_tensor_name {name!r} is no name for a TensorFlow node. It may hold "
            "letters, digits and . - _ /, and begins with a letter or a digit."
        )
    # TensorFlow tells names apart without regard to upper and lower case.
    first = name.partition("/")[0].lower()
    if first in {taken.lower() for taken in GRAPH_NAMES}:
        raise ConfigError(
            f"--final_tensor_name {name!r} is taken: {', '.join(GRAPH_NAMES)} are other parts of "
            "the graph. Choose another name, such as final_result."
        )

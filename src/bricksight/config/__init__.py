"""Every setting once: name, default, meaning, and what it may be.

The command line is made from these classes: a field is an option, its line under ``Attributes`` is
the option's help, its default is the option's default. retrain.py's names are kept.
"""

from bricksight._support.filesystem.photo_names import (
    PHOTO_EXTENSIONS,
    PHOTO_FORMATS,
    RENDERS_FILE,
)
from bricksight.config._augment import AugmentConfig
from bricksight.config._backbone import AUTO_MODULE, BackboneConfig, Rotations
from bricksight.config._crossval import CrossvalConfig
from bricksight.config._data import DataConfig
from bricksight.config._head import ClassWeight, HeadConfig, HeadKind, Mirror
from bricksight.config._input import InputSpec, Resize
from bricksight.config._output import (
    GRAPH_NAMES,
    FilesConfig,
    OutputConfig,
    Verbosity,
    require_tensor_name,
)
from bricksight.config._paths import (
    EMPTY_IS_NONE,
    AnyPath,
    input_path,
    input_paths,
    require_text,
    user_path,
)
from bricksight.config._split import MOST_PATTERN_CHARACTERS, SPLITS, Layout, SplitConfig
from bricksight.config._training import TrainingConfig
from bricksight.config._tuning import BatchNorm, FineTuneConfig, Recipe
from bricksight.config._types import given, given_or_default

__all__ = [
    "AUTO_MODULE",
    "EMPTY_IS_NONE",
    "GRAPH_NAMES",
    "MOST_PATTERN_CHARACTERS",
    "PHOTO_EXTENSIONS",
    "PHOTO_FORMATS",
    "RENDERS_FILE",
    "SPLITS",
    "AnyPath",
    "AugmentConfig",
    "BackboneConfig",
    "BatchNorm",
    "ClassWeight",
    "CrossvalConfig",
    "DataConfig",
    "FilesConfig",
    "FineTuneConfig",
    "HeadConfig",
    "HeadKind",
    "InputSpec",
    "Layout",
    "Mirror",
    "OutputConfig",
    "Recipe",
    "Resize",
    "Rotations",
    "SplitConfig",
    "TrainingConfig",
    "Verbosity",
    "given",
    "given_or_default",
    "input_path",
    "input_paths",
    "require_tensor_name",
    "require_text",
    "user_path",
]

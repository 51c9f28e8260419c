"""Settings of every command and function, each defined once.

Options of the command line and keywords of the Python API are made from these classes: a field is
an option, its line under ``Attributes`` is the help, its default is the default.
"""

from bricksight._support.filesystem.photo_names import (
    PHOTO_EXTENSIONS,
    PHOTO_FORMATS,
    RENDERS_FILE,
)
from bricksight.config._augment import AugmentConfig
from bricksight.config._backbone import AUTO_BACKBONE, BackboneConfig, Rotations
from bricksight.config._checks import user_name
from bricksight.config._crossval import CrossValidationConfig
from bricksight.config._data import DataConfig
from bricksight.config._head import ClassWeight, HeadConfig, HeadKind, RandomFlip
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
    "AUTO_BACKBONE",
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
    "CrossValidationConfig",
    "DataConfig",
    "FilesConfig",
    "FineTuneConfig",
    "HeadConfig",
    "HeadKind",
    "InputSpec",
    "Layout",
    "OutputConfig",
    "RandomFlip",
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
    "user_name",
    "user_path",
]

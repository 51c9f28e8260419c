"""``bricksight retrain``: the command line of TensorFlow Hub's retrain.py."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from bricksight.cli._options import MAIN, make_options
from bricksight.config import TrainingConfig

NAMES = {"reference": "tfhub_module", "feature_cache_dir": "bottleneck_dir"}
"""Setting → retrain.py's flag, where the names differ."""

DEFAULTS = {"how_many_training_steps": 4000, "learning_rate": 0.01, "train_batch_size": 100}
"""Defaults of retrain.py that the settings leave open."""

_FLAGS = (
    *("image_dir", "output_graph", "intermediate_output_graphs_dir"),
    *("intermediate_store_frequency", "output_labels", "summaries_dir", "how_many_training_steps"),
    *("learning_rate", "testing_percentage", "validation_percentage", "eval_step_interval"),
    *("train_batch_size", "test_batch_size", "validation_batch_size"),
    *("print_misclassified_test_images", "feature_cache_dir", "final_tensor_name"),
    *("flip_left_right", "random_crop", "random_scale", "random_brightness", "reference"),
    *("saved_model_dir", "logging_verbosity", "checkpoint_path"),
)

ADDED = ("out", "resume", "trust", "layout")
"""Options that retrain.py lacked: for the bundle, for its checkpoint, and to pass two checks."""

if TYPE_CHECKING:
    RetrainOptions = Any
else:
    RetrainOptions = make_options(
        {MAIN: _FLAGS, "Not in retrain.py": ADDED}, names=NAMES, defaults=DEFAULTS
    )


def retrain(*, options: Annotated[RetrainOptions, Parameter(name="*")]) -> int:
    """Train with the flags, defaults and algorithm of TensorFlow Hub's retrain.py.

    The head is trained by gradient descent. `bricksight train` is more accurate. Defaults differ
    where retrain.py wrote to /tmp, and for --tfhub_module, which needs no download here.

    Args:
        options: The flags of retrain.py.
    """
    from bricksight.cli._training import run_training

    config = training_config(options)
    verbosity = config.output.logging_verbosity
    return run_training(config, log_level=verbosity, lines=verbosity in ("DEBUG", "INFO"))


def training_config(options: RetrainOptions) -> TrainingConfig:
    """Return the settings of the training; it is always gradient descent."""
    settings = asdict(options)
    return TrainingConfig.of(backbone=settings.pop("reference"), **settings)

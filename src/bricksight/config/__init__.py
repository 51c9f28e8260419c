"""Every setting once: name, default, meaning, and what it may be.

The command line is made from these classes: a field is an option, its line under ``Attributes`` is
the option's help, its default is the option's default. retrain.py's names are kept.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bricksight._support.filesystem.photo_names import (
    PHOTO_EXTENSIONS,
    PHOTO_FORMATS,
    RENDERS_FILE,
)
from bricksight.config._augment import AugmentConfig
from bricksight.config._checks import require_photos, require_range
from bricksight.config._input import InputSpec, Resize
from bricksight.config._paths import (
    EMPTY_IS_NONE,
    AnyPath,
    input_path,
    input_paths,
    require_text,
    take_paths,
    user_path,
)
from bricksight.config._tuning import BatchNorm, FineTuneConfig, Recipe
from bricksight.config._types import given, given_or_default, take_types
from bricksight.errors import ConfigError

__all__ = [
    "AUTO_MODULE",
    "BUCKETS",
    "EMPTY_IS_NONE",
    "GRAPH_NAMES",
    "MOST_PATTERN_CHARACTERS",
    "PHOTO_EXTENSIONS",
    "PHOTO_FORMATS",
    "RENDERS_FILE",
    "AnyPath",
    "AugmentConfig",
    "BatchNorm",
    "ClassWeight",
    "CrossvalConfig",
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
    "RetrainConfig",
    "SourceConfig",
    "SplitConfig",
    "Turns",
    "Verbosity",
    "given",
    "given_or_default",
    "input_path",
    "input_paths",
    "require_tensor_name",
    "require_text",
    "user_path",
]

BUCKETS = ("training", "validation", "testing")
"""The three sides of a split, in the order in which they are reported."""

AUTO_MODULE = "auto"
"""In place of a reference: whichever of the networks that come with bricksight suits the photos."""

Layout = Literal["auto", "classes"]
Turns = Literal[1, 2, 4]
ClassWeight = Literal["balanced", "none"]
HeadKind = Literal["softmax", "lda"]
Mirror = Literal["auto", "never", "always"]
Verbosity = Literal["DEBUG", "INFO", "WARN", "ERROR", "FATAL"]

MOST_PATTERN_CHARACTERS = 1_000
"""How long a regular expression may be; they are read from bundles too."""

GRAPH_NAMES = ("Placeholder", "input", "module_apply_default", "final_retrain_ops")
"""How the names of the frozen graph's nodes begin, the output's excepted."""

_TENSOR_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)*", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class SplitConfig:
    """How photos are dealt to training, validation and testing.

    Attributes:
        testing_percentage: Share of the photos kept for the final test, in percent.
        validation_percentage: Share of the photos that chooses the best step, in percent.
        group_by: Regular expression searched in each photo's path below image_dir; photos with the
            same first capture group (or the same match, if it captures nothing) stay on one side of
            the split: several photos of one object, frames of one video.
        limit_per_class: Use at most this many photos of each class, for a quick trial.
        layout: "auto" stops if the folders look like splits, such as train and test, or like
            sessions; "classes" treats every folder as a class.
    """

    testing_percentage: int = 10
    validation_percentage: int = 10
    group_by: str | None = None
    limit_per_class: int | None = None
    layout: Layout = "auto"

    def __post_init__(self) -> None:
        take_types(self)
        require_range(self, "testing_percentage", 0, 99)
        require_range(self, "validation_percentage", 0, 99)
        require_range(self, "limit_per_class", 1, 2**31)
        if self.testing_percentage + self.validation_percentage >= 100:
            raise ConfigError(
                f"--testing_percentage {self.testing_percentage} and --validation_percentage "
                f"{self.validation_percentage} leave nothing to train on; "
                "together they must stay under 100."
            )
        if self.group_by is not None:
            require_text(self.group_by, "--group_by")
            if len(self.group_by) > MOST_PATTERN_CHARACTERS:
                raise ConfigError(
                    f"--group_by has {len(self.group_by):,} characters; it may have at most "
                    f"{MOST_PATTERN_CHARACTERS:,}."
                )
            try:
                re.compile(self.group_by)
            except (re.error, RecursionError, OverflowError) as error:
                raise ConfigError(
                    f"--group_by {self.group_by!r} is not a regular expression ({error})."
                ) from error


@dataclass(frozen=True, kw_only=True)
class HeadConfig:
    """How the classification layer is trained on features.

    Naming how_many_training_steps, learning_rate or train_batch_size asks for retrain.py's way:
    class-balanced batches, plain gradient descent at a constant rate, the last step kept. Without
    them the layer is trained by our own recipe; see docs/training.md.

    Attributes:
        how_many_training_steps: Number of steps of retrain.py's training (its default is 4000).
        learning_rate: Rate of retrain.py's training (its default is 0.01).
        train_batch_size: Photos in each step of retrain.py's training (its default is 100).
        validation_batch_size: Photos drawn for each evaluation; -1 takes all validation photos.
        eval_step_interval: Evaluate after this many steps of retrain.py's training.
        class_weight: "balanced" gives every class the same weight whatever its number of photos,
            "none" every photo; retrain.py balances, our recipe does not.
        views: Random views of each training photo; 0 for none. By default chosen from the number
            of photos and steps.
        head: "softmax" for softmax regression, "lda" for linear discriminant analysis; "auto" takes
            what does better on training photos that are held out.
        ignore_colour: Classes are shapes, whatever their colours: all colours are shown of each.
        mirror: Whether random views that our own recipe chooses may be mirrored: "auto" not where
            classes are mirror images of one another, such as left and right wedges.
        seed: Of everything random; the same seed gives the same model.
    """

    how_many_training_steps: int | None = None
    learning_rate: float | None = None
    train_batch_size: int | None = None
    validation_batch_size: int = 100
    eval_step_interval: int = 10
    class_weight: ClassWeight | None = None
    views: int | None = None
    head: Literal["auto", "softmax", "lda"] = "auto"
    ignore_colour: bool = False
    mirror: Mirror = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        take_types(self)
        require_range(self, "how_many_training_steps", 1, 10**9)
        require_range(self, "train_batch_size", 1, 10**6)
        require_range(self, "eval_step_interval", 1, 10**9)
        require_photos(self, "validation_batch_size")
        require_range(self, "views", 0, 1000)
        require_range(self, "seed", 0, 2**63 - 1)
        if self.learning_rate is not None and not 0 < self.learning_rate < float("inf"):
            raise ConfigError(
                f"--learning_rate is {self.learning_rate}; it must be above 0 and finite."
            )

    @property
    def is_retrain_way(self) -> bool:
        """Whether retrain.py's training is asked for."""
        asked = (self.how_many_training_steps, self.learning_rate, self.train_batch_size)
        return any(value is not None for value in asked)


@dataclass(frozen=True, kw_only=True)
class CrossvalConfig:
    """How often a recipe is measured.

    Attributes:
        folds: Parts that the photos are dealt to; each is tested on once a seed.
        seeds: How many times all of it is done, with other folds and another seed.
        group_by: Regular expression for photos that belong together; see `bricksight retrain`.
        learning_curve: Also train on a quarter, a half and three quarters of the photos, once each,
            to see what more of them would bring.
        layout: "classes" treats every folder as a class; see `bricksight retrain`.
        suspects: Name the photos whose labels are probably wrong, and show them on a sheet in this
            JPEG file.
    """

    folds: int = 5
    seeds: int = 3
    group_by: str | None = None
    learning_curve: bool = False
    layout: Layout = "auto"
    suspects: Path | None = None

    def __post_init__(self) -> None:
        take_types(self)
        take_paths(self)
        require_range(self, "folds", 2, 1000)
        require_range(self, "seeds", 1, 1000)
        SplitConfig(group_by=self.group_by)  # refuses what is no regular expression


@dataclass(frozen=True, kw_only=True)
class SourceConfig:
    """What a run starts from.

    Attributes:
        image_dir: Folder of photos, one sub-folder a class.
        tfhub_module: The pretrained network; see `bricksight modules`. "auto" takes the one of
            those that come with bricksight that classifies held-out training photos best.
        resize: "stretch" brings the whole photo to the network's size; "letterbox" keeps its
            proportions and fills the rest with grey.
        turns: Copies of each photo whose answers are averaged: 4 for every quarter turn, 2 for the
            photo and upside down, 1 for the photo alone. More accurate where parts lie any way
            round; classifying takes so many times as long. By default 1; with --recipe best 4,
            where held-out photos are told apart better.
        strict: Stop at the first problem with the photos instead of setting bad ones aside.
        extra_train_dir: Folder of further photos to train on, such as renders, one sub-folder a
            class; none of them is validated or tested on.
        extra_share: Weight of a class's further photos in the training, as a share of the class: 0
            to 1, without the ends.
        unknown_dir: Folder of photos of none of the classes, such as junk or the empty belt; the
            model learns to answer "unknown" to them.
        false_alarm_rate: Percent of the photos of known classes that may be answered "unknown".
        masks: Folder of masks, such as OUT_masks of `bricksight synth --masks`: for a photo
            red/1.jpg the PNG red/1.png, 255 where the part is. Random views show other backgrounds.
        empty_scene: Photo of the empty scene by the same camera; the part is where a photo differs
            from it. Photos that have a mask are not compared.
        replace_background: Percent of the random views of such photos that show another background.
        backgrounds: Folder of photos to put behind the parts; without it, plain colours and
            gradients.
        trust: Load a pretrained network even if it may access files, the network or other programs.
    """

    image_dir: Path
    tfhub_module: str = AUTO_MODULE
    resize: Resize = "stretch"
    turns: Turns | None = None
    strict: bool = False
    extra_train_dir: Path | None = None
    extra_share: float = 0.5
    unknown_dir: Path | None = None
    false_alarm_rate: float = 5
    masks: Path | None = None
    empty_scene: Path | None = None
    replace_background: float = 50
    backgrounds: Path | None = None
    trust: bool = False

    def __post_init__(self) -> None:
        take_types(self)
        take_paths(self)
        input_path(self.image_dir, "--image_dir")
        self._require_cutouts()
        if not 0 < self.extra_share < 1:
            raise ConfigError(
                f"--extra_share is {self.extra_share}; it must be over 0 and under 1."
            )
        if not 0 < self.false_alarm_rate < 100:
            raise ConfigError(
                f"--false_alarm_rate is {self.false_alarm_rate}; it is in percent and must be over "
                "0 and under 100."
            )

    @property
    def cuts_out(self) -> bool:
        """Whether something says where the parts of photos are."""
        return self.masks is not None or self.empty_scene is not None

    def _require_cutouts(self) -> None:
        if not 0 < self.replace_background <= 100:
            raise ConfigError(
                f"--replace_background is {self.replace_background}; it is in percent and must be "
                "over 0 and at most 100. Leave out --masks and --empty_scene to replace none."
            )
        for name in ("replace_background", "backgrounds"):
            value = getattr(self, name)
            if not self.cuts_out and value != getattr(SourceConfig, name):
                raise ConfigError(
                    f"--{name} {value} does nothing where parts are not known from their "
                    "background. Add --masks DIR or --empty_scene PHOTO, or leave it out."
                )


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

    def __post_init__(self) -> None:
        take_types(self)
        take_paths(self)
        require_range(self, "intermediate_store_frequency", 0, 10**9)


@dataclass(frozen=True, kw_only=True)
class RetrainConfig(SourceConfig, OutputConfig, FilesConfig):
    """One run from photos to a bundle; its fields are those of the three classes above."""

    def __post_init__(self) -> None:
        SourceConfig.__post_init__(self)
        OutputConfig.__post_init__(self)
        FilesConfig.__post_init__(self)


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

"""Settings of the classification layer."""

from dataclasses import dataclass
from typing import Literal

from bricksight._support.reprs import changed_fields_repr
from bricksight.config._checks import require_photos, require_range
from bricksight.config._types import take_types
from bricksight.errors import ConfigError

ClassWeight = Literal["balanced", "none"]
HeadKind = Literal["softmax", "lda"]
Mirror = Literal["auto", "never", "always"]


@dataclass(frozen=True, kw_only=True)
class HeadConfig:
    """How the classification layer is trained on features.

    Naming how_many_training_steps, learning_rate or train_batch_size asks for retrain.py's way:
    class-balanced batches, plain gradient descent at a constant rate, the last step kept. Without
    them the layer is trained by our own recipe; see docs/explanation/training.md.

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

    __repr__ = changed_fields_repr

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

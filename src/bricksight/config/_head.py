"""Settings of the head, the classification layer on features."""

from dataclasses import dataclass
from typing import Literal

from bricksight._support.reprs import changed_fields_repr
from bricksight.config._checks import require_photos, require_range
from bricksight.config._types import take_types
from bricksight.errors import ConfigError

ClassWeight = Literal["balanced", "none"]
HeadKind = Literal["softmax", "lda"]
RandomFlip = Literal["auto", "never", "always"]


@dataclass(frozen=True, kw_only=True)
class HeadConfig:
    """How the head is trained on features.

    Setting how_many_training_steps, learning_rate or train_batch_size selects the training of
    retrain.py: class-balanced batches and gradient descent at a constant learning rate. Otherwise
    the head is fitted to all features at once, with regularisation chosen by cross-validation.

    Attributes:
        how_many_training_steps: Number of gradient descent steps.
        learning_rate: Learning rate of gradient descent.
        train_batch_size: Photos per step of gradient descent.
        validation_batch_size: Photos per evaluation during gradient descent; -1 uses all.
        eval_step_interval: Evaluate after every this many steps of gradient descent.
        class_weight: "balanced" gives every class the same weight, "none" every photo.
        augmented_copies: Augmented copies of each training photo; 0 turns augmentation off. By
            default chosen from the number of photos.
        head: "softmax" for softmax regression, "lda" for linear discriminant analysis. "auto" uses
            what is better on held-out training photos.
        color_invariant: Ignore colour: augmentation covers all hues and saturations.
        random_flip: Whether automatic augmentation may flip photos. "auto" does not where classes
            are mirror images of each other, such as left and right shoes.
        seed: Random seed. The same seed gives the same model.
    """

    how_many_training_steps: int | None = None
    learning_rate: float | None = None
    train_batch_size: int | None = None
    validation_batch_size: int = 100
    eval_step_interval: int = 10
    class_weight: ClassWeight | None = None
    augmented_copies: int | None = None
    head: Literal["auto", "softmax", "lda"] = "auto"
    color_invariant: bool = False
    random_flip: RandomFlip = "auto"
    seed: int = 0

    __repr__ = changed_fields_repr

    def __post_init__(self) -> None:
        take_types(self)
        require_range(self, "how_many_training_steps", 1, 10**9)
        require_range(self, "train_batch_size", 1, 10**6)
        require_range(self, "eval_step_interval", 1, 10**9)
        require_photos(self, "validation_batch_size")
        require_range(self, "augmented_copies", 0, 1000)
        require_range(self, "seed", 0, 2**63 - 1)
        if self.learning_rate is not None and not 0 < self.learning_rate < float("inf"):
            raise ConfigError(
                f"--learning_rate is {self.learning_rate}; it must be above 0 and finite."
            )

    @property
    def uses_gradient_descent(self) -> bool:
        """Whether the head is trained as by retrain.py."""
        asked = (self.how_many_training_steps, self.learning_rate, self.train_batch_size)
        return any(value is not None for value in asked)

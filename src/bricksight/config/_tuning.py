"""Settings of the recipe and of fine-tuning."""

import re
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal

from bricksight._support.reprs import changed_fields_repr
from bricksight.config._checks import require_range
from bricksight.config._paths import take_paths
from bricksight.config._types import take_types
from bricksight.errors import ConfigError

BatchNorm = Literal["adapted", "frozen"]
Recipe = Literal["fast", "balanced", "best"]

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smh])", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class FineTuneConfig:
    """Whether and how the backbone's own weights are trained.

    Attributes:
        recipe: "fast" trains the head only, "balanced" fine-tunes the backbone too, "best" for
            longer. The better of head and fine-tuning is kept. "balanced" skips fine-tuning where
            the head is right on 99 % of held-out photos.
        time_budget: Time for the whole run, such as 90s, 10m or 1.5h; sets the number of epochs.
        fine_tune: Fine-tune the backbone, and keep that without comparing it with the head alone.
        fine_tune_epochs: Epochs of fine-tuning; by default 40, with --recipe best 100.
        fine_tune_size: Input size in pixels for the first three quarters of the epochs. By default
            five sevenths of the backbone's: 160 for 224.
        fine_tune_learning_rate: Peak learning rate of the backbone. The head's is ten times that.
        fine_tune_batch_size: Photos per step.
        fine_tune_from: Name of the first layer to train, or "whole"; the layers before it are
            frozen. By default layers with a feature map over an eighth of the input size are.
        fine_tune_extra_epochs: Epochs on the photos of extra_train_dir before the others.
        patience: Early stopping: end a stage after this many epochs without improvement on the
            validation photos, and keep the best step. Off by default.
        mixup: Mixup with a beta distribution of this parameter, such as 0.2; 0 turns it off.
        cutmix: CutMix with a beta distribution of this parameter, such as 1; 0 turns it off.
        batch_norm: Batch normalisation statistics: "adapted" to these photos, or "frozen" as
            pretrained.
        teacher: Model folder or exported file to distill from. It must know all classes.
        teacher_share: Weight of the teacher's answers against the labels, 0 to 1.
    """

    recipe: Recipe | None = None
    time_budget: str | None = None
    fine_tune: bool = False
    fine_tune_epochs: int | None = None
    fine_tune_size: int | None = None
    fine_tune_learning_rate: float = 1e-3
    fine_tune_batch_size: int = 32
    fine_tune_from: str | None = None
    fine_tune_extra_epochs: int = 12
    patience: int | None = None
    mixup: float = 0
    cutmix: float = 0
    batch_norm: BatchNorm = "adapted"
    teacher: Path | None = None
    teacher_share: float = 0.5

    __repr__ = changed_fields_repr

    def __post_init__(self) -> None:
        take_types(self)
        take_paths(self)
        require_range(self, "fine_tune_epochs", 1, 10**6)
        require_range(self, "fine_tune_size", 32, 4096)
        require_range(self, "fine_tune_batch_size", 2, 4096)
        require_range(self, "fine_tune_extra_epochs", 0, 10**6)
        require_range(self, "patience", 1, 10**6)
        require_range(self, "mixup", 0, 100)
        require_range(self, "cutmix", 0, 100)
        require_range(self, "teacher_share", 0, 1)
        if not 0 < self.fine_tune_learning_rate < float("inf"):
            raise ConfigError(
                f"--fine_tune_learning_rate is {self.fine_tune_learning_rate}; it must be above 0 "
                "and finite."
            )
        if not self.trains_network:
            self._require_unused()
        if self.teacher is None and self.teacher_share != FineTuneConfig.teacher_share:
            raise ConfigError(
                f"--teacher_share {self.teacher_share} has no effect without --teacher MODEL."
            )
        if self.fine_tune and self.recipe == "fast":
            raise ConfigError(
                "--recipe fast trains the head only, --fine_tune the backbone too. Leave one out."
            )
        if self.budget_seconds is not None and not self.trains_network:
            raise ConfigError(
                "--time_budget limits fine-tuning. Add --recipe balanced or --recipe best. "
                "Training the head alone takes seconds."
            )

    def _require_unused(self) -> None:
        """Raise ConfigError for settings of fine-tuning where nothing is fine-tuned."""
        own = ("recipe", "fine_tune", "time_budget")
        given = [
            f"--{one.name} {getattr(self, one.name)}"
            for one in fields(self)
            if one.name not in own and getattr(self, one.name) != one.default
        ]
        if given:
            raise ConfigError(
                f"{', '.join(given)} has no effect without fine-tuning. Add --recipe balanced or "
                "--fine_tune."
            )

    @property
    def trains_network(self) -> bool:
        """Whether the backbone is trained too."""
        return self.fine_tune or self.recipe in ("balanced", "best")

    @property
    def keeps_better(self) -> bool:
        """Whether fine-tuning is compared with the head alone, and the better one kept."""
        return self.recipe in ("balanced", "best") and self.patience is None

    @property
    def resolved(self) -> "FineTuneConfig":
        """These settings, with defaults of the recipe filled in."""
        if not self.trains_network:
            return self
        epochs = self.fine_tune_epochs or (100 if self.recipe == "best" else 40)
        return replace(self, fine_tune=True, fine_tune_epochs=epochs)

    @property
    def budget_seconds(self) -> float | None:
        """The time budget in seconds, ``None`` without one.

        Raises:
            ConfigError: ``time_budget`` is not a time.
        """
        if self.time_budget is None:
            return None
        match = _DURATION.fullmatch(self.time_budget.strip())
        if not match or not float(match[1]):
            raise ConfigError(
                f"--time_budget is {self.time_budget!r}; it must be a time such as 90s, 10m or "
                "1.5h."
            )
        return float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]]

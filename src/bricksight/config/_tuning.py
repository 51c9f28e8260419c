"""Fine-tuning settings."""

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
    """How the whole network is trained on, after the layer on top or instead of it.

    Attributes:
        recipe: "fast" trains the layer on top alone; "balanced" and "best" the network as well,
            "best" longer, and keep what answers the validation photos better. "balanced" leaves it
            where the head alone is wrong on no more than 1 % of the held-out photos.
        time_budget: What the whole run may take, such as 90s, 10m or 1.5h: with fewer epochs, if it
            must be.
        fine_tune: Train the network's own weights too, and keep that.
        fine_tune_epochs: How many times each training photo is seen; by default 40, by the recipe
            "best" 100.
        fine_tune_size: Rows and columns of the images at first, in pixels; the last quarter of the
            epochs has the network's own. By default five sevenths of that: 160 for 224.
        fine_tune_rate: Highest learning rate of the network; the layer on top learns ten times as
            fast.
        fine_tune_batch_size: Photos in each step.
        fine_tune_from: Name of the first layer to train, or "whole"; those before it stay as they
            are. By default those stay whose maps have more than an eighth of the image's rows.
        fine_tune_extra_epochs: How many times each photo of extra_train_dir is seen before the
            first of the others.
        early_stopping: End a stage when the validation photos have not been answered better for so
            many epochs, and keep the best step; by default the last one is kept.
        mixup: Blend each training view with another, labels too, by a share drawn from a beta
            distribution of this parameter, such as 0.2; 0 for never.
        cutmix: Paste a rectangle of another training view into each, labels too; its share is drawn
            likewise, 1 makes all alike; 0 for never.
        batch_norm: "adapted" takes the normalisation's statistics from these photos, "frozen"
            leaves the pretrained ones.
        teacher: Model folder or exported file whose answers are learned too; it must know all
            classes.
        teacher_share: How much its answers count beside the labels, 0 to 1.
    """

    recipe: Recipe | None = None
    time_budget: str | None = None
    fine_tune: bool = False
    fine_tune_epochs: int | None = None
    fine_tune_size: int | None = None
    fine_tune_rate: float = 1e-3
    fine_tune_batch_size: int = 32
    fine_tune_from: str | None = None
    fine_tune_extra_epochs: int = 12
    early_stopping: int | None = None
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
        require_range(self, "early_stopping", 1, 10**6)
        require_range(self, "mixup", 0, 100)
        require_range(self, "cutmix", 0, 100)
        require_range(self, "teacher_share", 0, 1)
        if not 0 < self.fine_tune_rate < float("inf"):
            raise ConfigError(
                f"--fine_tune_rate is {self.fine_tune_rate}; it must be above 0 and finite."
            )
        if not self.trains_network:
            self._require_unused()
        if self.teacher is None and self.teacher_share != FineTuneConfig.teacher_share:
            raise ConfigError(
                f"--teacher_share {self.teacher_share} does nothing without --teacher MODEL."
            )
        if self.fine_tune and self.recipe == "fast":
            raise ConfigError("--recipe fast trains no network; leave it or --fine_tune out.")
        if self.budget_seconds is not None and not self.trains_network:
            raise ConfigError(
                "--time_budget is for training the network; add --recipe balanced or best. "
                "Training the head alone takes seconds."
            )

    def _require_unused(self) -> None:
        """Refuses settings of a training that does not take place."""
        own = ("recipe", "fine_tune", "time_budget")
        given = [
            f"--{one.name} {getattr(self, one.name)}"
            for one in fields(self)
            if one.name not in own and getattr(self, one.name) != one.default
        ]
        if given:
            raise ConfigError(
                f"{', '.join(given)} would train the network, which nothing asks for; add "
                "--fine_tune or --recipe balanced."
            )

    @property
    def trains_network(self) -> bool:
        """Whether the network is trained too."""
        return self.fine_tune or self.recipe in ("balanced", "best")

    @property
    def keeps_better(self) -> bool:
        """Whether the head alone is trained as well, and the better of both is kept."""
        return self.recipe in ("balanced", "best") and self.early_stopping is None

    @property
    def resolved(self) -> "FineTuneConfig":
        """The same with what the recipe says in place of what was left open."""
        if not self.trains_network:
            return self
        epochs = self.fine_tune_epochs or (100 if self.recipe == "best" else 40)
        return replace(self, fine_tune=True, fine_tune_epochs=epochs)

    @property
    def budget_seconds(self) -> float | None:
        """The time budget, ``None`` if there is none.

        Raises:
            ConfigError: it is no time.
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

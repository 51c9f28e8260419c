"""What a model says of photos."""

from dataclasses import asdict, dataclass
from typing import Any

from bricksight.errors import ImageError


@dataclass(frozen=True)
class Prediction:
    """One class and how probable it is, from 0 to 1."""

    label: str
    probability: float


@dataclass(frozen=True)
class Answer:
    """What the model says of one photo.

    Attributes:
        predictions: The most probable classes, the first the most probable one.
        is_unknown: Whether even the first is too improbable to be named.
    """

    predictions: tuple[Prediction, ...]
    is_unknown: bool

    @property
    def label(self) -> str | None:
        """The most probable class, ``None`` if unknown."""
        return None if self.is_unknown else self.predictions[0].label

    def to_dict(self) -> dict[str, Any]:
        """Returns label, "unknown" and predictions as plain values, for JSON."""
        return {
            "label": self.label,
            "is_unknown": self.is_unknown,
            "predictions": [asdict(one) for one in self.predictions],
        }


@dataclass(frozen=True)
class GroupAnswer(Answer):
    """What the model says of one object, by several photos of it.

    Attributes:
        predictions: The most probable classes by all photos together.
        is_unknown: Whether the first is too improbable, or has too few votes, to be named.
        votes: How many of the photos have the first as their own most probable class.
        views: One a photo, in order: its own answer, or why it could not be read.
    """

    votes: int
    views: tuple[Answer | ImageError, ...]

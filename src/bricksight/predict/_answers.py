"""Answers of a model about photos."""

from dataclasses import asdict, dataclass
from typing import Any

from bricksight._support.reprs import short_repr
from bricksight._support.text import percent, pluralize
from bricksight.errors import ImageError


@dataclass(frozen=True)
class Prediction:
    """One class and its probability.

    Attributes:
        label: The class.
        probability: Of the class, from 0 to 1.
    """

    label: str
    probability: float

    def to_dict(self) -> dict[str, Any]:
        """Return ``label`` and ``probability``, for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.label} {percent(self.probability)}"

    def __repr__(self) -> str:
        return short_repr(self, str(self))


@dataclass(frozen=True)
class Answer:
    """The answer of a model about one photo.

    Attributes:
        predictions: The most probable classes, most probable first.
        is_unknown: Whether the highest probability is below the model's threshold for "unknown".
    """

    predictions: tuple[Prediction, ...]
    is_unknown: bool

    @property
    def label(self) -> str | None:
        """The most probable class, ``None`` if the answer is "unknown"."""
        return None if self.is_unknown else self.predictions[0].label

    @property
    def probability(self) -> float:
        """The probability of the most probable class, from 0 to 1, also if it is "unknown"."""
        return self.predictions[0].probability

    def to_dict(self) -> dict[str, Any]:
        """Return ``label``, ``is_unknown`` and ``predictions`` as plain values, for JSON."""
        return {
            "label": self.label,
            "is_unknown": self.is_unknown,
            "predictions": [one.to_dict() for one in self.predictions],
        }

    def __str__(self) -> str:
        return f"{'unknown, perhaps ' if self.is_unknown else ''}{self.predictions[0]}"

    def __repr__(self) -> str:
        return short_repr(self, str(self))


@dataclass(frozen=True, repr=False)
class ObjectAnswer(Answer):
    """The answer of a model about one object, from several photos of it.

    Attributes:
        predictions: The most probable classes according to all photos, most probable first.
        is_unknown: Whether the highest probability is below the threshold, or the class has fewer
            votes than asked for.
        votes: Number of photos whose own most probable class is ``predictions[0].label``.
        answers: For each photo, in order, its own answer, or the error if it cannot be read.
    """

    votes: int
    answers: tuple[Answer | ImageError, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, for JSON.

        ``answers`` holds ``{"error": reason}`` for a photo that cannot be read.
        """
        answers = [
            {"error": str(one)} if isinstance(one, ImageError) else one.to_dict()
            for one in self.answers
        ]
        return super().to_dict() | {"votes": self.votes, "answers": answers}

    def __repr__(self) -> str:
        votes = f"{pluralize(self.votes, 'vote')} of {pluralize(len(self.answers), 'photo')}"
        return short_repr(self, str(self), votes)

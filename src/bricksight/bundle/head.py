"""The classification layer on the features of a backbone."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Head:
    """The classification layer: softmax of ``features @ kernel + bias``.

    Attributes:
        kernel: float32 (num_features, num_classes).
        bias: float32 (num_classes,).
        others: The same of what is none of the classes. It takes part in the softmax, and its share
            says nothing of the classes: it is spread uniformly over them.
    """

    kernel: np.ndarray
    bias: np.ndarray
    others: "Head | None" = None

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Return the probability of each class, float32 (..., num_classes); rows sum to 1.

        Args:
            features: float32 (..., num_features).
        """
        return self.answers(self.logits(features), features)

    def answers(self, logits: np.ndarray, features: np.ndarray) -> np.ndarray:
        """Return what ``probabilities`` does where the logits of the classes are known already.

        Args:
            logits: float32 (..., num_classes).
            features: float32 (..., num_features).
        """
        if self.others is not None:
            logits = np.concatenate([logits, self.others.logits(features)], axis=-1)
        return dealt(logits, self.kernel.shape[1])

    def share_of_others(self, features: np.ndarray) -> np.ndarray:
        """Return how probable it is that a photo shows none of the classes, float32 (...)."""
        shares = _softmax(self.flat.logits(features))
        share: np.ndarray = shares[..., self.kernel.shape[1] :].sum(axis=-1)
        return share

    @property
    def num_others(self) -> int:
        """How many of the others there are."""
        return 0 if self.others is None else len(self.others.bias)

    @property
    def flat(self) -> "Head":
        """A layer that has ``others`` after the classes as if they were further classes."""
        if self.others is None:
            return self
        return Head(
            kernel=np.concatenate([self.kernel, self.others.kernel], axis=1),
            bias=np.concatenate([self.bias, self.others.bias]),
        )

    def split(self, num_classes: int) -> "Head":
        """Return the layer of the first ``num_classes``, the rest as its ``others``."""
        first, rest = np.split(np.arange(len(self.bias)), [num_classes])
        return Head(kernel=self.kernel[:, first], bias=self.bias[first], others=self.columns(rest))

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Return the classes' part of what the softmax is taken of, (..., num_classes)."""
        logits: np.ndarray = features @ self.kernel + self.bias
        return logits

    def first_features(self, number: int) -> "Head":
        """Return a layer that takes the first ``number`` features, and goes by these alone."""
        others = None if self.others is None else self.others.first_features(number)
        return Head(kernel=self.kernel[:number], bias=self.bias, others=others)

    def columns(self, which: np.ndarray) -> "Head | None":
        """Return a layer of these classes alone, ``None`` of none.

        Args:
            which: int (any,), indices of classes.
        """
        if not len(which):
            return None
        return Head(kernel=self.kernel[:, which], bias=self.bias[which])

    def save(self, path: Path) -> None:
        """Write the arrays to the ``.npz`` file ``path``."""
        arrays = {"kernel": self.kernel, "bias": self.bias}
        if self.others is not None:
            arrays |= {"others_kernel": self.others.kernel, "others_bias": self.others.bias}
        np.savez(path, allow_pickle=False, **arrays)


def dealt(logits: np.ndarray, num_classes: int) -> np.ndarray:
    """Return the softmax, what is none of the classes dealt to all of them alike.

    Args:
        logits: float32 (..., any), of the classes and after them of all others; see ``Head.flat``.
        num_classes: how many of them are classes.

    Returns:
        The probability of each class, float32 (..., num_classes); rows sum to 1.
    """
    shares = _softmax(logits)
    of_others = shares[..., num_classes:].sum(axis=-1, keepdims=True)
    probabilities: np.ndarray = shares[..., :num_classes] + of_others / num_classes
    return probabilities


def _softmax(logits: np.ndarray) -> np.ndarray:
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: np.ndarray = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return shares

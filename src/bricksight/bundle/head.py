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
        background: A layer for the background classes: what the backbone knows besides the
            classes. They take part in the softmax, and their probability is spread evenly over
            the classes. ``None`` without background classes.
    """

    kernel: np.ndarray
    bias: np.ndarray
    background: "Head | None" = None

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
        if self.background is not None:
            logits = np.concatenate([logits, self.background.logits(features)], axis=-1)
        return redistribute_background(logits, self.kernel.shape[1])

    @property
    def num_background(self) -> int:
        """Number of background classes."""
        return 0 if self.background is None else len(self.background.bias)

    @property
    def flat(self) -> "Head":
        """One layer whose outputs are the classes, followed by the background classes."""
        if self.background is None:
            return self
        return Head(
            kernel=np.concatenate([self.kernel, self.background.kernel], axis=1),
            bias=np.concatenate([self.bias, self.background.bias]),
        )

    def split(self, num_classes: int) -> "Head":
        """Return the layer of the first ``num_classes``; the other outputs become background."""
        first, rest = np.split(np.arange(len(self.bias)), [num_classes])
        return Head(
            kernel=self.kernel[:, first], bias=self.bias[first], background=self.columns(rest)
        )

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Return the classes' part of what the softmax is taken of, (..., num_classes)."""
        logits: np.ndarray = features @ self.kernel + self.bias
        return logits

    def first_features(self, number: int) -> "Head":
        """Return a layer that takes the first ``number`` features, and goes by these alone."""
        background = None if self.background is None else self.background.first_features(number)
        return Head(kernel=self.kernel[:number], bias=self.bias, background=background)

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
        if self.background is not None:
            arrays |= {
                "background_kernel": self.background.kernel,
                "background_bias": self.background.bias,
            }
        np.savez(path, allow_pickle=False, **arrays)


def redistribute_background(logits: np.ndarray, num_classes: int) -> np.ndarray:
    """Return the softmax, with the probability of the background spread evenly over the classes.

    Args:
        logits: float32 (..., num_outputs), of the classes, then of the background classes; see
            ``Head.flat``.
        num_classes: how many of the outputs are classes.

    Returns:
        The probability of each class, float32 (..., num_classes); rows sum to 1.
    """
    shares = _softmax(logits)
    of_background = shares[..., num_classes:].sum(axis=-1, keepdims=True)
    probabilities: np.ndarray = shares[..., :num_classes] + of_background / num_classes
    return probabilities


def _softmax(logits: np.ndarray) -> np.ndarray:
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: np.ndarray = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return shares

"""The classes that a backbone was trained on, from which a zero-shot head is made."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bricksight.bundle import Head

Identify = Callable[[str], tuple[str, str] | None]
"""Function from the name of a class to its kind and variant, such as ("euro", "2002").

Names with the same kind and variant are the same class. ``None`` means that the name is not
understood.
"""


def by_whole_name(name: str) -> tuple[str, str] | None:
    """Identify a class by its whole name, ignoring case."""
    return name.casefold(), ""


@dataclass(frozen=True, kw_only=True)
class KnownClasses:
    """The classes that a backbone was trained on, with their head.

    Attributes:
        labels: Names of the classes.
        head: The head of these classes: kernel, float32 (num_features, num_labels), and bias,
            (num_labels,).
        identify: Function that shows which names are the same class.
    """

    labels: tuple[str, ...]
    head: Head
    identify: Identify = by_whole_name

    def head_for(self, labels: Sequence[str]) -> tuple[Head, np.ndarray] | None:
        """Return a zero-shot head for the user's classes.

        A class that the backbone does not know gets the mean of all known logits, so that it is
        neither likely nor unlikely. Known classes whose kind is not among ``labels`` become the
        head's ``background``.

        Args:
            labels: Names of the user's classes. If the backbone does not know a class in its
                variant, the first known variant of the same kind is used.

        Returns:
            The head, and which of the labels the backbone knows: bool, (num_labels,). ``None`` if
            it knows none of them.
        """
        columns = [self._find(label) for label in labels]
        is_known = np.array([column is not None for column in columns], bool)
        if not is_known.any():
            return None
        rows = [column for column in columns if column is not None]
        centred = Head(
            kernel=self.head.kernel - self.head.kernel.mean(axis=1, keepdims=True),
            bias=self.head.bias - self.head.bias.mean(),
        )
        kernel = np.zeros((len(centred.kernel), len(labels)), np.float32)
        bias = np.zeros(len(labels), np.float32)
        kernel[:, is_known], bias[is_known] = centred.kernel[:, rows], centred.bias[rows]
        background = centred.columns(self._background_columns(labels))
        return Head(kernel=kernel, bias=bias, background=background), is_known

    def _background_columns(self, labels: Sequence[str]) -> np.ndarray:
        """Return the columns of known classes whose kind is not among ``labels``."""
        kinds = {found[0] for found in map(self.identify, labels) if found is not None}
        known_class = map(self.identify, self.labels)
        return np.flatnonzero([found is None or found[0] not in kinds for found in known_class])

    def _find(self, label: str) -> int | None:
        wanted = self.identify(label)
        if wanted is None:
            return None
        found = [
            (known_class != wanted, index)
            for index, known_class in enumerate(map(self.identify, self.labels))
            if known_class is not None and known_class[0] == wanted[0]
        ]
        return min(found)[1] if found else None

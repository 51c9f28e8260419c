"""Classes that a network was trained to tell apart, and so knows before it has seen a photo."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bricksight.bundle import Head

Identify = Callable[[str], tuple[str, str] | None]
"""From the name of a class to what it is and in which variant, such as ("euro", "2002").

Names of the same thing and variant name the same class. ``None`` stands for a name that says
nothing.
"""


def by_whole_name(name: str) -> tuple[str, str] | None:
    """Identify a class by its whole name, in whatever case."""
    return name.casefold(), ""


@dataclass(frozen=True, kw_only=True)
class KnownClasses:
    """The classification layer that a network came with.

    Attributes:
        labels: Names of the classes.
        head: float32 (num_features, num_labels) and (num_labels,), on the network's own features.
        identify: Tells which names mean the same class.
    """

    labels: tuple[str, ...]
    head: Head
    identify: Identify = by_whole_name

    def head_for(self, labels: Sequence[str]) -> tuple[Head, np.ndarray] | None:
        """Return a layer for other classes, and which of them it knows, bool (num_labels,).

        What is not known has the mean of all known logits, so that it is neither likely nor
        unlikely. Known classes that are none of the classes, in no variant, are its ``background``.
        ``None`` where nothing is known.

        Args:
            labels: names of the classes; one that is not known in its own variant is taken for the
                first known variant of the same thing.
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
        background = centred.columns(self._not_among(labels))
        return Head(kernel=kernel, bias=bias, background=background), is_known

    def _not_among(self, labels: Sequence[str]) -> np.ndarray:
        """Return the columns of known classes that are none of these, in no variant."""
        things = {found[0] for found in map(self.identify, labels) if found is not None}
        own = map(self.identify, self.labels)
        return np.flatnonzero([found is None or found[0] not in things for found in own])

    def _find(self, label: str) -> int | None:
        wanted = self.identify(label)
        if wanted is None:
            return None
        found = [
            (own != wanted, index)
            for index, own in enumerate(map(self.identify, self.labels))
            if own is not None and own[0] == wanted[0]
        ]
        return min(found)[1] if found else None

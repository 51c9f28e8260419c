"""Classes that a network was trained to tell apart, and so knows before it has seen a photo."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bricksight.bundle import Head

_PART = re.compile(r"([a-z]?\d+)([a-z]\d*)?(?![a-z0-9])", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class KnownClasses:
    """The classification layer that a network came with.

    Attributes:
        labels: Names of the classes, each beginning with a part's number.
        head: float32 (num_features, num_labels) and (num_labels,), on the network's own features.
    """

    labels: tuple[str, ...]
    head: Head

    def head_for(self, labels: Sequence[str]) -> tuple[Head, np.ndarray] | None:
        """Returns a layer for other classes, and which of them it knows, bool (num_labels,).

        What is not known has the mean of all known logits, so that it is neither likely nor
        unlikely. Parts that are none of the classes, in no variant, are its ``background``.
        ``None`` where nothing is known.

        Args:
            labels: names of the classes; one that begins with the number of a known part is that
                part, and so is another variant of it: 3068a is 3068b where there is no 3068a.
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
        background = centred.columns(self._numbers_not_in(labels))
        return Head(kernel=kernel, bias=bias, background=background), is_known

    def _numbers_not_in(self, labels: Sequence[str]) -> np.ndarray:
        """Returns the columns of parts that are none of these, in no variant."""
        numbers = {part[1].lower() for part in map(_PART.match, labels) if part is not None}
        own = [_PART.match(label) for label in self.labels]
        return np.flatnonzero([part is None or part[1].lower() not in numbers for part in own])

    def _find(self, label: str) -> int | None:
        part = _PART.match(label)
        if part is None:
            return None
        found = [
            (own[0].lower() != part[0].lower(), index)
            for index, own in enumerate(map(_PART.match, self.labels))
            if own is not None and own[1].lower() == part[1].lower()
        ]
        return min(found)[1] if found else None

"""Features with labels: what a head is trained on."""

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, kw_only=True)
class LabeledFeatures:
    """Features of photos and their augmented copies, with labels.

    Attributes:
        features: float32 (num_photos, num_copies, num_features); copy 0 is the original photo.
        labels: int (num_photos,), indices of the classes.
        groups: int (num_photos,); photos of one group are alike, and never in both parts of a fold.
        weights: float32 (num_photos,), how much each counts; ``None`` for 1 each.
    """

    features: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    weights: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: np.ndarray) -> "LabeledFeatures":
        """Return the photos of these rows."""
        return LabeledFeatures(
            features=self.features[rows],
            labels=self.labels[rows],
            groups=self.groups[rows],
            weights=None if self.weights is None else self.weights[rows],
        )

    def joined(self, other: "LabeledFeatures") -> "LabeledFeatures":
        """Return the photos of both, which have equally many copies; no group is in both."""
        has_weights = self.weights is not None or other.weights is not None
        return LabeledFeatures(
            features=np.concatenate([self.features, other.features]),
            labels=np.concatenate([self.labels, other.labels]),
            groups=np.concatenate([self.groups, other.groups + self.groups.max(initial=-1) + 1]),
            weights=np.concatenate([self.each_weight(), other.each_weight()])
            if has_weights
            else None,
        )

    def with_extra(
        self, features: np.ndarray, labels: np.ndarray, *, share: float
    ) -> "LabeledFeatures":
        """Return these photos and extra ones, such as renders.

        Extra photos are many, and differ more than copies of one photo do. So those of a class are
        packed, as many at a time as a photo has copies, as if they were copies of one photo.

        Args:
            features: float32 (num_extra, num_features).
            labels: int (num_extra,), indices of the classes.
            share: weight of the extra photos in a class that has both, over 0 and under 1. In a
                class without other photos they weigh as much as a class does on average.
        """
        num_copies = self.features.shape[1]
        packs = {
            label: np.resize(rows, (-(-len(rows) // num_copies), num_copies))
            for label in np.unique(labels).tolist()
            for rows in [np.flatnonzero(labels == label)]
        }
        of_class = np.bincount(self.labels, self.each_weight(), minlength=max(packs) + 1)
        mean = float(of_class[of_class > 0].mean()) if of_class.any() else 1.0
        weights = [
            np.full(len(pack), (of_class[label] * share / (1 - share) or mean) / len(pack))
            for label, pack in packs.items()
        ]
        extra = LabeledFeatures(
            features=features[np.concatenate(list(packs.values()))],
            labels=np.repeat(list(packs), [len(pack) for pack in packs.values()]),
            groups=np.arange(sum(map(len, packs.values()))),
            weights=np.concatenate(weights).astype(np.float32),
        )
        return self.joined(extra)

    def first_features(self, number: int) -> "LabeledFeatures":
        """Return the same photos with the first ``number`` features."""
        return replace(self, features=self.features[..., :number])

    def rows(self) -> tuple[np.ndarray, np.ndarray]:
        """Return every copy as a row, and its label.

        Returns:
            float32 (num_photos * num_copies, num_features) and int (num_photos * num_copies,).
        """
        num_copies, num_features = self.features.shape[1:]
        return self.features.reshape(-1, num_features), np.repeat(self.labels, num_copies)

    def each_weight(self) -> np.ndarray:
        """Return the weight of each photo, float32 (num_photos,)."""
        return np.ones(len(self), np.float32) if self.weights is None else self.weights

    def original(self) -> np.ndarray:
        """Return the features of the original photos, float32 (num_photos, num_features)."""
        original: np.ndarray = self.features[:, 0]
        return original

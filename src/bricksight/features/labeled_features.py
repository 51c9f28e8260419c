"""Photos as features: what a head is trained on."""

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, kw_only=True)
class LabeledFeatures:
    """Photos as features.

    Attributes:
        features: float32 (num_photos, num_views, num_features).
        labels: int (num_photos,), indices of the classes.
        groups: int (num_photos,); photos of one group are alike and never on two sides of a fold.
        weights: float32 (num_photos,), how much each counts; ``None`` for 1 each.
    """

    features: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    weights: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: np.ndarray) -> "LabeledFeatures":
        """Returns the photos of these rows."""
        return LabeledFeatures(
            features=self.features[rows],
            labels=self.labels[rows],
            groups=self.groups[rows],
            weights=None if self.weights is None else self.weights[rows],
        )

    def joined(self, other: "LabeledFeatures") -> "LabeledFeatures":
        """Returns the photos of both; they share no group and have equally many views."""
        return LabeledFeatures(
            features=np.concatenate([self.features, other.features]),
            labels=np.concatenate([self.labels, other.labels]),
            groups=np.concatenate([self.groups, other.groups + self.groups.max(initial=-1) + 1]),
            weights=None
            if self.weights is None and other.weights is None
            else np.concatenate([self.each_weight(), other.each_weight()]),
        )

    def with_further(
        self, features: np.ndarray, labels: np.ndarray, *, share: float
    ) -> "LabeledFeatures":
        """Returns these photos, and further ones of another kind, such as renders.

        Those differ from each other more than views of one photo do, and are many. So the ones of a
        class are taken together, as many at a time as a photo has views, as if they were its views.

        Args:
            features: float32 (num_further, num_features).
            labels: int (num_further,), indices of the classes.
            share: what the further ones weigh in a class that has both, over 0 and under 1; where a
                class has no others they weigh what a class usually does.
        """
        num_views = self.features.shape[1]
        packs = {
            label: np.resize(rows, (-(-len(rows) // num_views), num_views))
            for label in np.unique(labels).tolist()
            for rows in [np.flatnonzero(labels == label)]
        }
        of_class = np.bincount(self.labels, self.each_weight(), minlength=max(packs) + 1)
        usual = float(of_class[of_class > 0].mean()) if of_class.any() else 1.0
        weights = [
            np.full(len(pack), (of_class[label] * share / (1 - share) or usual) / len(pack))
            for label, pack in packs.items()
        ]
        further = LabeledFeatures(
            features=features[np.concatenate(list(packs.values()))],
            labels=np.repeat(list(packs), [len(pack) for pack in packs.values()]),
            groups=np.arange(sum(map(len, packs.values()))),
            weights=np.concatenate(weights).astype(np.float32),
        )
        return self.joined(further)

    def first_features(self, number: int) -> "LabeledFeatures":
        """Returns the same photos with the first ``number`` features of each."""
        return replace(self, features=self.features[..., :number])

    def rows(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns every view as a row, and its label.

        Returns:
            float32 (num_photos * num_views, num_features) and int (num_photos * num_views,).
        """
        num_views, num_features = self.features.shape[1:]
        return self.features.reshape(-1, num_features), np.repeat(self.labels, num_views)

    def each_weight(self) -> np.ndarray:
        """Returns how much each photo counts, float32 (num_photos,)."""
        return np.ones(len(self), np.float32) if self.weights is None else self.weights

    def plain(self) -> np.ndarray:
        """Returns the features of the unchanged photos, float32 (num_photos, num_features)."""
        plain: np.ndarray = self.features[:, 0]
        return plain

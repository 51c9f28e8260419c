"""What a head is trained on, and what comes of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from bricksight.bundle import Head


@dataclass(frozen=True, kw_only=True)
class Examples:
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

    def take(self, rows: np.ndarray) -> "Examples":
        """Returns the photos of these rows."""
        return Examples(
            features=self.features[rows],
            labels=self.labels[rows],
            groups=self.groups[rows],
            weights=None if self.weights is None else self.weights[rows],
        )

    def joined(self, other: "Examples") -> "Examples":
        """Returns the photos of both; they share no group and have equally many views."""
        return Examples(
            features=np.concatenate([self.features, other.features]),
            labels=np.concatenate([self.labels, other.labels]),
            groups=np.concatenate([self.groups, other.groups + self.groups.max(initial=-1) + 1]),
            weights=None
            if self.weights is None and other.weights is None
            else np.concatenate([self.each_weight(), other.each_weight()]),
        )

    def with_further(self, features: np.ndarray, labels: np.ndarray, *, share: float) -> "Examples":
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
        further = Examples(
            features=features[np.concatenate(list(packs.values()))],
            labels=np.repeat(list(packs), [len(pack) for pack in packs.values()]),
            groups=np.arange(sum(map(len, packs.values()))),
            weights=np.concatenate(weights).astype(np.float32),
        )
        return self.joined(further)

    def first_features(self, number: int) -> "Examples":
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


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """How the head did at one step; validation is ``None`` where there are no such photos."""

    step: int
    train_accuracy: float
    train_cross_entropy: float
    validation_accuracy: float | None
    validation_cross_entropy: float | None


Observer = Callable[[Measurement, Head], None]
"""Told of every evaluation while it happens."""


@dataclass
class History:
    """The evaluations of one training, in order, and which step was kept."""

    measurements: list[Measurement] = field(default_factory=list)
    best_step: int = 0


@dataclass(frozen=True, kw_only=True)
class TrainedHead:
    """A head and how it came about.

    Attributes:
        head: The layer.
        held_out: Probabilities of the validation photos, float32 (num_photos, num_classes), by what
            was not fitted to them; where ``head`` was, by what was before it.
        out_of_fold: Probabilities of the training photos, in their order, (num_photos,
            num_classes), each by what was fitted to two thirds of the others; none where nothing
            was cross-validated.
        history: The evaluations on the way there.
        choices: What was chosen on the way, such as the regularisation; goes into the report.
        temperature: What the logits were divided by; the head has it already.
    """

    head: Head
    held_out: np.ndarray
    history: History
    choices: Mapping[str, object]
    out_of_fold: np.ndarray | None = None
    temperature: float = 1.0


def cross_entropy_and_accuracy(
    head: Head, features: np.ndarray, labels: np.ndarray
) -> tuple[float, float]:
    """Returns the mean of ``-log p(label)`` in nats, and the share of right first answers.

    Args:
        head: the layer.
        features: float32 (num_photos, num_features).
        labels: int (num_photos,).
    """
    probabilities = head.probabilities(features)
    of_label = probabilities[np.arange(len(labels)), labels]
    right = probabilities.argmax(axis=1) == labels
    return float(-np.log(np.maximum(of_label, 1e-30)).mean()), float(right.mean())


OUTLIERS_WEIGHT = 0.5
"""What photos of none of the classes weigh in all, of what those of the classes do: the value of
Hendrycks et al. for photos."""


def outlier_exposure(head: Head, features: np.ndarray) -> tuple[float, np.ndarray]:
    """Returns what photos of none of the classes add to a loss, and its gradient by logit.

    It is ``OUTLIERS_WEIGHT`` times their mean cross entropy with equal chances of all classes, so
    that nothing is probable (Hendrycks, Mazeika and Dietterich 2019, arXiv 1812.04606). A further
    output for them would be another label in every exported file.

    Args:
        head: the layer.
        features: float32 (num_views, num_features), of all their views.
    """
    chances = head.probabilities(features)
    weight = np.float32(OUTLIERS_WEIGHT / len(chances))
    cross_entropies = -np.log(np.maximum(chances, np.float32(1e-30))).mean(axis=1)
    return float(weight * cross_entropies.sum()), weight * (chances - 1 / chances.shape[1])


HOTTEST = 1000.0
"""No temperature is higher."""


def best_temperature(
    logits: np.ndarray, labels: np.ndarray, *, lowest: float = 1.0, doubt: float = 0.0
) -> tuple[float, float]:
    """Returns the temperature that makes the softmax of ``logits / temperature`` fit best.

    Temperature scaling changes how sure the answers are and none of the answers (Guo et al. 2017,
    arXiv 1706.04599). Choose it on photos that the head was not fitted to.

    Args:
        logits: float32 (num_photos, num_classes).
        labels: int (num_photos,).
        lowest: the temperature is not below it: where a few photos are all right, the best fit
            would be boundless certainty.
        doubt: share of each label that is given to all classes alike; see ``doubt_of``.

    Returns:
        The temperature, from ``lowest`` to 1000, and the mean cross entropy with it, in nats.
    """
    of_label = (1 - doubt) * logits[np.arange(len(labels)), labels] + doubt * logits.mean(axis=1)

    def loss(log_temperature: float) -> float:
        scale = np.exp(-log_temperature)
        return float((logsumexp(logits * scale, axis=1) - of_label * scale).mean())

    found = minimize_scalar(loss, bounds=(np.log(lowest), np.log(HOTTEST)), method="bounded")
    return float(np.exp(found.x)), float(found.fun)


def doubt_of(num_photos: int) -> float:
    """Returns how much so many right answers leave open: the share of the next that is wrong.

    Without it a head that answers photos which are all easy wins by boundless certainty. The
    estimate is that of R. Krichevsky and V. Trofimov ("The performance of universal encoding",
    1981), half of Laplace's, which left answers to other photos less sure than they were right.
    """
    return 0.5 / (num_photos + 1)

"""Cross entropy, temperature and error estimates of heads."""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from bricksight.bundle import Head


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


MAX_TEMPERATURE = 1000.0
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
        doubt: share of each label that is given to all classes alike; see ``kt_error_rate``.

    Returns:
        The temperature, from ``lowest`` to 1000, and the mean cross entropy with it, in nats.
    """
    of_label = (1 - doubt) * logits[np.arange(len(labels)), labels] + doubt * logits.mean(axis=1)

    def loss(log_temperature: float) -> float:
        scale = np.exp(-log_temperature)
        return float((logsumexp(logits * scale, axis=1) - of_label * scale).mean())

    found = minimize_scalar(
        loss, bounds=(np.log(lowest), np.log(MAX_TEMPERATURE)), method="bounded"
    )
    return float(np.exp(found.x)), float(found.fun)


def kt_error_rate(num_photos: int) -> float:
    """Returns how much so many right answers leave open: the share of the next that is wrong.

    Without it a head that answers photos which are all easy wins by boundless certainty. The
    estimate is that of R. Krichevsky and V. Trofimov ("The performance of universal encoding",
    1981), half of Laplace's, which left answers to other photos less sure than they were right.
    """
    return 0.5 / (num_photos + 1)

"""Cross entropy, temperature scaling and error estimates."""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from bricksight.bundle import Head


def cross_entropy_and_accuracy(
    probabilities: np.ndarray, labels: np.ndarray
) -> tuple[float, float]:
    """Return the mean cross entropy in nats, and the accuracy.

    Args:
        probabilities: float32 (num_photos, num_classes), of at least one photo.
        labels: int (num_photos,).
    """
    of_label = probabilities[np.arange(len(labels)), labels]
    is_right = probabilities.argmax(axis=1) == labels
    return float(-np.log(np.maximum(of_label, 1e-30)).mean()), float(is_right.mean())


OUTLIERS_WEIGHT = 0.5
"""Total weight of the outliers in a loss, relative to the photos of the classes; the value that
Hendrycks et al. use for photos."""


def outlier_exposure(head: Head, features: np.ndarray) -> tuple[float, np.ndarray]:
    """Return what outliers add to a loss, and its gradient by logit.

    It is ``OUTLIERS_WEIGHT`` times their mean cross entropy with the uniform distribution, so that
    no class is probable for them (Hendrycks, Mazeika and Dietterich 2019, arXiv 1812.04606). A
    class of their own would be another label in every exported file.

    Args:
        head: the head.
        features: float32 (num_rows, num_features), of all their copies.
    """
    probabilities = head.probabilities(features)
    weight = np.float32(OUTLIERS_WEIGHT / len(probabilities))
    cross_entropies = -np.log(np.maximum(probabilities, np.float32(1e-30))).mean(axis=1)
    return float(weight * cross_entropies.sum()), weight * (
        probabilities - 1 / probabilities.shape[1]
    )


MAX_TEMPERATURE = 1000.0
"""Upper bound of the temperature."""


def best_temperature(
    logits: np.ndarray, labels: np.ndarray, *, lowest: float = 1.0, error_rate: float = 0.0
) -> tuple[float, float]:
    """Return the temperature at which ``softmax(logits / temperature)`` has the lowest loss.

    Temperature scaling changes the confidence and not the predicted class (Guo et al. 2017,
    arXiv 1706.04599). Choose it on photos that the head was not fitted to.

    Args:
        logits: float32 (num_photos, num_classes).
        labels: int (num_photos,).
        lowest: lower bound of the temperature: where a few photos are all classified correctly,
            the best fit would be unbounded confidence.
        error_rate: share of each label that is spread over all classes; see ``kt_error_rate``.

    Returns:
        The temperature, from ``lowest`` to 1000, and the mean cross entropy with it, in nats.
    """
    of_label = (1 - error_rate) * logits[np.arange(len(labels)), labels]
    of_label += error_rate * logits.mean(axis=1)

    def loss(log_temperature: float) -> float:
        scale = np.exp(-log_temperature)
        return float((logsumexp(logits * scale, axis=1) - of_label * scale).mean())

    found = minimize_scalar(
        loss, bounds=(np.log(lowest), np.log(MAX_TEMPERATURE)), method="bounded"
    )
    return float(np.exp(found.x)), float(found.fun)


def kt_error_rate(num_photos: int) -> float:
    """Return the estimated error rate after so many correct answers and no wrong one.

    Without it, a head for easy photos would win by unbounded confidence. The estimator is that of
    R. Krichevsky and V. Trofimov ("The performance of universal encoding", 1981). It is half of
    Laplace's, which left the confidence on new photos below their accuracy.
    """
    return 0.5 / (num_photos + 1)

"""Whitening: features in units of the variation within a class.

Directions in which photos of one class differ much say little of the class. Linear discriminant
analysis divides by the covariance within the classes; its estimate from fewer photos than features
is singular, and is mixed with a multiple of the identity (J. H. Friedman, "Regularized discriminant
analysis", JASA 84, 1989; O. Ledoit and M. Wolf, J. Multivariate Analysis 88, 2004).
"""

import functools
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cholesky, solve_triangular

from bricksight.bundle import Head
from bricksight.config import ClassWeight
from bricksight.features.labeled_features import LabeledFeatures

_LEAST_SCALE = 1e-2
"""Of a feature's scale, as a part of what is usual."""

_TINY = np.float32(1e-30)


@dataclass(frozen=True, kw_only=True)
class Whitening:
    """A linear map after which photos of one class differ alike in all directions.

    Attributes:
        mean: float32 (num_features,).
        scale: float32 (num_features,), over 0, by which the centred features are divided first.
        factor: float32 (num_features, num_features), the lower Cholesky factor of the covariance of
            what that gives; ``None`` where that is all.
    """

    mean: np.ndarray
    scale: np.ndarray
    factor: np.ndarray | None

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """Return float32 (num_rows, num_features), whitened."""
        standardised = rows - self.mean
        standardised /= self.scale
        if self.factor is None:
            scaled: np.ndarray = standardised
            return scaled
        whitened: np.ndarray = solve_triangular(
            self.factor, standardised.T, lower=True, overwrite_b=True, check_finite=False
        ).T
        return np.ascontiguousarray(whitened)

    def undone(self, kernel: np.ndarray, bias: np.ndarray) -> Head:
        """Return the head for features as they come from the network.

        Args:
            kernel: float32 (num_features, num_classes), for whitened features.
            bias: float32 (num_classes,), likewise.
        """
        if self.factor is not None:
            kernel = solve_triangular(
                self.factor, kernel, lower=True, trans="T", check_finite=False
            )
        kernel = kernel / self.scale[:, None]
        return Head(kernel=kernel, bias=bias - self.mean @ kernel)

    def done(self, head: Head) -> Head:
        """Return the layer for whitened features that gives what ``head`` gives of others."""
        kernel = head.kernel * self.scale[:, None]
        if self.factor is not None:
            kernel = self.factor.T @ kernel
        return Head(kernel=kernel, bias=head.bias + self.mean @ head.kernel)


class ClassStatistics:
    """Where the classes lie, and how photos of one class differ.

    Attributes:
        mean: float32 (num_features,), of all views.
        scale: float32 (num_features,), standard deviation of all views.
        class_means: float32 (num_classes, num_features), as the features come.
        priors: float32 (num_classes,), share of each class.
    """

    def __init__(
        self, labeled: LabeledFeatures, num_classes: int, class_weight: ClassWeight
    ) -> None:
        """Take the photos.

        Args:
            labeled: photos of one class at least.
            num_classes: how many classes there are.
            class_weight: whether every class or every photo counts the same.
        """
        self._rows, self._labels = rows, labels = labeled.rows()
        self._weights = view_weights(labeled, num_classes, class_weight)
        self.mean, scale = rows.mean(axis=0), rows.std(axis=0)
        # A feature that is all but constant holds noise, which is not to be blown up.
        least = max(_LEAST_SCALE * float(np.sqrt(np.mean(scale**2))), 1e-6)
        self.scale = np.maximum(scale, np.float32(least))
        shares = np.zeros((num_classes, len(rows)), np.float32)
        shares[labels, np.arange(len(rows))] = self._weights
        self.priors = shares.sum(axis=1)
        # A class may have no photo in a fold; it then lies in the middle.
        self.class_means = np.where(
            self.priors[:, None] > 0,
            (shares @ rows) / np.maximum(self.priors, _TINY)[:, None],
            self.mean,
        )

    @functools.cached_property
    def covariance(self) -> np.ndarray:
        """float32 (num_features, num_features), within the classes, of features by ``scale``."""
        # Takes longer than all the rest, and not every head asks for it.
        differences = self._rows - self.class_means[self._labels]
        differences /= self.scale
        differences *= np.sqrt(self._weights)[:, None]
        covariance: np.ndarray = differences.T @ differences
        return covariance

    @property
    def log_priors(self) -> np.ndarray:
        """float32 (num_classes,), very low for a class without photos."""
        log_priors: np.ndarray = np.log(np.maximum(self.priors, _TINY))
        return log_priors

    def whitening(self, shrinkage: float | None) -> Whitening:
        """Return what makes the covariance within the classes the identity.

        Args:
            shrinkage: share of the identity in the covariance, over 0 and at most 1; with 1 each
                feature is only brought to unit variance. With ``None`` all are divided by one
                number, and the differences between their variances stay.
        """
        if shrinkage is None:
            common = np.sqrt(np.mean(self.scale**2))
            return Whitening(mean=self.mean, scale=np.full_like(self.scale, common), factor=None)
        mean_variance = max(float(np.trace(self.covariance)) / len(self.covariance), 1e-6)
        shrunk = np.float32(1 - shrinkage) * self.covariance
        shrunk[np.diag_indices_from(shrunk)] += np.float32(shrinkage * mean_variance)
        return Whitening(
            mean=self.mean,
            scale=self.scale,
            factor=cholesky(shrunk, lower=True, overwrite_a=True, check_finite=False),
        )


def view_weights(
    labeled: LabeledFeatures, num_classes: int, class_weight: ClassWeight
) -> np.ndarray:
    """Return how much each view counts, float32 (num_photos * num_views,) of sum 1.

    Args:
        labeled: the photos, by whose weights views count.
        num_classes: how many classes there are.
        class_weight: whether every class or every photo counts the same.
    """
    weights = np.repeat(labeled.each_weight(), labeled.features.shape[1])
    if class_weight == "balanced":
        labels = np.repeat(labeled.labels, labeled.features.shape[1])
        sums = np.bincount(labels, weights, minlength=num_classes)
        weights = weights / sums[labels]
    shares: np.ndarray = weights / weights.sum(dtype=np.float64)
    return shares.astype(np.float32)

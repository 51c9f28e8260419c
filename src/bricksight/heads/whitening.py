"""Whitening: features in units of their variation within a class.

Directions in which photos of one class vary much say little about the class. Linear discriminant
analysis divides by the covariance within classes. Its estimate from fewer photos than features is
singular, so it is shrunk towards a multiple of the identity (J. H. Friedman, "Regularized
discriminant analysis", JASA 84, 1989; O. Ledoit and M. Wolf, J. Multivariate Analysis 88, 2004).
"""

import functools
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cholesky, solve_triangular

from bricksight.bundle import Head
from bricksight.config import ClassWeight
from bricksight.features.labeled_features import LabeledFeatures

_LEAST_SCALE = 1e-2
"""Smallest scale of a feature, relative to the root mean square of all scales."""

_TINY = np.float32(1e-30)


@dataclass(frozen=True, kw_only=True)
class Whitening:
    """A linear map after which photos of one class vary equally in all directions.

    Attributes:
        mean: float32 (num_features,).
        scale: float32 (num_features,), over 0; divides the centered features first.
        factor: float32 (num_features, num_features), lower Cholesky factor of the covariance of the
            scaled features; ``None`` for scaling only.
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

    def fold_into_head(self, kernel: np.ndarray, bias: np.ndarray) -> Head:
        """Return the head for features that are not whitened.

        Args:
            kernel: float32 (num_features, num_classes), for whitened features.
            bias: float32 (num_classes,), for whitened features.
        """
        if self.factor is not None:
            kernel = solve_triangular(
                self.factor, kernel, lower=True, trans="T", check_finite=False
            )
        kernel = kernel / self.scale[:, None]
        return Head(kernel=kernel, bias=bias - self.mean @ kernel)

    def unfold_from_head(self, head: Head) -> Head:
        """Return the head for whitened features that equals ``head`` for features that are not."""
        kernel = head.kernel * self.scale[:, None]
        if self.factor is not None:
            kernel = self.factor.T @ kernel
        return Head(kernel=kernel, bias=head.bias + self.mean @ head.kernel)


class ClassStatistics:
    """Means of the classes, and the covariance within them.

    Attributes:
        mean: float32 (num_features,), of all rows.
        scale: float32 (num_features,), standard deviation of all rows.
        class_means: float32 (num_classes, num_features), not whitened.
        priors: float32 (num_classes,), share of each class.
    """

    def __init__(
        self, labeled: LabeledFeatures, num_classes: int, class_weight: ClassWeight
    ) -> None:
        """Compute means and scales.

        Args:
            labeled: photos of at least one class.
            num_classes: how many classes there are.
            class_weight: whether every class or every photo counts the same.
        """
        self._rows, self._labels = rows, labels = labeled.rows()
        self._weights = row_weights(labeled, num_classes, class_weight)
        self.mean, scale = rows.mean(axis=0), rows.std(axis=0)
        # A nearly constant feature holds noise, which must not be amplified.
        least = max(_LEAST_SCALE * float(np.sqrt(np.mean(scale**2))), 1e-6)
        self.scale = np.maximum(scale, np.float32(least))
        shares = np.zeros((num_classes, len(rows)), np.float32)
        shares[labels, np.arange(len(rows))] = self._weights
        self.priors = shares.sum(axis=1)
        # A class without photos in a fold gets the overall mean.
        self.class_means = np.where(
            self.priors[:, None] > 0,
            (shares @ rows) / np.maximum(self.priors, _TINY)[:, None],
            self.mean,
        )

    @functools.cached_property
    def covariance(self) -> np.ndarray:
        """float32 (num_features, num_features), within classes, of scaled features."""
        # Takes longer than everything else, and not every head needs it.
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
        """Return the whitening that makes the covariance within classes the identity.

        Args:
            shrinkage: share of the identity in the covariance, over 0 and at most 1. With 1, each
                feature is only scaled to unit variance. With ``None``, all are divided by one
                number, so that the differences between their variances stay.
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


def row_weights(
    labeled: LabeledFeatures, num_classes: int, class_weight: ClassWeight
) -> np.ndarray:
    """Return the weight of each row, float32 (num_photos * num_copies,) of sum 1.

    Args:
        labeled: the photos, with their weights.
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

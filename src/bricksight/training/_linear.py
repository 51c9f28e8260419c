"""Two linear heads on whitened features: discriminant analysis and softmax regression."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from bricksight.bundle import Head
from bricksight.config import ClassWeight
from bricksight.training._examples import Examples, outlier_exposure
from bricksight.training._whitening import ClassStatistics, view_weights

OnIteration = Callable[[int, Head], bool]
"""Told the number of each iteration, from 1, and its head; false ends the fit."""


@dataclass(frozen=True, kw_only=True)
class Guidance:
    """What softmax regression goes by besides the photos of the classes.

    Attributes:
        outliers: Photos of none of the classes, to be unsure of, float32 (num_outliers, any,
            num_features).
        prior: What is known of the classes already, on the same features.
    """

    outliers: np.ndarray | None = None
    prior: Head | None = None


NO_GUIDANCE = Guidance()


class LinearFit:
    """Fits heads to the same photos; what they share is computed once."""

    def __init__(
        self,
        examples: Examples,
        *,
        num_classes: int,
        class_weight: ClassWeight = "none",
        guidance: Guidance = NO_GUIDANCE,
    ) -> None:
        """Takes the photos.

        Args:
            examples: photos of one class at least; every view counts.
            num_classes: how many classes there are.
            class_weight: whether every class or every photo counts the same.
            guidance: what softmax regression goes by besides; discriminant analysis cannot.
        """
        self._examples = examples
        self._guidance = guidance
        self._weights = view_weights(examples, num_classes, class_weight)
        self._statistics = ClassStatistics.of(examples, num_classes, class_weight)

    def lda(self, shrinkage: float | None) -> Head:
        """Returns linear discriminant analysis: the classes are normal, of one covariance.

        Args:
            shrinkage: of that covariance; with ``None`` it is a multiple of the identity.
        """
        whitening = self._statistics.whitening(shrinkage)
        means = whitening(self._statistics.class_means)
        bias = self._statistics.log_priors - np.sum(means**2, axis=1) / 2
        return whitening.undone(means.T, bias)

    def softmax(
        self,
        shrinkage: float | None,
        l2s: Sequence[float],
        *,
        max_iterations: int,
        on_iteration: OnIteration | None = None,
        from_prior: bool = False,
    ) -> list[Head]:
        """Returns softmax regression, a head for each weight of the penalty, by L-BFGS.

        Args:
            shrinkage: of the covariance that the features are whitened by, ``None`` for features
                that are not whitened.
            l2s: weights of half the squared kernel, on whitened features.
            max_iterations: how many each fit takes at most.
            on_iteration: follows the fits.
            from_prior: whether the fit begins at the prior, and the penalty is on what differs from
                it (L2-SP: X. Li, Y. Grandvalet, F. Davoine, ICML 2018, arXiv 1802.01483).
        """
        whitening = self._statistics.whitening(shrinkage)
        rows, labels = self._examples.rows()
        rows = whitening(rows)
        outliers, prior = self._guidance.outliers, self._guidance.prior
        if outliers is not None:
            outliers = whitening(outliers.reshape(-1, rows.shape[1]))
        start = whitening.done(prior) if from_prior and prior is not None else None

        def fit(l2: float) -> Head:
            objective = Objective(
                rows,
                labels,
                self._weights,
                l2,
                num_classes=len(self._statistics.priors),
                outliers=outliers,
                start=start,
            )
            steps = itertools.count(1)

            def callback(values: np.ndarray) -> None:
                head = whitening.undone(*objective.unpack(values))
                if on_iteration is not None and not on_iteration(next(steps), head):
                    raise StopIteration

            result = minimize(
                objective,
                objective.start,
                jac=True,
                method="L-BFGS-B",
                callback=None if on_iteration is None else callback,
                options={"maxiter": max_iterations},
            )
            head = whitening.undone(*objective.unpack(result.x))
            if on_iteration is not None and result.nit == 0:  # it begins where nothing is better
                on_iteration(1, head)
            return head

        return [fit(l2) for l2 in l2s]


class Objective:
    """The weighted mean cross entropy over all views, plus the penalty on the kernel.

    The penalty is on what differs from ``start``. Outliers add ``outlier_exposure``. The variables
    are one float64 vector, bias first.
    """

    def __init__(
        self,
        rows: np.ndarray,
        labels: np.ndarray,
        weights: np.ndarray,
        l2: float,
        *,
        num_classes: int,
        outliers: np.ndarray | None = None,
        start: Head | None = None,
    ) -> None:
        """Takes what is fitted to.

        Args:
            rows: float32 (num_views, num_features).
            labels: int (num_views,).
            weights: float32 (num_views,), of sum 1.
            l2: weight of half the squared kernel.
            num_classes: how many classes there are.
            outliers: float32 (any, num_features), of photos of none of the classes.
            start: where the fit begins; zero by default.
        """
        self._rows = rows
        self._outliers = outliers
        self._of_label = (np.arange(len(labels)), labels)
        self._weights = weights
        self._l2 = np.float32(l2)
        self._shape = (rows.shape[1], num_classes)
        self._start = np.zeros(self._shape, np.float32) if start is None else start.kernel
        bias = np.zeros(num_classes) if start is None else start.bias
        self.start = np.concatenate([bias, self._start.ravel()]).astype(np.float64)

    def __call__(self, values: np.ndarray) -> tuple[float, np.ndarray]:
        """Returns the loss and its gradient, float64 as ``start``."""
        kernel, bias = self.unpack(values)
        residual = Head(kernel=kernel, bias=bias).probabilities(self._rows)
        of_label = np.maximum(residual[self._of_label], np.float32(1e-30))
        change = kernel - self._start
        penalty = float(self._l2) / 2 * float(np.sum(change**2))
        loss = penalty - float(self._weights @ np.log(of_label))
        residual[self._of_label] -= 1
        residual *= self._weights[:, None]
        gradient = self._rows.T @ residual + self._l2 * change
        bias_gradient = residual.sum(axis=0)
        if self._outliers is not None:
            head = Head(kernel=kernel, bias=bias)
            outlier_loss, residual = outlier_exposure(head, self._outliers)
            loss += outlier_loss
            gradient += self._outliers.T @ residual
            bias_gradient += residual.sum(axis=0)
        return loss, np.concatenate([bias_gradient, gradient.ravel()]).astype(np.float64)

    def unpack(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the kernel, float32 (num_features, num_classes), and the bias."""
        bias, kernel = np.split(values.astype(np.float32), [self._shape[1]])
        return kernel.reshape(self._shape), bias

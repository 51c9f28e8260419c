"""Linear heads on whitened features: discriminant analysis and softmax regression."""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from scipy.optimize import minimize

from bricksight.bundle import Head
from bricksight.config import ClassWeight, HeadKind
from bricksight.features.labeled_features import LabeledFeatures
from bricksight.heads.objective import Objective
from bricksight.heads.whitening import ClassStatistics, Whitening, row_weights

OnIteration = Callable[[int, Head], bool]
"""Called with the number of each iteration, from 1, and its head; false ends the fit."""

DEFAULT_SHRINKAGE = 0.4
DEFAULT_L2 = 1e-2
"""Regularization where none can be selected, and while augmentation is selected."""


@dataclass(frozen=True)
class HeadChoice:
    """A kind of head and its regularization.

    Attributes:
        kind: "softmax" or "lda".
        shrinkage: Shrinkage of the covariance for whitening, ``None`` for softmax regression on
            features that are not whitened; see ``ClassStatistics.whitening``.
        l2: Weight of half the squared kernel in the loss, ``None`` for "lda", which has none.
        from_zero_shot_head: Whether softmax regression starts from the zero-shot head, with the
            penalty on the difference from it.
    """

    kind: HeadKind
    shrinkage: float | None = DEFAULT_SHRINKAGE
    l2: float | None = DEFAULT_L2
    from_zero_shot_head: bool = False

    def __str__(self) -> str:
        penalty = "" if self.l2 is None else f", l2 {self.l2:g}"
        whitened = "not whitened" if self.shrinkage is None else f"shrinkage {self.shrinkage:g}"
        start = ", from the zero-shot head" if self.from_zero_shot_head else ""
        return f"{self.kind}, {whitened}{penalty}{start}"


DEFAULT_HEADS: Mapping[HeadKind, HeadChoice] = MappingProxyType(
    {"softmax": HeadChoice("softmax"), "lda": HeadChoice("lda", l2=None)}
)
"""The heads where nothing can be selected."""


@dataclass(frozen=True, kw_only=True)
class HeadPrior:
    """Extra supervision for softmax regression, besides the photos of the classes.

    Attributes:
        outliers: Out-of-class photos, for which no class is to be probable, float32 (num_outliers,
            num_copies, num_features).
        zero_shot_head: What the backbone knows of the classes, on the same features.
    """

    outliers: np.ndarray | None = None
    zero_shot_head: Head | None = None

    def first_features(self, number: int) -> "HeadPrior":
        """Return the same for the first ``number`` features."""
        return HeadPrior(
            outliers=None if self.outliers is None else self.outliers[..., :number],
            zero_shot_head=None
            if self.zero_shot_head is None
            else self.zero_shot_head.first_features(number),
        )


NO_PRIOR = HeadPrior()

_CORRECTIONS = 5
"""Steps that L-BFGS remembers. SciPy's 10 need as many iterations, and twice as long for arithmetic
that blocks other threads."""


class LinearFit:
    """Fits heads to the same photos; what they share is computed once."""

    def __init__(
        self,
        labeled: LabeledFeatures,
        *,
        num_classes: int,
        class_weight: ClassWeight = "none",
        prior: HeadPrior = NO_PRIOR,
    ) -> None:
        """Compute what all fits to these photos share.

        Args:
            labeled: photos of at least one class; every copy counts.
            num_classes: how many classes there are.
            class_weight: whether every class or every photo counts the same.
            prior: extra supervision for softmax regression; discriminant analysis takes none.
        """
        self._examples = labeled
        self._prior = prior
        self._weights = row_weights(labeled, num_classes, class_weight)
        self._statistics = ClassStatistics(labeled, num_classes, class_weight)
        self._last: tuple[float | None, Whitening, np.ndarray] | None = None

    def fit(
        self,
        choice: HeadChoice,
        *,
        max_iterations: int,
        on_iteration: OnIteration | None = None,
    ) -> Head:
        """Return the head of ``choice``.

        Args:
            choice: the kind of head and its regularization.
            max_iterations: for softmax regression.
            on_iteration: called after each iteration; discriminant analysis has one.
        """
        if choice.l2 is None:
            head = self._lda(choice.shrinkage)
            if on_iteration is not None:
                on_iteration(1, head)
            return head
        return self._softmax(choice, choice.l2, max_iterations, on_iteration)

    def _lda(self, shrinkage: float | None) -> Head:
        """Return linear discriminant analysis: normal classes with one common covariance."""
        whitening = self._statistics.whitening(shrinkage)
        means = whitening(self._statistics.class_means)
        bias = self._statistics.log_priors - np.sum(means**2, axis=1) / 2
        return whitening.fold_into_head(means.T, bias)

    def _softmax(
        self,
        choice: HeadChoice,
        l2: float,
        max_iterations: int,
        on_iteration: OnIteration | None,
    ) -> Head:
        """Return softmax regression by L-BFGS.

        From the zero-shot head, the penalty is on the difference from it (L2-SP: X. Li,
        Y. Grandvalet, F. Davoine, ICML 2018, arXiv 1802.01483).
        """
        whitening, rows = self._whitened(choice.shrinkage)
        outliers, zero_shot_head = self._prior.outliers, self._prior.zero_shot_head
        objective = Objective(
            rows,
            self._examples.rows()[1],
            self._weights,
            l2,
            num_classes=len(self._statistics.priors),
            outliers=None if outliers is None else whitening(outliers.reshape(-1, rows.shape[1])),
            start=whitening.unfold_from_head(zero_shot_head)
            if choice.from_zero_shot_head and zero_shot_head is not None
            else None,
        )
        steps = itertools.count(1)

        def callback(values: np.ndarray) -> None:
            head = whitening.fold_into_head(*objective.unpack(values))
            if on_iteration is not None and not on_iteration(next(steps), head):
                raise StopIteration

        result = minimize(
            objective,
            objective.start,
            jac=True,
            method="L-BFGS-B",
            callback=None if on_iteration is None else callback,
            options={"maxiter": max_iterations, "maxcor": _CORRECTIONS},
        )
        head = whitening.fold_into_head(*objective.unpack(result.x))
        if on_iteration is not None and result.nit == 0:  # it starts at the optimum
            on_iteration(1, head)
        return head

    def _whitened(self, shrinkage: float | None) -> tuple[Whitening, np.ndarray]:
        """Return the whitening and the whitened rows, cached for the last shrinkage.

        Two threads may both compute them, with the same result.
        """
        last = self._last
        if last is None or last[0] != shrinkage:
            whitening = self._statistics.whitening(shrinkage)
            self._last = last = (shrinkage, whitening, whitening(self._examples.rows()[0]))
        return last[1:]

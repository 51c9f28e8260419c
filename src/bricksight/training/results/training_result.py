"""The result of a training."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bricksight._support.reprs import short_repr
from bricksight.bundle import Bundle
from bricksight.training.results.artifacts import TrainingReport, metrics


@dataclass(frozen=True, kw_only=True)
class TrainingResult:
    """The result of a training.

    Attributes:
        bundle: The model folder.
        findings: Everything that the report tells.
        seconds: Stage of the run → how long it took.
    """

    bundle: Bundle
    findings: TrainingReport
    seconds: Mapping[str, float]

    def __repr__(self) -> str:
        return short_repr(self, self.bundle.path.name, self.findings.test.statement)

    def to_dict(self) -> dict[str, Any]:
        """Return ``bundle``, the path, and the content of ``metrics.json``, for JSON."""
        return {"bundle": str(self.bundle.path), **metrics(self.findings, seconds=self.seconds)}

"""The stages that run now, as text: which step, what is done, how much of it, the time left."""

import time

from bricksight._support.progress import ProgressEvent
from bricksight._support.text import about, percent


class RunningStages:
    """Follows progress events; its texts may be read from another thread."""

    def __init__(self) -> None:
        self._latest: tuple[ProgressEvent, ...] = ()  # of each running stage, outermost first
        self._time = 0.0

    def __bool__(self) -> bool:
        return bool(self._latest)

    def follow(self, event: ProgressEvent) -> None:
        """Take an event into account."""
        if event.kind == "message":
            return
        self._time = time.perf_counter()
        ended = event.kind in ("finished", "failed")
        self._latest = self._latest[: event.level] + (() if ended else (event,))

    @property
    def title(self) -> str:
        """Such as "Step 5 of 7: Fine-tuning"; a counted stage around it is named before."""
        if not self._latest:
            return ""
        *around, innermost = self._latest
        place = f"Step {innermost.step} of {innermost.num_steps}: " if innermost.step else ""
        counted = [f"{one.stage} {one.done + 1} of {one.total}" for one in around if one.total]
        return place + ", ".join([*counted, innermost.stage])

    @property
    def count(self) -> str:
        """Such as "120 of 400"; empty where nothing is counted."""
        if not self._latest or self._latest[-1].total is None:
            return ""
        return f"{self._latest[-1].done:,} of {self._latest[-1].total:,}"

    @property
    def metrics(self) -> str:
        """Such as "validation accuracy 91.2 %"."""
        found = self._latest[-1].metrics if self._latest else {}
        return ", ".join(f"{name.replace('_', ' ')} {percent(one)}" for name, one in found.items())

    @property
    def time(self) -> str:
        """Such as "about 2 min left", or "40 s so far" where that cannot be told."""
        if not self._latest:
            return ""
        event, since = self._latest[-1], time.perf_counter() - self._time
        if event.seconds_left is None:
            return f"{about(event.seconds + since)} so far"
        return f"about {about(max(event.seconds_left - since, 0.0))} left"

    @property
    def fraction(self) -> float | None:
        """Share of the run that is done, 0 to 1; ``None`` if it is not known."""
        return self._latest[-1].fraction if self._latest else None

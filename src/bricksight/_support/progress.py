"""Progress of long work as typed events; the command line draws them, the library is silent.

Work is divided into stages, which may contain further stages. A plan names the outermost ones, in
order, with the seconds that each is expected to take: it gives "step n of m" and the time left.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Literal, Protocol

EventKind = Literal["started", "advanced", "finished", "failed", "message"]


@dataclass(frozen=True, kw_only=True)
class ProgressEvent:
    """What happened in a run, and how far it is.

    Attributes:
        kind: A stage "started", "advanced", "finished", or "failed" with an error; or a "message".
        step: Number of the planned step that the run has reached, from 1; 0 before the first.
        num_steps: Number of planned steps; 0 without a plan.
        stage: Title of the stage, such as "Computing features"; empty for a message outside one.
        level: 0 for an outermost stage, 1 for a stage within it, and so on.
        done: Items of the stage that are done.
        total: Items of the stage; ``None`` if they are not counted.
        seconds: Time since the stage started.
        fraction: Share of the whole run that is done, 0 to 1; ``None`` if it is not known.
        seconds_left: Estimated time until the end of the run; ``None`` if it is not known.
        metrics: Figures of the stage, such as ``{"validation_accuracy": 0.91}``.
        message: The text of a message.
    """

    kind: EventKind
    step: int = 0
    num_steps: int = 0
    stage: str = ""
    level: int = 0
    done: int = 0
    total: int | None = None
    seconds: float = 0.0
    fraction: float | None = None
    seconds_left: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    message: str = ""

    def to_dict(self) -> dict[str, object]:
        """Return the fields as JSON-compatible values."""
        return asdict(self)


Reporter = Callable[[ProgressEvent], None]
"""Called with every event, in the thread that works. An error that it raises stops the work."""


class Advance(Protocol):
    """Reports that further items of a stage are done."""

    def __call__(self, count: int, /, **metrics: float) -> None:
        """Report ``count`` further items, and figures such as ``validation_accuracy=0.91``."""


@dataclass
class _Stage:
    title: str
    total: int | None
    start: float
    done: int = 0
    nested_seconds: float = 0.0
    metrics: dict[str, float] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.start

    @property
    def fraction(self) -> float | None:
        return None if not self.total else min(self.done / self.total, 1.0)

    @property
    def seconds_left(self) -> float | None:
        """Time left at the mean speed so far; ``None`` before the first item."""
        if not self.total or not self.done:
            return None
        return self.seconds / self.done * max(self.total - self.done, 0)


class Progress:
    """Reports the progress of one run, and measures how long its stages take.

    Args:
        reporter: Called with every event; ``None`` for silence.
        plan: Titles of the outermost stages, in order, and the seconds that each is expected to
            take. A stage of another title belongs to the step that has been reached.
    """

    def __init__(
        self, reporter: Reporter | None = None, plan: Mapping[str, float] | None = None
    ) -> None:
        self._reporter = reporter
        self._plan = dict(plan or {})
        self._step = 0
        self._step_start = self._start = time.perf_counter()
        self._stages: list[_Stage] = []
        self._messages: set[str] = set()
        self._seconds: dict[str, float] = {}

    def plan(self, steps: Mapping[str, float]) -> None:
        """Set or refine the plan; steps that have been reached keep their titles."""
        self._plan = dict(steps)

    def drop(self, title: str) -> None:
        """Remove a step from the plan, unless it has been reached."""
        if title in list(self._plan)[self._step :]:
            del self._plan[title]

    @contextlib.contextmanager
    def stage(self, title: str, total: int | None = None) -> Iterator[Advance]:
        """Report a stage while the block runs.

        Args:
            title: What is done, such as "Computing features".
            total: Number of items; ``None`` if they are not counted.
        """
        stage = _Stage(title, total, time.perf_counter())
        self._reach(title)
        self._stages.append(stage)
        self._report("started")

        def advance(count: int, /, **metrics: float) -> None:
            stage.done += count
            stage.metrics.update(metrics)
            self._report("advanced")

        try:
            yield advance
        except BaseException:
            self._report("failed")
            raise
        else:
            self._report("finished")
        finally:
            self._stages.pop()
            seconds = stage.seconds
            if self._stages:
                self._stages[-1].nested_seconds += seconds
            own = seconds - stage.nested_seconds
            self._seconds[title] = self._seconds.get(title, 0.0) + own

    @contextlib.contextmanager
    def sequence(self) -> Iterator[Callable[[str, int, int], None]]:
        """Yield a function of title, done and total; a new title starts the next stage."""
        with contextlib.ExitStack() as stages:
            title, done = "", 0
            advance: Advance | None = None

            def update(name: str, now: int, total: int) -> None:
                nonlocal title, done, advance
                if advance is None or name != title:
                    stages.close()
                    title, done = name, 0
                    advance = stages.enter_context(self.stage(name, total))
                advance(now - done)
                done = now

            yield update

    def message(self, text: str) -> None:
        """Report a result on the way."""
        self._report("message", text)

    def message_once(self, text: str) -> None:
        """Report a message unless it was reported before."""
        if text not in self._messages:
            self._messages.add(text)
            self.message(text)

    def seconds(self) -> dict[str, float]:
        """Return title → seconds of each stage without the stages in it, and the run's "Total"."""
        return self._seconds | {"Total": time.perf_counter() - self._start}

    def _reach(self, title: str) -> None:
        number = list(self._plan).index(title) + 1 if title in self._plan else 0
        if number > self._step:
            self._step, self._step_start = number, time.perf_counter()

    def _report(self, kind: EventKind, message: str = "") -> None:
        if self._reporter is None:
            return
        event = ProgressEvent(
            kind=kind, step=self._step, num_steps=len(self._plan), message=message
        )
        if self._stages:
            stage = self._stages[-1]
            fraction, left = self._of_run()
            event = replace(
                event,
                stage=stage.title,
                level=len(self._stages) - 1,
                done=stage.done,
                total=stage.total,
                seconds=stage.seconds,
                fraction=fraction,
                seconds_left=left,
                metrics=dict(stage.metrics),
            )
        self._reporter(event)

    def _of_run(self) -> tuple[float | None, float | None]:
        """Return the share of the run that is done, and the seconds that are left.

        The outermost stage that counts its items gives the speed; what it does not cover is as the
        plan expects.
        """
        counted = next((stage for stage in self._stages if stage.total), None)
        left = None if counted is None else counted.seconds_left
        if self._step:
            expected = list(self._plan.values())
            spent = time.perf_counter() - self._step_start
            unspent = max(expected[self._step - 1] - spent, 0.0)
            # Within a stage that does not count, a counted one is only a part of the step.
            if left is None or counted is not self._stages[0]:
                left = max(unspent, left or 0.0)
            left += sum(expected[self._step :])
        if left is None:
            return None if counted is None else counted.fraction, None
        elapsed = max(time.perf_counter() - self._start, 1e-9)
        return elapsed / (elapsed + left), left

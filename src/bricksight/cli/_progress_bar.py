"""Progress on a terminal: one bar for the whole run, on one line."""

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table

from bricksight._support.progress import ProgressEvent
from bricksight.cli._running_stages import RunningStages

_BAR_WIDTH = 16
_WIDTH_FOR_BAR = 60
_WIDTH_FOR_METRICS = 120
_REFRESHES_PER_SECOND = 8


class ProgressLine:
    """Shows step, stage, bar, count and time left while any stage runs, and then removes them.

    Args:
        console: Of the terminal.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._running = RunningStages()
        self._spinner = Spinner("line" if console.options.ascii_only else "dots")
        self._live: Live | None = None

    def __call__(self, event: ProgressEvent) -> None:
        """Follow an event."""
        self._running.follow(event)
        if self._running and self._live is None:
            self._live = Live(
                console=self._console,
                get_renderable=self._render,
                refresh_per_second=_REFRESHES_PER_SECOND,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start(refresh=True)
        elif not self._running and self._live is not None:
            self._live.stop()
            self._live = None

    def _render(self) -> RenderableType:
        """Return one line, as much of it as the terminal has room for."""
        running, fraction = self._running, self._running.fraction
        if not running:  # the last refresh comes after the last stage
            return ""
        title = running.title
        if self._console.width >= _WIDTH_FOR_METRICS:
            title = ", ".join(filter(None, [title, running.metrics]))
        cells: list[RenderableType] = [self._spinner, title]
        if self._console.width >= _WIDTH_FOR_BAR:
            total = None if fraction is None else 1.0
            cells.append(ProgressBar(total, fraction or 0.0, width=_BAR_WIDTH))
            cells.append(running.count)
        cells.append(running.time)
        line = Table.grid(padding=(0, 1), expand=True)
        for number in range(len(cells)):
            is_title = number == 1  # what does not fit is cut there
            line.add_column(ratio=1 if is_title else None, no_wrap=True, overflow="ellipsis")
        line.add_row(*cells)
        return line

"""What is shown of a long stage where there is no terminal."""

import re
import time

import pytest

from bricksight._support.progress import Countdown, StageTimer
from bricksight._support.text import about
from bricksight.cli._console import ConsoleReporter
from bricksight.cli._progress_lines import SECONDS_BETWEEN, ProgressLines
from bricksight.training import SilentReporter


def test_progress_lines__tell_how_far_a_stage_is_while_it_runs() -> None:
    said: list[str] = []
    with ProgressLines("Training", 400, said.append, seconds=0.05) as lines:
        time.sleep(0.12)
        lines.advance(100)
        time.sleep(0.12)
    num_said = len(said)
    assert said[0] == "Training: 0 of 400, 0 s so far"
    assert re.fullmatch(r"Training: 100 of 400, [01] s left", said[-1])
    time.sleep(0.1)
    assert len(said) == num_said  # the thread has ended


def test_progress_lines__of_what_is_not_counted() -> None:
    said: list[str] = []
    with ProgressLines("Exporting", None, said.append, seconds=0.05):
        time.sleep(0.08)
    assert said == ["Exporting: 0 s so far"]
    assert SECONDS_BETWEEN < 30


def test_progress_lines__end_with_an_error_too() -> None:
    lines = ProgressLines("Training", 1, lambda _: None)
    with pytest.raises(KeyError), lines:
        raise KeyError
    assert not lines._thread.is_alive()


def test_reporter__is_silent_if_asked(capfd: pytest.CaptureFixture[str]) -> None:
    with ConsoleReporter(quiet=True).stage("Training", 4) as advance:
        advance(4)
    assert capfd.readouterr() == ("", "")


def test_countdown__says_which_model_and_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    class Told(SilentReporter):
        def __init__(self) -> None:
            self.lines: list[str] = []

        def say(self, message: str) -> None:
            self.lines.append(message)

    told, clock = Told(), [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    countdown = Countdown(StageTimer(told), 4)
    for now in (0, 60, 61, 120):
        clock[0] = now
        countdown.begin_model()
    assert told.lines == ["Model 2 of 4, 3 min left", "Model 4 of 4, 40 s left"]


@pytest.mark.parametrize(
    ("seconds", "text"), [(4.2, "4 s"), (89, "89 s"), (125, "2 min"), (5400, "1 h 30 min")]
)
def test_about__is_as_exact_as_a_forecast(seconds: float, text: str) -> None:
    assert about(seconds) == text

"""Progress of a run: typed events, one bar on a terminal, lines elsewhere, silence if asked."""

import io
import re
import time
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from bricksight._support.progress import Progress, ProgressEvent
from bricksight._support.text import about
from bricksight.cli._console import ConsoleReporter
from bricksight.cli._progress_bar import ProgressLine
from bricksight.cli._progress_lines import SECONDS_BETWEEN, ProgressLines

PLAN = {"Reading photos": 1.0, "Computing features": 10.0, "Fine-tuning": 60.0}


def events_of(plan: Any = None) -> tuple[Progress, list[ProgressEvent]]:
    events: list[ProgressEvent] = []
    return Progress(events.append, plan), events


def test_progress__reports_stages_with_their_step() -> None:
    progress, events = events_of(PLAN)
    with progress.stage("Reading photos"):
        pass
    with progress.stage("Compiling the backbone"):  # not planned: belongs to the step before
        pass
    with progress.stage("Computing features", 3) as advance:
        advance(2)
        advance(1, accuracy=0.5)
    told = [(event.kind, event.step, event.stage, event.done) for event in events]
    assert told == [
        ("started", 1, "Reading photos", 0),
        ("finished", 1, "Reading photos", 0),
        ("started", 1, "Compiling the backbone", 0),
        ("finished", 1, "Compiling the backbone", 0),
        ("started", 2, "Computing features", 0),
        ("advanced", 2, "Computing features", 2),
        ("advanced", 2, "Computing features", 3),
        ("finished", 2, "Computing features", 3),
    ]
    assert {event.num_steps for event in events} == {3}
    assert events[-1].metrics == {"accuracy": 0.5}
    assert events[-1].to_dict()["kind"] == "finished"


def test_progress__a_stage_that_is_reached_again_stays_in_the_step() -> None:
    progress, events = events_of(PLAN)
    with progress.stage("Fine-tuning"), progress.stage("Computing features", 1):
        pass
    assert [(event.step, event.level) for event in events] == [(3, 0), (3, 1), (3, 1), (3, 0)]


def test_progress__estimates_the_time_left_of_the_whole_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    progress, events = events_of(PLAN)
    with progress.stage("Computing features", 100) as advance:
        assert events[-1].seconds_left == 70  # as planned
        clock[0] = 20
        advance(50)
        assert events[-1].seconds_left == 20 + 60
        assert events[-1].fraction == pytest.approx(0.2)
    with progress.stage("Fine-tuning"):
        clock[0] = 40
        with progress.stage("Training the backbone", 10) as advance:
            clock[0] = 60
            advance(1)
            assert events[-1].seconds_left == 180  # nine tenths to go, whatever was planned


def test_progress__a_planned_step_may_be_dropped() -> None:
    progress, events = events_of(PLAN)
    with progress.stage("Reading photos"):
        progress.drop("Fine-tuning")
        progress.drop("Reading photos")  # reached already: stays
    assert events[-1].num_steps == 2


def test_progress__an_error_ends_the_stage() -> None:
    progress, events = events_of()
    with pytest.raises(KeyError), progress.stage("Training"):
        raise KeyError
    assert [event.kind for event in events] == ["started", "failed"]


def test_progress__seconds_of_a_stage_are_without_those_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    progress = Progress()
    with progress.stage("Training the head"):
        clock[0] = 1
        with progress.stage("Computing features"):
            clock[0] = 5
        clock[0] = 6
    assert progress.seconds() == {"Computing features": 4, "Training the head": 2, "Total": 6}


def test_sequence__a_new_title_starts_the_next_stage() -> None:
    progress, events = events_of()
    with progress.sequence() as update:
        update("Reading", 1, 2)
        update("Reading", 2, 2)
        update("Timing", 0, 5)
    ended = [(event.stage, event.done) for event in events if event.kind == "finished"]
    assert ended == [("Reading", 2), ("Timing", 0)]


def test_lines__tell_how_far_a_stage_is_while_it_runs() -> None:
    said: list[str] = []
    progress = Progress(ProgressLines(said.append, seconds=0.05), PLAN)
    with progress.stage("Fine-tuning", 400) as advance:
        time.sleep(0.12)
        advance(100, validation_accuracy=0.912)
        time.sleep(0.12)
    num_said = len(said)
    assert said[0] == "Step 3 of 3: Fine-tuning, 0 of 400, about 60 s left"
    pattern = r"Step 3 of 3: Fine-tuning, 100 of 400, validation accuracy 91.2 %, about [01] s left"
    assert re.fullmatch(pattern, said[-2])
    assert re.fullmatch(r"Step 3 of 3: Fine-tuning, 400 in 0\.\d s \([\d,]+/s\)", said[-1])
    time.sleep(0.1)
    assert len(said) == num_said  # the thread has ended


def test_lines__a_counted_stage_around_another_is_named() -> None:
    said: list[str] = []
    progress = Progress(ProgressLines(said.append, seconds=0.05))
    with (
        progress.stage("Cross-validating", 15) as advance,
        progress.stage("Training the head"),
    ):
        advance(0)
        time.sleep(0.08)
    assert said[0] == "Cross-validating 1 of 15, Training the head, 0 s so far"
    assert SECONDS_BETWEEN < 30


def test_lines__end_with_an_error_too() -> None:
    lines = ProgressLines(lambda _: None)
    with pytest.raises(KeyError), Progress(lines).stage("Training", 1):
        raise KeyError
    assert lines._thread is None


def test_reporter__is_silent_if_asked(capfd: pytest.CaptureFixture[str]) -> None:
    progress = Progress(ConsoleReporter(quiet=True))
    with progress.stage("Training", 4) as advance:
        advance(4)
    progress.message("Kept: the head alone.")
    assert capfd.readouterr() == ("", "")


def frames_in(drawn: str) -> list[str]:
    """Returns what was drawn on a terminal, without control sequences and empty frames."""
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn)
    return [frame for frame in text.split("\r") if frame]


@pytest.mark.parametrize("width", [40, 80, 200])
def test_bar__is_one_line_that_is_gone_at_the_end(width: int) -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=width, highlight=False, markup=False)
    progress = Progress(ProgressLine(console), PLAN)
    with progress.stage("Fine-tuning"), progress.stage("Training the backbone", 1234) as advance:
        advance(617, validation_accuracy=0.9)
        time.sleep(0.4)  # it is drawn a few times a second
        drawn = stream.getvalue()
    frames = frames_in(drawn)
    assert len(frames) > 1
    assert "\n" not in drawn
    assert {cell_len(frame) for frame in frames} == {width}
    line = frames[-1].rstrip()
    assert line[2:].startswith("Step 3 of 3: Training" if width > 40 else "Step")
    if width > 40:
        assert "617 of 1,234" in line
        assert re.search(r"about \d+ s left$", line)
    assert ("validation accuracy 90.0 %" in line) == (width == 200)
    at_the_end = stream.getvalue()[len(drawn) :]
    assert at_the_end.endswith("\x1b[1A\x1b[2K")  # up, and the line is erased
    assert all("Step" in frame for frame in frames_in(at_the_end) if frame.strip())


@pytest.mark.parametrize(
    ("seconds", "text"), [(4.2, "4 s"), (89, "89 s"), (125, "2 min"), (5400, "1 h 30 min")]
)
def test_about__is_as_exact_as_a_forecast(seconds: float, text: str) -> None:
    assert about(seconds) == text

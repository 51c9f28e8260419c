"""The camera: frames that are drawn, videos that are written, streams from a local server."""

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bricksight import images
from bricksight.camera import (
    FpsMeter,
    Frame,
    Keeper,
    Observation,
    Recorder,
    Region,
    Smoother,
    Window,
    central_region,
    draw_overlay,
    observe,
    open_video,
    parse_source,
    video,
    watch,
)
from bricksight.cli import main
from bricksight.config import InputSpec
from bricksight.dataset import scan
from bricksight.errors import CameraError, ConfigError, OutputError
from bricksight.predict import Answer, Prediction, Predictor
from bricksight.training import TrainingResult
from helpers.photos import COLOURS, draw

Captured = pytest.CaptureFixture[str]

HEIGHT, WIDTH, MIDDLE = 160, 200, 96
FPS = 10.0


def show(label: str, seed: int = 0) -> np.ndarray:
    """A grey frame, BGR, with the photo of a class where the default region is."""
    frame = Image.new("RGB", (WIDTH, HEIGHT), (128, 128, 128))
    frame.paste(
        draw(label, seed).resize((MIDDLE, MIDDLE)), ((WIDTH - MIDDLE) // 2, (HEIGHT - MIDDLE) // 2)
    )
    return np.asarray(frame)[..., ::-1].copy()


def frames(labels: Sequence[str]) -> list[Frame]:
    return [Frame(index / FPS, show(label)) for index, label in enumerate(labels)]


def write_video(path: Path, labels: Sequence[str]) -> str:
    cv2 = pytest.importorskip("cv2")
    codec = cv2.VideoWriter_fourcc(*("MJPG" if path.suffix == ".avi" else "mp4v"))
    writer = cv2.VideoWriter(str(path), codec, FPS, (WIDTH, HEIGHT))
    for frame in frames(labels):
        writer.write(frame.picture)
    writer.release()
    return str(path)


def seen(*labels: str, is_unknown: bool = False, picture: np.ndarray | None = None) -> Observation:
    """An observation whose first label has 80 %."""
    shares = [0.8, *[0.2 / max(1, len(labels) - 1)] * (len(labels) - 1)]
    answer = Answer(tuple(map(Prediction, labels, shares)), is_unknown)
    frame = show(labels[0]) if picture is None else picture
    region = central_region(*frame.shape[:2], InputSpec(), share=0.6)
    return Observation(0, Frame(0.0, frame), region, answer, 25.0)


@pytest.fixture
def predictor(tiny_run: TrainingResult) -> Predictor:
    return Predictor(tiny_run.bundle.path)


@pytest.fixture
def bundle(tiny_run: TrainingResult) -> str:
    return str(tiny_run.bundle.path)


# The pure parts.


def test_central_region__is_the_middle_in_the_proportions_of_the_network() -> None:
    square = InputSpec(height=224, width=224)
    assert central_region(480, 640, square, share=0.5) == Region(200, 120, 440, 360)
    assert central_region(640, 480, square, share=1) == Region(0, 80, 480, 560)
    wide = InputSpec(height=100, width=200)
    assert central_region(480, 640, wide, share=1) == Region(0, 80, 640, 400)


@pytest.mark.parametrize("share", [0, -0.1, 1.01, float("nan")])
def test_central_region__a_share_that_cannot_be_is_named(share: float) -> None:
    with pytest.raises(ConfigError, match=f"--region is {share}; it must be over 0 and at most 1"):
        central_region(480, 640, InputSpec(), share=share)


def test_region__crop_is_what_lies_inside() -> None:
    picture = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)
    np.testing.assert_array_equal(Region(2, 1, 5, 4).crop(picture), picture[1:4, 2:5])


def test_smoother__one_odd_frame_does_not_change_the_best_class() -> None:
    smoother = Smoother(3)
    usual, odd = np.float32([0.9, 0.1]), np.float32([0.0, 1.0])
    means = [smoother.add(row) for row in (usual, usual, odd, usual)]
    np.testing.assert_allclose(means[2], [0.6, 0.4], atol=1e-6)
    assert means[2].dtype == np.float32
    for _ in range(3):
        mean = smoother.add(odd)
    np.testing.assert_allclose(mean, odd)  # what was three frames ago is forgotten


def test_smoother__needs_a_frame() -> None:
    with pytest.raises(ConfigError, match="--smooth is 0"):
        Smoother(0)


def test_fps_meter__is_the_rate_of_the_last_frames() -> None:
    meter = FpsMeter(num_frames=4)
    slow = [meter.tick(second) for second in (0, 1, 2)]
    assert slow == [0.0, 1.0, 1.0]
    for tick in range(1, 9):
        rate = meter.tick(2 + tick / 10)
    assert rate == pytest.approx(10)


@pytest.mark.parametrize(
    ("text", "kind", "target", "is_live"),
    [
        ("0", "device", 0, True),
        ("/dev/video2", "device", "/dev/video2", True),
        ("rtsp://host/stream", "stream", "rtsp://host/stream", True),
        ("http://host/mjpeg?size=2", "stream", "http://host/mjpeg?size=2", True),
        ("https://host/a.MP4?key=1", "stream", "https://host/a.MP4?key=1", False),
        ("videotestsrc ! appsink", "gstreamer", "videotestsrc ! appsink", True),
    ],
)
def test_parse_source__tells_what_is_named(
    text: str, kind: str, target: int | str, is_live: bool
) -> None:
    found = parse_source(text)
    assert (found.kind, found.target, found.is_live) == (kind, target, is_live)


@pytest.mark.parametrize(("text", "sensor"), [("csi", 0), ("csi:1", 1), ("csi://1", 1)])
def test_parse_source__csi_is_a_pipeline_that_keeps_the_newest_frame(
    text: str, sensor: int
) -> None:
    target = str(parse_source(text).target)
    assert target.startswith(f"nvarguscamerasrc sensor-id={sensor} ! ")
    assert target.endswith("format=(string)BGR ! appsink drop=true max-buffers=1 sync=false")


# The overlay.


def test_overlay__leaves_the_frame_and_shows_the_region_as_it_is() -> None:
    observation = seen("red", "blue")
    before = observation.frame.picture.copy()
    drawn = draw_overlay(observation)
    np.testing.assert_array_equal(observation.frame.picture, before)
    assert drawn.shape == before.shape
    assert drawn.dtype == np.uint8
    inner = Region(60, 60, 140, 100)
    np.testing.assert_array_equal(inner.crop(drawn), inner.crop(before))
    assert np.all(drawn[80, :50] < before[80, :50])


def test_overlay__guide_and_label_say_whether_it_is_known() -> None:
    corner = (observation := seen("red", "blue")).region.top - 1, observation.region.left - 1
    green, orange = (
        draw_overlay(seen("red", "blue", is_unknown=unknown))[corner] for unknown in (False, True)
    )
    assert green.argmax() == 1  # BGR
    assert orange.argmax() == 2


def test_overlay__message_and_recording_are_seen() -> None:
    observation = seen("red", "blue", picture=np.zeros((480, 640, 3), np.uint8))
    plain = draw_overlay(observation)
    told = draw_overlay(observation, message="saved red/1.jpg", hint="q quit")
    recorded = draw_overlay(observation, is_recording=True)
    assert np.any(plain[:40] != told[:40])
    assert np.any(plain[-50:, :320] != told[-50:, :320])
    np.testing.assert_array_equal(plain[50:], recorded[50:])
    assert np.all(recorded[:30].max(axis=(0, 1)) == [255, 255, 255])
    dot = (recorded[:30] != plain[:30]).any(axis=2)
    assert recorded[:30][dot][:, 2].mean() > 2 * recorded[:30][dot][:, 0].mean()


def test_overlay__many_classes_do_not_reach_into_the_region() -> None:
    picture = np.full((480, 640, 3), 200, np.uint8)
    observation = seen(*"abcdefghi", picture=picture)
    np.testing.assert_array_equal(observation.region.crop(draw_overlay(observation)), 200)


@pytest.mark.parametrize("size", [(24, 32), (1080, 1920), (640, 360)])
def test_overlay__any_size_and_a_label_that_is_too_long(size: tuple[int, int]) -> None:
    picture = np.full((*size, 3), 255, np.uint8)
    assert draw_overlay(seen("long " * 40, "b", picture=picture)).shape == (*size, 3)


# From frames to answers.


@pytest.mark.tf
def test_observe__labels_follow_what_the_frames_show(predictor: Predictor) -> None:
    """Red and blue are each other's mirror in BGR: a frame in the wrong order is misnamed."""
    predictor.unknown_threshold = None
    labels = [label for label in COLOURS for _ in range(3)]
    found = list(observe(predictor, frames(labels), smooth=1))
    assert [one.answer.label for one in found] == labels
    assert [one.index for one in found] == list(range(9))
    assert found[-1].fps > 0


@pytest.mark.tf
def test_observe__answers_as_predict_does_on_the_region(predictor: Predictor) -> None:
    (found,) = observe(predictor, frames(["green"]), smooth=1, top_k=2)
    pixels = np.ascontiguousarray(found.region.crop(found.frame.picture)[..., ::-1])
    assert found.region == Region(52, 32, 148, 128)
    assert found.answer == predictor.predict(pixels, top_k=2)


@pytest.mark.tf
def test_observe__the_whole_frame_if_asked(predictor: Predictor) -> None:
    (found,) = observe(predictor, frames(["green"]), region=None)
    assert found.region == Region(0, 0, WIDTH, HEIGHT)
    pixels = np.ascontiguousarray(found.frame.picture[..., ::-1])
    assert found.answer == predictor.predict(pixels, top_k=3)


@pytest.mark.tf
def test_observe__below_the_threshold_it_is_unknown(predictor: Predictor) -> None:
    predictor.unknown_threshold = 1.01
    (found,) = observe(predictor, frames(["green"]))
    assert found.answer.is_unknown
    assert found.answer.label is None


@pytest.mark.tf
def test_observe__smoothing_keeps_an_odd_frame_from_changing_the_label(
    predictor: Predictor,
) -> None:
    predictor.unknown_threshold = None
    labels = ["blue"] * 4 + ["red"] + ["blue"] * 3
    alone = [one.answer.label for one in observe(predictor, frames(labels), smooth=1)]
    smooth = [one.answer.label for one in observe(predictor, frames(labels), smooth=5)]
    assert alone == labels
    assert smooth == ["blue"] * 8


# Files.


@pytest.mark.tf
@pytest.mark.parametrize("name", ["film.avi", "film.mp4"])
def test_camera__a_video_is_answered_frame_by_frame(
    name: str, bundle: str, tmp_path: Path, capsys: Captured
) -> None:
    labels = [label for label in COLOURS for _ in range(8)]
    film = write_video(tmp_path / name, labels)
    assert main(["camera", bundle, "--source", film, "--headless", "--smooth", "3"]) == 0
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["frame"] for one in answers] == list(range(24))
    assert answers[23]["time_s"] == pytest.approx(2.3)
    assert list(answers[0]) == ["frame", "time_s", "label", "is_unknown", "predictions", "fps"]
    for last in (7, 15, 23):
        assert answers[last]["predictions"][0]["label"] == labels[last]
        assert answers[last]["label"] in (labels[last], None)
        assert len(answers[last]["predictions"]) == 3


@pytest.mark.tf
def test_camera__stops_after_max_frames(bundle: str, tmp_path: Path, capsys: Captured) -> None:
    film = write_video(tmp_path / "film.avi", ["red"] * 6)
    command = ["camera", bundle, "--source", film, "--headless", "--max_frames", "4"]
    assert main([*command, "--top_k", "1"]) == 0
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [len(one["predictions"]) for one in answers] == [1] * 4


@pytest.mark.tf
@pytest.mark.parametrize("name", ["out.mp4", "out.avi", "out.mkv"])
def test_camera__a_recording_plays_back(name: str, bundle: str, tmp_path: Path) -> None:
    film = write_video(tmp_path / "film.avi", ["red"] * 6)
    out = tmp_path / name
    assert main(["camera", bundle, "--source", film, "--headless", "--record", str(out)]) == 0
    with open_video(str(out)) as recording:
        pictures = [frame.picture for frame in recording]
        assert recording.fps == FPS
    assert len(pictures) == 6
    assert pictures[0].shape == (HEIGHT, WIDTH, 3)
    middle = pictures[-1][60:100, 80:120].mean(axis=(0, 1))
    assert middle[2] > 2 * middle[0]  # red, in BGR
    assert pictures[-1][:10, :20].mean() < 60  # the frame was light grey there


def test_recorder__lasts_as_long_as_what_was_seen(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    path = tmp_path / "slow.avi"
    with Recorder(path, fps=10) as recorder:
        for label, time_s in (("red", 5.0), ("green", 5.5), ("green", 5.52), ("blue", 6.0)):
            recorder.write(show(label), time_s)
    with open_video(str(path)) as recording:
        centres = [frame.picture[80, 60].argmax() for frame in recording]
    assert len(centres) == 11  # 1 s at 10 frames/s, and the first
    assert centres[0] == 2
    assert centres[-1] == 0


def test_recorder__writes_over_no_file_and_knows_its_formats(tmp_path: Path) -> None:
    (tmp_path / "there.mp4").write_text("something")
    with pytest.raises(CameraError, match=r"there\.mp4 exists already"):
        Recorder(tmp_path / "there.mp4", fps=10)
    with pytest.raises(CameraError, match="none does not exist"):
        Recorder(tmp_path / "none" / "a.mp4", fps=10)
    with pytest.raises(ConfigError, match=r"a\.gif; it must end with \.mp4, \.avi"):
        Recorder(tmp_path / "a.gif", fps=10)


# Photos.


def test_keeper__the_photo_is_the_region_in_the_right_colours(tmp_path: Path) -> None:
    message = Keeper(tmp_path).press("s", seen("red", "blue"))
    (path,) = tmp_path.rglob("*.*")
    assert path.parent == tmp_path / "red"
    assert message == f"saved red/{path.name}"
    pixels = images.decode(path)
    assert pixels.shape == (MIDDLE, MIDDLE, 3)
    expected = np.asarray(draw("red", 0).resize((MIDDLE, MIDDLE)))
    assert np.abs(pixels.astype(int) - expected).mean() < 3


def test_keeper__a_number_saves_as_the_class_of_that_rank(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path)
    assert "saved blue/" in str(keeper.press("2", seen("red", "blue")))
    assert keeper.press("3", seen("red", "blue")) is None
    assert keeper.press("x", seen("red", "blue")) is None
    assert [path.parent.name for path in tmp_path.rglob("*.jpg")] == ["blue"]


def test_keeper__what_is_unknown_is_saved_as_the_user_says(tmp_path: Path) -> None:
    unknown = seen("red", "blue", is_unknown=True)
    assert (
        Keeper(tmp_path).press("s", unknown)
        == "answer is unknown: press a number to choose the class"
    )
    assert not list(tmp_path.rglob("*.jpg"))
    Keeper(tmp_path).press("1", unknown)
    Keeper(tmp_path, label="green").press("s", unknown)
    assert sorted(path.parent.name for path in tmp_path.rglob("*.jpg")) == ["green", "red"]


def test_keeper__no_photo_is_overwritten(tmp_path: Path) -> None:
    keeper, now = Keeper(tmp_path), datetime(2024, 5, 6, 7, 8, 9, 123_456)
    paths = [keeper.save("red", seen("red"), now=now) for _ in range(3)]
    assert [path.name for path in paths] == [
        "camera-20240506-070809_nohash_070809-123.jpg",
        "camera-20240506-070809_nohash_070809-123-2.jpg",
        "camera-20240506-070809_nohash_070809-123-3.jpg",
    ]
    assert all(path.is_file() for path in paths)


def test_keeper__photos_in_a_row_stay_on_one_side_of_the_split(tmp_path: Path) -> None:
    keeper, start = Keeper(tmp_path), datetime(2024, 5, 6, 7, 8, 9)
    for seed, second in enumerate((0, 4, 8, 60)):
        for label in ("red", "blue"):
            now = start + timedelta(seconds=second)
            keeper.save(label, seen(label, picture=show(label, seed)), now=now)
    data = scan(tmp_path)
    assert data.labels == ("blue", "red")
    groups = [record.group for record in data.examples if record.label == "red"]
    assert len(groups) == 4
    assert len(set(groups)) == 2


@pytest.mark.parametrize("label", ["", "..", "a/b", "a\\b", " a", "a\n"])
def test_keeper__a_label_that_is_no_folder_is_refused(label: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="must be the name of one folder"):
        Keeper(tmp_path, label=label)
    with pytest.raises(CameraError, match="cannot be the name of a folder"):
        Keeper(tmp_path).press("s", seen(label or "..", "blue"))
    assert not list(tmp_path.rglob("*.jpg"))


@pytest.mark.parametrize(
    "label",
    [
        ".hidden",
        "._a",
        "thumbs.db",
        "@eaDir",
        "#recycle",
        "Lost+Found",
        "a\u2028b",
        "x" * 300,
    ],
)
def test_keeper__a_label_that_no_training_would_find_is_refused_at_once(
    label: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="--save_label is "):
        Keeper(tmp_path, label=label)
    with pytest.raises(CameraError, match="cannot be the name of a folder: it "):
        Keeper(tmp_path).press("s", seen(label, "blue"))
    assert not list(tmp_path.rglob("*.jpg"))


def test_keeper__a_label_is_not_begun_a_second_time_in_another_form(tmp_path: Path) -> None:
    (tmp_path / "cafe\u0301").mkdir()  # as a Mac writes it
    with pytest.raises(ConfigError, match="would be a second folder of the class"):
        Keeper(tmp_path, label="caf\u00e9")
    Keeper(tmp_path, label="cafe\u0301")


def test_parse_source__a_file_is_a_file_whatever_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("wow ! great.mp4", "x:y.mp4"):
        (tmp_path / name).write_text("a video")
        found = parse_source(name)
        assert (found.kind, found.target) == ("file", str(tmp_path / name))
    assert parse_source("~/x:y.mp4").target == str(tmp_path / "x:y.mp4")
    with pytest.raises(CameraError, match=r"--source is '\.', which is a folder\."):
        parse_source(".")


def test_keeper__a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OutputError, match=r"file .*folder"):
        Keeper(tmp_path / "file")


def test_keeper__a_folder_that_is_lost_later_is_named(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path / "kept")
    (tmp_path / "kept").write_text("no folder")
    with pytest.raises(CameraError, match=r"cannot be written .* Name another --save_dir"):
        keeper.press("s", seen("red"))


@pytest.mark.tf
def test_camera__collects_photos_of_one_class_without_a_key(
    bundle: str, tmp_path: Path, capsys: Captured
) -> None:
    film = write_video(tmp_path / "film.avi", ["red"] * 25)
    kept = tmp_path / "kept"
    (kept / "2x4_plate").mkdir(parents=True)
    words = f"--headless --save_dir {kept} --save_label 2x4 --save_every 1"
    assert main(["camera", bundle, "--source", film, *words.split()]) == 0
    told = capsys.readouterr()
    assert "! '2x4' is a new class in" in told.err
    assert "is '2x4_plate' meant?" in told.err
    assert len(list((kept / "2x4").glob("*.jpg"))) == 3  # at 0, 1 and 2 s


# The loop.


class Viewer:
    """Presses keys as they are listed, one a frame, and keeps what was shown."""

    def __init__(self, *keys: str) -> None:
        self.keys = list(keys)
        self.pictures: list[np.ndarray] = []
        self.waits: list[float] = []

    def show(self, picture: np.ndarray, wait_s: float) -> str:
        self.pictures.append(picture)
        self.waits.append(wait_s)
        return self.keys.pop(0) if self.keys else ""


def test_watch__keys_save_and_quit(tmp_path: Path) -> None:
    viewer = Viewer("", "s", "2", "q", "s")
    count = watch([seen("red", "blue")] * 9, screen=viewer, keeper=Keeper(tmp_path))
    assert count == len(viewer.pictures) == 4
    assert sorted(path.parent.name for path in tmp_path.rglob("*.jpg")) == ["blue", "red"]
    # The message about the photo is on the next picture.
    np.testing.assert_array_equal(viewer.pictures[0], viewer.pictures[1])
    assert np.any(viewer.pictures[1] != viewer.pictures[2])


def test_watch__without_a_folder_s_says_what_is_missing() -> None:
    viewer = Viewer("s")
    watch([seen("red", "blue", picture=np.zeros((480, 640, 3), np.uint8))] * 2, screen=viewer)
    first, second = viewer.pictures
    assert np.any(first[:25, :400] != second[:25, :400])


def test_watch__a_file_is_shown_at_its_own_pace() -> None:
    viewer = Viewer()
    late = Observation(1, Frame(60.0, show("red")), Region(0, 0, 9, 9), seen("red").answer, 1.0)
    watch([seen("red"), late], screen=viewer, in_real_time=True)
    assert viewer.waits[0] <= 0
    assert 55 < viewer.waits[1] <= 60


# Live sources.


class Ticking:
    """A camera that counts: frame n is a picture of the value n."""

    def __init__(self, num_frames: int, *, period_s: float) -> None:
        self.num_frames, self.period_s = num_frames, period_s
        self.num_read, self.released = 0, False

    def read(self) -> tuple[bool, np.ndarray | None]:
        time.sleep(self.period_s)
        if self.num_read == self.num_frames:
            return False, None
        self.num_read += 1
        return True, np.full((4, 4, 3), self.num_read, np.uint8)

    def release(self) -> None:
        self.released = True


def test_live__a_slow_reader_gets_the_newest_frame_until_it_breaks_off() -> None:
    camera = Ticking(60, period_s=0.005)
    live = video.Video(parse_source("rtsp://me:secret@host/x"), camera, 30.0)
    values = []
    with pytest.raises(CameraError, match=r"rtsp://host/x ended after \d+ frames") as failure:
        for frame in live:
            values.append(int(frame.picture[0, 0, 0]))
            time.sleep(0.05)
    assert "secret" not in str(failure.value)
    assert values == sorted(set(values))
    assert values[-1] == 60
    assert len(values) < 30
    live.close()
    assert camera.released


def test_live__a_silent_source_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "SILENCE_S", 0.05)
    camera = Ticking(1, period_s=0.4)
    live = video.Video(parse_source("0"), camera, 30.0)
    with pytest.raises(CameraError, match="--source 0 sent no frame for 0 s after 0 frames"):
        next(iter(live))
    live.close()
    assert camera.released


@contextmanager
def mjpeg_server(pictures: Sequence[np.ndarray], *, period_s: float) -> Iterator[str]:
    """Serves pictures as cheap network cameras do, then hangs up."""
    cv2 = pytest.importorskip("cv2")
    parts = [cv2.imencode(".jpg", picture)[1].tobytes() for picture in pictures]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            for part in parts:
                head = f"Content-Type: image/jpeg\r\nContent-Length: {len(part)}\r\n\r\n"
                self.wfile.write(b"--frame\r\n" + head.encode() + part + b"\r\n")
                time.sleep(period_s)

        def log_message(self, *_: object) -> None:
            """Keeps stderr clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/stream"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.tf
def test_camera__a_stream_is_answered_until_it_breaks_off(
    bundle: str, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    pictures = [show("red", seed) for seed in range(20)]
    with mjpeg_server(pictures, period_s=0.02) as address:
        assert main(["camera", bundle, "--source", address, "--headless"]) == 1
    printed = capsys.readouterr()
    answers = [json.loads(line) for line in printed.out.splitlines()]
    assert answers
    assert {one["predictions"][0]["label"] for one in answers} == {"red"}
    assert f"--source {address} ended after {len(answers)} frame" in printed.err


@pytest.mark.tf
def test_camera__a_stream_may_be_left(
    bundle: str, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with mjpeg_server([show("red")] * 60, period_s=0.02) as address:
        command = ["camera", bundle, "--source", address, "--headless", "--max_frames", "3"]
        assert main(command) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3


# What cannot be.


@pytest.mark.tf
@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("nowhere.mp4", r"--source is 'nowhere\.mp4', which does not exist"),
        ("97", r"--source 97 cannot be opened.*--source|/dev/video97 does not exist"),
        ("text.mp4", r"text\.mp4 is not a video that OpenCV can read. Convert it: ffmpeg"),
        ("rtsp://me:secret@127.0.0.1:9/x", r"rtsp://127\.0\.0\.1:9/x cannot be opened"),
        ("csi", "needs an OpenCV with GStreamer"),
    ],
)
def test_camera__a_source_that_cannot_be_opened_is_named(
    source: str,
    told: str,
    bundle: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Captured,
) -> None:
    cv2 = pytest.importorskip("cv2")
    if source == "csi" and "GStreamer:                   YES" in cv2.getBuildInformation():
        pytest.skip("this OpenCV has GStreamer")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.mp4").write_text("no video")
    assert main(["camera", bundle, "--source", source, "--headless"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("bricksight: ")
    assert "secret" not in printed.err
    assert re.search(told, printed.err)


@pytest.mark.tf
@pytest.mark.parametrize("source", ["97", "text.mp4", "rtsp://me:secret@127.0.0.1:9/x"])
def test_process__one_message_and_nothing_of_opencvs_own(
    source: str, bundle: str, tmp_path: Path
) -> None:
    pytest.importorskip("cv2")
    (tmp_path / "text.mp4").write_text("no video")
    command = [sys.executable, "-m", "bricksight", "camera", bundle, "--headless"]
    run = subprocess.run(
        [*command, "--source", source], capture_output=True, text=True, timeout=60, cwd=tmp_path
    )
    assert run.returncode == 1
    assert run.stderr.startswith("bricksight: ")
    assert run.stderr.count("\n") == 1


def test_video__a_file_without_a_frame_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "empty.avi").write_bytes(b"")
    empty = video.Video(parse_source(str(tmp_path / "empty.avi")), Ticking(0, period_s=0), 30.0)
    with pytest.raises(CameraError, match="no frame can be read"):
        list(empty)


def test_window__without_a_screen_says_headless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(CameraError, match=r"DISPLAY is not set.* Use --headless"):
        Window("test")


def test_window__of_a_headless_opencv_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cv2 = pytest.importorskip("cv2")
    if "GUI:                           NONE" not in cv2.getBuildInformation():
        pytest.skip("this OpenCV has windows")
    monkeypatch.setenv("DISPLAY", ":0")
    with pytest.raises(CameraError, match=r"no window support.*--headless.*opencv-python"):
        Window("test")


@pytest.mark.tf
def test_camera__without_opencv_names_the_command_that_installs_it(
    bundle: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    (tmp_path / "film.avi").write_bytes(b"")
    assert main(["camera", bundle, "--source", str(tmp_path / "film.avi"), "--headless"]) == 1
    assert 'pip install "bricksight[camera]"' in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--region 0", "--region is 0.0; it must be over 0"),
        ("--smooth 0", "--smooth is 0; it must be at least 1"),
        ("--max_frames 0", "--max_frames is 0"),
        ("--save_label red", "--save_label needs a folder. Add --save_dir DIR"),
        ("--save_dir x --save_every 1", "--save_every needs a class"),
        ("--save_dir x --save_label y --save_every 0", "--save_every is 0.0"),
        ("--headless --save_dir x", "has no keys. Add --save_label and --save_every"),
        ("--headless --save_dir x --save_label a/b --save_every 1", "the name of one folder"),
    ],
)
def test_camera__wrong_use_exits_with_2(
    words: str, told: str, tmp_path: Path, capsys: Captured
) -> None:
    (tmp_path / "film.avi").write_bytes(b"")
    source = ["--source", str(tmp_path / "film.avi")]
    assert main(["camera", "bundle", *source, *words.split()]) == 2
    printed = capsys.readouterr()
    assert told in printed.err
    assert printed.err.endswith("See `bricksight camera --help`.\n")

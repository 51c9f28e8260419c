"""classify.py as users run it, through ONNX Runtime: photos, video, selftest; Python 3.6 too."""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from bricksight._support.text import printable
from bricksight.config import InputSpec
from bricksight.images import load_input, to_input
from helpers.jetson_folder import jetson_folder as jetson_folder
from helpers.jetson_folder import load_program, replace_model
from helpers.photos import COLOURS, draw

pytestmark = pytest.mark.tf

ORT = ["--runtime", "onnxruntime"]
JSON = [*ORT, "--headless"]
WITH_ORT = ["numpy==1.19.5", "onnxruntime==1.10.0", "opencv-python-headless==4.5.5.64"]
AS_JETPACK_4_6 = ["numpy==1.13.3", "opencv-python-headless==4.1.1.26"]  # no ONNX Runtime takes it


@pytest.fixture
def folder(jetson_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(jetson_folder, tmp_path / "board"))


@pytest.fixture
def program(folder: Path) -> ModuleType:
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    return load_program(folder)


def settings_of(spec: InputSpec) -> argparse.Namespace:
    return argparse.Namespace(
        height=spec.height,
        width=spec.width,
        letterbox=spec.resize == "letterbox",
        grey=128,
        low=0.0,
        high=1.0,
    )


def difference_from_training(
    program: ModuleType, shape: tuple[int, int], spec: InputSpec
) -> np.ndarray:
    """Steps of 255 between the two preparations of a picture of noise."""
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    found = program.to_input(pixels, settings_of(spec))
    assert found.shape == (1, 3, spec.height, spec.width)
    difference: np.ndarray = np.abs(found[0].transpose(1, 2, 0) - to_input(pixels, spec)) * 255
    return difference


@pytest.mark.parametrize("resize", ["stretch", "letterbox"])
@pytest.mark.parametrize("shape", [(480, 640), (37, 41), (96, 96), (600, 601), (8, 900)])
def test_to_input__is_the_training_s(
    program: ModuleType, shape: tuple[int, int], resize: str
) -> None:
    spec = InputSpec(height=96, width=96, resize=resize)  # type: ignore[arg-type]
    assert difference_from_training(program, shape, spec).max() < 1e-3


@pytest.mark.parametrize("resize", ["stretch", "letterbox"])
@pytest.mark.parametrize("shape", [(224, 96), (1345, 500), (2000, 900)])
def test_to_input__tall_pictures_differ_by_a_rounding_at_most(
    program: ModuleType, shape: tuple[int, int], resize: str
) -> None:
    spec = InputSpec(height=96, width=128, resize=resize)  # type: ignore[arg-type]
    assert difference_from_training(program, shape, spec).max() < 1.01


def _turned(image: Image.Image, path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(path, quality=95, exif=exif)


KINDS = ["large.jpg", "turned.jpg", "grey.jpg", "clear.png", "16.png", "12.png", "12.tif", "16.tif"]


@pytest.mark.parametrize("kind", KINDS)
def test_read_photo__is_the_training_s(program: ModuleType, tmp_path: Path, kind: str) -> None:
    ramp = np.add.outer(np.arange(900), np.arange(1300)) // 10
    image = Image.fromarray(np.stack([ramp, ramp[::-1], ramp[:, ::-1]], axis=2).astype(np.uint8))
    path = tmp_path / kind
    if kind == "turned.jpg":
        _turned(image, path)
    elif kind == "clear.png":
        image.putalpha(Image.fromarray((ramp % 256).astype(np.uint8)))
        image.save(path)
    elif kind.startswith("1"):
        factor = 256 if kind.startswith("16") else 16
        Image.fromarray((ramp * factor).astype(np.uint16)).save(path)
    else:
        (image.convert("L") if kind == "grey.jpg" else image).save(path, quality=95)
    spec = InputSpec(height=96, width=96)
    settings = settings_of(spec)
    found = program.to_input(program.read_photo(path, settings), settings)
    difference = np.abs(found[0].transpose(1, 2, 0) - load_input(path, spec)) * 255
    assert difference.max() < 3.01


@pytest.mark.parametrize("name", ["photo.heic", "deep.tif"])
def test_read_photo__what_the_board_does_not_read(
    program: ModuleType, tmp_path: Path, name: str
) -> None:
    path = tmp_path / "new" / name
    path.parent.mkdir()
    if name == "deep.tif":
        Image.fromarray(np.ones((20, 20), np.float32)).save(path)
    else:
        path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    with pytest.raises(program.BoardError, match=r"Save it (as JPEG|with 8 bits)"):
        program.read_photo(path, settings_of(InputSpec(height=96, width=96)))
    assert program.photos_in([path.parent]) == [path]


def test_selftest__passes_and_fails_for_another_model(
    folder: Path, program: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.main(["--selftest", *JSON]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) > 1
    assert all(line["passed"] and line["difference"] < 1e-3 for line in lines)
    other = (folder / "model.jetson_inference.onnx").read_bytes()
    replace_model(folder, other)
    assert program.main(["--selftest", *ORT]) == 1
    said = capsys.readouterr()
    assert "FAILED" in said.out
    assert "gives other probabilities than the PC" in said.err
    assert "Copy the folder again" in said.err


def test_photos__a_broken_one_is_set_aside(
    program: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "photos" / "deep").mkdir(parents=True)
    for label in COLOURS:
        draw(label, 1).save(tmp_path / "photos" / "deep" / f"{label}.jpg", quality=95)
    (tmp_path / "photos" / "broken.jpg").write_text("no photo")
    assert program.main([str(tmp_path / "photos"), *JSON]) == 1
    said = capsys.readouterr()
    assert [json.loads(line)["label"] for line in said.out.splitlines()] == sorted(COLOURS)
    assert "set aside" in said.err and "broken.jpg" in said.err


@pytest.mark.skipif(sys.platform != "linux", reason="such names can only be given on Linux")
def test_photos__every_name_is_answered_and_shown(
    program: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["a\udce9.jpg", "b\nclassify.py: all is right.jpg", "c\x1b\x9b\u202e.jpg", "d積.jpg"]
    paths = [str(tmp_path / name) for name in names]
    for path in paths:
        draw("red", 1).save(path, quality=95)
    assert program.main([*paths, *JSON]) == 0
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["photo"] for one in answers] == paths
    assert {one["label"] for one in answers} == {"red"}
    assert program.main([*paths, *ORT]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(": ")[0] for line in lines] == [
        printable(path).partition(": ")[0] for path in paths
    ]


@pytest.mark.parametrize(
    "name", ["積🧱", "\x07\x85\u2028", "\udce9\ud800", "👩\u200d🔧"], ids=ascii
)
def test_printable__is_that_of_the_other_commands(program: ModuleType, name: str) -> None:
    assert program.printable(name) == printable(name)


def test_threshold__less_probable_answers_are_unknown(
    folder: Path, program: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = str(folder / "golden" / "photo_1.jpg")
    assert program.main([photo, *JSON, "--threshold", "1", "--top", "2"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["label"], said["is_unknown"], len(said["predictions"])) == (None, True, 2)
    assert program.main([photo, *ORT, "--threshold", "1"]) == 0
    assert ": unknown (" in capsys.readouterr().out
    assert program.main([photo, *JSON, "--threshold", "0"]) == 0
    assert not json.loads(capsys.readouterr().out)["is_unknown"]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A video of six red frames and six blue ones."""
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), int.from_bytes(b"MJPG", "little"), 10, (64, 48))
    for label in ["red"] * 6 + ["blue"] * 6:
        writer.write(np.full((48, 64, 3), COLOURS[label][::-1], np.uint8))
    writer.release()
    return path


def test_video__every_frame_is_answered_and_smoothed(
    program: ModuleType, clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*options: str) -> list[dict[str, object]]:
        assert program.main(["--video", str(clip), *JSON, *options]) == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    plain = run("--smooth", "1")
    assert [one["label"] for one in plain] == ["red"] * 6 + ["blue"] * 6
    assert [one["time_s"] for one in plain] == pytest.approx([n / 10 for n in range(12)])
    smooth = run("--smooth", "5")
    assert [one["label"] for one in smooth[6:8]] == ["red", "red"]
    assert smooth[-1]["label"] == "blue"
    assert len(run("--limit", "3")) == 3


@pytest.mark.parametrize(
    ("keys", "closed", "num_shown"),
    [([-1, -1, ord("q")], [], 3), ([27], [], 1), ([-1] * 9, [1, 1, -1], 2), ([-1] * 12, [], 12)],
)
def test_window__ends_by_key_cross_or_the_last_frame(
    program: ModuleType,
    clip: Path,
    monkeypatch: pytest.MonkeyPatch,
    keys: list[int],
    closed: list[int],
    num_shown: int,
) -> None:
    shown: list[np.ndarray] = []
    pressed, state = iter(keys), iter(closed)
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(program.cv2, "namedWindow", lambda title, flags: None)
    monkeypatch.setattr(program.cv2, "getWindowProperty", lambda *_: next(state, 1))
    monkeypatch.setattr(program.cv2, "imshow", lambda title, picture: shown.append(picture))
    monkeypatch.setattr(program.cv2, "waitKey", lambda milliseconds: next(pressed))
    assert program.main(["--video", str(clip), *ORT]) == 0
    assert len(shown) == num_shown
    assert len(np.unique(shown[0].reshape(-1, 3), axis=0)) > 3  # frame and text lie on it


def test_window__without_a_display_nothing_is_built(
    program: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert program.main(["--csi", "0"]) == 1  # TensorRT is not even looked for
    assert "There is no display for a window. Use --headless" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--video", "gone.avi"], "The video gone.avi cannot be opened"),
        (["--camera", "97"], "The USB camera 97 cannot be opened"),
        (["--csi", "0"], "has no GStreamer, which a CSI camera needs"),
    ],
)
def test_frames__what_cannot_be_opened_is_said(
    program: ModuleType,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    if "--csi" in arguments and "GStreamer:                   YES" in _build_information():
        pytest.skip("this OpenCV has GStreamer")
    assert program.main([*arguments, *JSON]) == 1
    assert message in capsys.readouterr().err


def _build_information() -> str:
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
    text: str = cv2.getBuildInformation()
    return text


def test_csi_pipeline__shrinks_in_hardware_and_drops_old_frames(program: ModuleType) -> None:
    options = program._parser().parse_args(["--csi", "1", "--flip", "2"])
    text = program.csi_pipeline(options)
    assert text.startswith(
        "nvarguscamerasrc sensor-id=1 ! video/x-raw(memory:NVMM), width=(int)1280"
    )
    assert "nvvidconv flip-method=2 interpolation-method=1 ! video/x-raw, width=(int)640" in text
    assert text.endswith("appsink drop=true max-buffers=1 sync=false")


class Camera:
    """A camera that counts its frames and waits for ``go`` before each but the first three."""

    def __init__(self) -> None:
        import threading

        self.count = 0
        self.go = threading.Semaphore(3)
        self.waits = threading.Event()

    def read(self) -> tuple[bool, object]:
        if not self.go.acquire(blocking=False):
            self.waits.set()
            self.go.acquire()
        self.count += 1
        return self.count < 5, self.count


def test_newest__a_slow_reader_gets_the_last_frame_and_no_stale_one(program: ModuleType) -> None:
    camera = Camera()
    newest = program.Newest(camera)
    assert camera.waits.wait(10)  # three frames have come, none was taken
    assert newest.take() == 3
    camera.go.release()
    assert newest.take() == 4
    camera.go.release()
    assert newest.take() is None
    assert newest.stop()


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--selftest", "--build"],
        ["a.jpg", "--camera", "0"],
        ["--video", "v", "--smooth", "0"],
        ["--video", "v", "--smooth", "-1"],
        ["--video", "v", "--region", "0"],
        ["a.jpg", "--threshold", "most"],
        ["a.jpg", "--threshold", "nan"],
    ],
)
def test_usage__wrong_use_exits_with_2(
    program: ModuleType, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        program.main(arguments)
    assert stopped.value.code == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["preprocess.json", "labels.txt", "model.onnx", "golden"])
def test_folder__a_file_that_is_not_there_is_named(
    folder: Path, program: ModuleType, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (folder / name).rename(folder / "elsewhere")
    assert program.main(["--selftest", *ORT]) == 1
    error = capsys.readouterr().err
    assert "is not a folder of `bricksight export --format jetson`, or one of its files is" in error
    assert name in error


@pytest.mark.parametrize(
    "content",
    [b"\xef\xbb\xbfblue\r\ngreen\r\n", b"blue\ngreen", b"blue\ngreen\n\n"],
    ids=["byte order mark and CRLF", "no end of line", "empty line at the end"],
)
def test_settings__labels_as_editors_save_them(
    folder: Path, program: ModuleType, content: bytes
) -> None:
    (folder / "labels.txt").write_bytes(content)
    assert program.Settings(folder).labels == ["blue", "green"]


@pytest.mark.parametrize("content", [b"", b"blue\n\ngreen\n", b"blue\0green\0", b"bl\xffue\n"])
def test_settings__labels_that_are_none_are_refused(
    folder: Path, program: ModuleType, content: bytes
) -> None:
    (folder / "labels.txt").write_bytes(content)
    with pytest.raises(
        program.BoardError, match=r"missing or damaged \((Value|UnicodeDecode)Error"
    ):
        program.Settings(folder)


def test_folder__files_of_two_models_are_refused(
    folder: Path, program: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "labels.txt").write_text("blue\ngreen\n")
    assert program.main(["--selftest", *ORT]) == 1
    assert "These files do not belong together" in capsys.readouterr().err
    (folder / "labels.txt").write_text("blue\ngreen\nred\n")
    for photos in ([], [{"file": "photo_1.jpg", "probabilities": [0.5, 0.5]}]):
        (folder / "golden" / "golden.json").write_text(json.dumps({"photos": photos}))
        assert program.main(["--selftest", *ORT]) == 1
        assert "is missing or damaged (ValueError" in capsys.readouterr().err
    replace_model(folder, b"half")
    assert program.main(["--selftest", *ORT]) == 1
    assert "ONNX Runtime cannot read" in capsys.readouterr().err


def test_folder__a_changed_model_is_refused(
    folder: Path, program: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(folder / "model.jetson_inference.onnx", folder / "model.onnx")
    assert program.main([str(folder / "golden" / "photo_1.jpg"), *ORT]) == 1
    assert "model.onnx is not the file that was written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("height", 32.5, "height is 32.5; expected a whole number from 8 to 4096"),
        ("width", "32", "width is '32'"),
        ("resize", "evil", "resize is 'evil'"),
        ("letterbox_grey", 300, "letterbox_grey is 300"),
        ("range", [0, float("nan")], "range is nan"),
        ("unknown_threshold", float("nan"), "unknown_threshold is nan"),
        ("unknown_threshold", "0.5", "unknown_threshold is '0.5'"),
    ],
)
def test_folder__a_wrong_setting_is_told(
    folder: Path,
    program: ModuleType,
    capsys: pytest.CaptureFixture[str],
    key: str,
    value: object,
    message: str,
) -> None:
    path = folder / "preprocess.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    assert program.main([str(folder / "golden" / "photo_1.jpg"), *ORT]) == 1
    assert message in capsys.readouterr().err


def test_folder__golden_photos_elsewhere_are_not_read(
    folder: Path, program: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    said = {"file": "../../secret.jpg", "probabilities": [0.5, 0.3, 0.2]}
    (folder / "golden" / "golden.json").write_text(json.dumps({"photos": [said]}))
    assert program.main(["--selftest", *ORT]) == 1
    assert "golden.json lists photos outside of its folder" in capsys.readouterr().err


@pytest.mark.parametrize("row", [[float("nan")] * 3, [2.0, -1.0, 0.0], [0.1, 0.1, 0.1]])
def test_answer__what_are_no_probabilities_is_an_error(
    folder: Path, program: ModuleType, row: list[float]
) -> None:
    options = argparse.Namespace(top=1, threshold=None)
    with pytest.raises(program.BoardError, match="expected 3 probabilities with a sum of 1"):
        program.answer(np.float32(row), program.Settings(folder), options)


def test_benchmark__tells_preparation_and_network_apart(
    program: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.main(["--benchmark", "--iterations", "5", *JSON]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["prepare_ms_p50"] > 0 and said["network_ms_p95"] >= said["network_ms_p50"] > 0
    assert said["runtime"].startswith("ONNX Runtime")


def test_build_script__proves_the_folder(folder: Path) -> None:
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    if shutil.which("sh") is None:
        pytest.skip("there is no sh")
    bin_dir = folder.parent / "bin"
    bin_dir.mkdir()
    (bin_dir / "python3").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (bin_dir / "python3").chmod(0o755)
    run = subprocess.run(
        ["sh", f"{folder.name}/build.sh", *ORT],
        cwd=folder.parent,
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"PATH": f"{bin_dir}{os.pathsep}{os.environ['PATH']}"},
    )
    assert run.returncode == 0, run.stderr
    assert "Selftest passed" in run.stderr


def test_program__has_nothing_newer_than_python_3_6(folder: Path) -> None:
    pytest.importorskip("vermin", reason="vermin is not installed")
    code = "import sys; from vermin import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "-t=3.6-", "--violations", "--no-tips"]
    run = subprocess.run(
        [*command, str(folder / "classify.py")], capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, run.stdout


def started(folder: Path, *arguments: str, standing_in: str) -> subprocess.Popen[str]:
    """Returns classify.py as a process, ``standing_in`` being the code of its ONNX Runtime."""
    (folder.parent / "onnxruntime.py").write_text(STAND_IN + standing_in)
    return subprocess.Popen(
        [sys.executable, str(folder / "classify.py"), *arguments, *JSON],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(folder.parent)},
    )


STAND_IN = """
import os, time
from types import SimpleNamespace as Some
__version__ = "0"
get_available_providers = lambda: ["CPUExecutionProvider"]
class Session:
    get_inputs = lambda self: [Some(name="input_0", shape=[1, 3, 32, 32])]
    get_outputs = lambda self: [Some(name="output_0", shape=[1, 3])]
    get_providers = get_available_providers
    def run(self, names, inputs):
        return [[self.answer()]]
def InferenceSession(model, providers):
    os.write(1, b"GST_ARGUS: Creating output stream\\n")
    return Session()
import numpy
Session.answer = lambda self: numpy.array([0.25, 0.25, 0.5], numpy.float32)
"""


def test_program__keeps_stdout_for_answers(folder: Path) -> None:
    with started(folder, str(folder / "golden"), standing_in="") as process:
        out, error = process.communicate(timeout=60)
    assert process.returncode == 0, error
    assert [json.loads(line)["label"] for line in out.splitlines()] == ["red"] * 3
    assert "GST_ARGUS" in error


def test_program__ends_when_no_one_reads(folder: Path) -> None:
    with started(folder, *[str(folder / "golden")] * 999, standing_in="") as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(60) == 1
        assert "Traceback" not in process.stderr.read()


def test_program__a_signal_lets_it_give_the_camera_back(folder: Path) -> None:
    slow = """
import cv2, time
Session.answer = lambda self: os.write(1, b"asleep") and time.sleep(60)
class Capture:
    isOpened = lambda self: True
    get = lambda self, what: 10.0
    read = lambda self: (True, numpy.zeros((48, 64, 3), numpy.uint8))
    release = lambda self: os.write(1, b"released")
cv2.VideoCapture = lambda *arguments: Capture()
"""
    with started(folder, "--video", "clip.avi", standing_in=slow) as process:
        assert process.stderr is not None
        error = ""
        while "asleep" not in error:
            error += process.stderr.read(1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 130
        assert process.stderr.read() == "released"


def test_program__without_opencv_it_says_what_to_do(folder: Path) -> None:
    code = "import runpy, sys; sys.modules['cv2'] = None; runpy.run_path(sys.argv[1])"
    command = [sys.executable, "-c", code, str(folder / "classify.py")]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert run.returncode == 1
    assert run.stderr.startswith("classify.py: OpenCV or NumPy cannot be imported")


def environment36(config: pytest.Config, name: str, packages: list[str]) -> Path:
    """Returns the interpreter of a Python 3.6 with these packages, made once."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found = sorted((root / "versions").glob("3.6.*/bin/python3.6"))
    if not found:
        pytest.skip(f"no Python 3.6 of pyenv's lies below {root / 'versions'}")
    folder = Path(config.cache.mkdir(f"jetson-{name}"))  # type: ignore[union-attr]
    python, done = folder / "bin" / "python", folder / "done"
    if not done.is_file():
        subprocess.run([found[-1], "-m", "venv", "--clear", folder], check=True, timeout=60)
        # Without its dependencies: OpenCV's wheel asks for a newer NumPy than it needs.
        for wanted in (["--upgrade", "pip<22"], ["protobuf<4", "flatbuffers"], packages):
            command = [python, "-m", "pip", "install", "--quiet", "--no-deps", *wanted]
            run = subprocess.run(command, capture_output=True, text=True, timeout=300)
            if run.returncode:
                pytest.skip(f"pip cannot install {wanted}: {run.stderr.strip()[-300:]}")
        done.touch()
    return python


@pytest.fixture(scope="session")
def python36(pytestconfig: pytest.Config) -> Path:
    return environment36(pytestconfig, "python36", WITH_ORT)


@pytest.fixture(scope="session")
def jetpack46(pytestconfig: pytest.Config) -> Path:
    return environment36(pytestconfig, "jetpack46", AS_JETPACK_4_6)


def run36(python: Path, *arguments: str) -> str:
    finished = subprocess.run(
        [str(python), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        # As a service or a cron job has it: with no locale.
        env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


@pytest.mark.slow
def test_python_3_6__answers_as_the_present_python_does(
    folder: Path,
    program: ModuleType,
    python36: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (folder / "golden" / "photo_1.jpg").rename(folder / "golden" / "gr\u00fcn.jpg")
    golden, file = str(folder / "golden"), str(folder / "classify.py")
    there = [json.loads(line) for line in run36(python36, file, golden, *JSON).splitlines()]
    assert program.main([golden, *JSON]) == 0
    here = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["label"], one["photo"]) for one in there] == [
        (one["label"], one["photo"]) for one in here
    ]
    for old, new in zip(there, here, strict=True):
        for one, other in zip(old["predictions"], new["predictions"], strict=True):
            assert one["probability"] == pytest.approx(other["probability"], abs=1e-3)
    (folder / "golden" / "gr\u00fcn.jpg").rename(folder / "golden" / "photo_1.jpg")
    assert '"passed": true' in run36(python36, file, "--selftest", *JSON)


PREPARE = """
import hashlib, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import classify
settings = classify.Settings(Path(sys.argv[1]))
for path in sorted(Path(sys.argv[2]).iterdir()):
    photo = classify.to_input(classify.read_photo(path, settings), settings)
    print(hashlib.sha256(photo.tobytes()).hexdigest())
"""


@pytest.mark.slow
def test_jetpack_4_6__numpy_1_13_and_opencv_4_1_prepare_photos_alike(
    folder: Path, jetpack46: Path, tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    shutil.copytree(folder / "golden", photos, ignore=shutil.ignore_patterns("*.json"))
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8))
    image.save(photos / "gr\u00fcn.png")  # whose name crashes OpenCV 4.1 in this locale
    _turned(image.resize((1300, 900)), photos / "turned.jpg")
    arguments = ["-c", PREPARE, str(folder), str(photos)]
    there = run36(jetpack46, *arguments).splitlines()
    here = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=60)
    assert there == here.stdout.splitlines()
    assert len(there) == 5

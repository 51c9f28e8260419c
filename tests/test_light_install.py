"""What the base install does without the packages of the extras."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bricksight.formats import export_bundle
from bricksight.predict import Predictor
from bricksight.training import TrainingResult
from helpers.photos import write_photo_folder
from helpers.wheel import run

HEAVY = ("tensorflow", "scipy", "sklearn", "matplotlib")
ABSENT = (*HEAVY, "keras", "jinja2", "requests", "threadpoolctl", "h5py", "onnx", "cv2", "cleanlab")
MAX_MEGABYTES = 220

HIDE = f"""
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {ABSENT}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
"""

ASK = """
import sys
import bricksight as bs
model = bs.load(sys.argv[1])
print(model.predict(sys.argv[2]).label)
print(model.predict_object([sys.argv[2], sys.argv[2]]).label)
"""


@pytest.fixture
def light(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """A Python that cannot import the packages of the extras."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(HIDE)
    # Processes that this Python starts read it too.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), *sys.path]))
    return (sys.executable,)


@pytest.fixture(scope="module")
def photo(tiny_run: TrainingResult) -> Path:
    return tiny_run.findings.data.examples[0].path


def bricksight(*words: object, python: tuple[str, ...], fails: bool = False) -> str:
    return run(*python, "-m", "bricksight", *map(str, words), fails=fails)


def test_light__classifies(light: tuple[str, ...], tiny_run: TrainingResult, photo: Path) -> None:
    bundle = tiny_run.bundle.path
    expected = Predictor(bundle).predict(photo).to_dict()
    answer = json.loads(bricksight("classify", bundle, photo, "--json", python=light))
    assert answer == {"photo": str(photo), **expected}
    named = bricksight("classify", bundle, photo, "--group_by", r"(\w+)/", python=light)
    assert "1 vote of 1 photo" in named
    assert run(*light, "-c", ASK, str(bundle), str(photo)).split() == [str(answer["label"])] * 2


@pytest.mark.tf
@pytest.mark.parametrize("format_name", ["tflite", "onnx"])
def test_light__runs_exported_files(
    light: tuple[str, ...], tiny_run: TrainingResult, photo: Path, tmp_path: Path, format_name: str
) -> None:
    pytest.importorskip("tf2onnx")
    out = tmp_path / f"model.{format_name}"
    file = export_bundle(tiny_run.bundle, format_name, out=out).path
    answer = json.loads(bricksight("classify", file, photo, "--json", python=light))
    assert answer["predictions"]


def test_light__all_public_names_can_be_imported(light: tuple[str, ...]) -> None:
    assert run(*light, "-c", "from bricksight import *; help(Predictor)")


def test_light__draws_on_frames_of_a_camera(light: tuple[str, ...]) -> None:
    code = (
        "import numpy as np\n"
        "from PIL import Image, ImageDraw\n"
        "from bricksight import camera\n"
        "from bricksight._support.lettering import draw_text\n"
        "picture = Image.new('L', (200, 40))\n"
        "draw_text(ImageDraw.Draw(picture), (5, 5), 'größe \\u7a4d', size=16, colour=255)\n"
        "print(np.asarray(picture).max())"
    )
    assert int(run(*light, "-c", code)) > 200


COMMANDS = {
    "train": ("Training needs TensorFlow", "train"),
    "retrain": ("Training needs TensorFlow", "train"),
    "crossval": ("Training needs TensorFlow", "train"),
    "check": ("Checking photos needs SciPy", "check"),
    "evaluate": ("Evaluating a model needs scikit-learn", "check"),
    "export": ("Exporting needs TensorFlow", "train"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_light__other_commands_name_the_extra(
    light: tuple[str, ...], tiny_run: TrainingResult, tmp_path: Path, command: str
) -> None:
    photos, bundle = tiny_run.findings.data.image_dir, tiny_run.bundle.path
    words: tuple[object, ...] = {
        "check": (photos,),
        "evaluate": (bundle, photos),
        "retrain": ("--image_dir", photos),
        "export": (bundle, "--format", "frozen_graph", "--out", tmp_path / "out.pb"),
    }.get(command, (photos,))
    what, extra = COMMANDS[command]
    told = bricksight(command, *words, python=light, fails=True)
    assert f'{what}: pip install "bricksight[{extra}]"' in told
    assert "Traceback" not in told
    assert bricksight(command, "--help", python=light)


CALLS = {
    "bs.train('photos')": "Training needs TensorFlow",
    "bs.cross_validate('photos')": "Training needs TensorFlow",
    "bs.check('photos')": "Checking photos needs SciPy",
}


@pytest.mark.parametrize("call", CALLS)
def test_light__functions_raise_an_error_that_names_the_extra(
    light: tuple[str, ...], tmp_path: Path, call: str
) -> None:
    write_photo_folder(tmp_path / "photos")
    code = (
        "import bricksight as bs\n"
        f"try:\n    {call}\n"
        "except bs.BricksightError as error:\n    print(error)"
    )
    done = subprocess.run(
        [*light, "-c", code], capture_output=True, text=True, cwd=tmp_path, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{CALLS[call]}: pip install ")


@pytest.mark.slow
@pytest.mark.tf
def test_base_install__classifies_in_a_fresh_environment(
    wheel: Path, tiny_run: TrainingResult, photo: Path, tmp_path: Path
) -> None:
    """``pip install bricksight`` into an empty environment, with dependencies from the index."""
    run(sys.executable, "-m", "venv", str(tmp_path / "fresh"))
    scripts = tmp_path / "fresh" / ("Scripts" if sys.platform == "win32" else "bin")
    python, command = str(scripts / "python"), str(scripts / "bricksight")
    installed = subprocess.run(
        [python, "-m", "pip", "install", "--disable-pip-version-check", "--quiet", str(wheel)],
        capture_output=True,
        text=True,
        timeout=600,
    )
    if installed.returncode != 0:
        pytest.skip(f"the package index cannot be used: {installed.stderr.strip()[-200:]}")
    code = "import importlib.util as u, sys; print(*[n for n in sys.argv[1:] if u.find_spec(n)])"
    assert run(python, "-c", code, *ABSENT).split() == []

    bundle = tiny_run.bundle.path
    answer = json.loads(run(command, "classify", str(bundle), str(photo), "--json"))
    assert run(python, "-c", ASK, str(bundle), str(photo)).split() == [str(answer["label"])] * 2
    file = export_bundle(tiny_run.bundle, "tflite", out=tmp_path / "model.tflite").path
    assert json.loads(run(command, "classify", str(file), str(photo), "--json"))["predictions"]
    onnx = export_bundle(tiny_run.bundle, "onnx", out=tmp_path / "model.onnx").path
    told = run(command, "classify", str(onnx), str(photo), fails=True)
    assert 'needs ONNX Runtime: pip install "bricksight[onnx]"' in told
    told = run(command, "retrain", "--image_dir", str(photo.parents[1]), fails=True)
    assert 'Training needs TensorFlow: pip install "bricksight[train]"' in told

    sizes = sizes_by_package(python)
    report = "\n".join(f"{size:8.1f} MB  {name}" for name, size in sizes.items())
    assert sum(sizes.values()) < MAX_MEGABYTES, report


def sizes_by_package(python: str) -> dict[str, float]:
    """Return entry of site-packages → megabytes on disk, the largest first; without pip itself."""
    folder = Path(
        run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    )
    sizes: dict[str, float] = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).parts[0].partition("-")[0].removesuffix(".libs")
        if path.is_file() and name not in ("pip", "setuptools"):
            sizes[name] = sizes.get(name, 0) + path.stat().st_size / 1e6
    return dict(sorted(sizes.items(), key=lambda one: -one[1]))

"""User code is type checked against the public API."""

import subprocess
import sys
from pathlib import Path

import pytest

import bricksight

pytest.importorskip("mypy")

SCRIPT = """
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from typing_extensions import assert_type

import bricksight as bs

result = bs.train("photos", out=Path("model"), recipe="balanced", split=bs.SplitConfig())
assert_type(result, bs.TrainingResult)
assert_type(result.bundle, bs.Bundle)
assert_type(bs.train(bs.TrainingConfig.of("photos")), bs.TrainingResult)

model = bs.load("model", threads=2)
assert_type(model, bs.Predictor)
assert_type(model.labels, tuple[str, ...])
for photo in ("a.jpg", Path("a.jpg"), b"", np.zeros((4, 4)), Image.new("L", (4, 4))):
    assert_type(model.predict(photo), bs.Answer)
answer = model.predict("a.jpg", top_k=3)
assert_type(answer.label, str | None)
assert_type(answer.probability, float)
assert_type(answer.predictions, tuple[bs.Prediction, ...])
assert_type(answer.to_dict(), dict[str, Any])
assert_type(model.predict_batch(["a.jpg"]), Iterator[bs.Answer | bs.ImageError])
assert_type(model.predict_object(["a.jpg", b""], min_votes=2), bs.ObjectAnswer)

for one in (model, "model", Path("model")):
    assert_type(bs.evaluate(one, "photos", split="test"), bs.ModelEvaluation)
measured = bs.evaluate(model, "photos")
assert_type(measured.accuracy, float | None)

found = bs.cross_validate("photos", folds=bs.CrossValidationConfig(folds=5), recipe="fast")
assert_type(found, bs.CrossValidationResult)
assert_type(found.accuracies, tuple[float, ...])

written = bs.export(model, "onnx", precision="float16", batch="dynamic")
assert_type(written, bs.ExportedFile)
assert_type(written.path, Path)

report = bs.check("photos", strict=True, group_by="x")
assert_type(report, bs.CheckReport)
"""

WRONG = {
    'model.predict("a.jpg", top_k="3")': "arg-type",
    "model.predict(3)": "arg-type",
    'bs.evaluate(model, "photos", split="train")': "arg-type",
    'bs.export(model, "onnx", precision="int4")': "arg-type",
    "bs.load(None)": "arg-type",
    'bs.check("photos").num_faults': "attr-defined",
}


def errors_of(script: str, folder: Path) -> str:
    """Return what mypy --strict reports of a user's script, "" if nothing."""
    (folder / "script.py").write_text(script)
    (folder / "mypy.ini").write_text(
        "[mypy]\nstrict = true\nfollow_untyped_imports = false\n"
        f"mypy_path = {Path(bricksight.__file__).parents[1]}\n"
        "[mypy-bricksight.*]\nfollow_imports = silent\n"
    )
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-error-summary", "script.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert not checked.stderr, checked.stderr
    return checked.stdout


@pytest.mark.slow
def test_typing__user_code_is_checked(tmp_path: Path) -> None:
    lines = SCRIPT.rstrip() + "\n" + "\n".join(WRONG)
    first = SCRIPT.rstrip().count("\n") + 2
    reported = errors_of(lines, tmp_path).splitlines()
    expected = {first + index: code for index, code in enumerate(WRONG.values())}
    found = {int(line.split(":")[1]): line for line in reported if ": error: " in line}
    assert set(found) == set(expected), "\n".join(reported)
    for number, code in expected.items():
        assert f"[{code}]" in found[number]

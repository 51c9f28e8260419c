"""The command line: exit codes, messages that a user can act on, and output that a script reads."""

import csv
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bricksight.cli import COMMANDS, main
from bricksight.training import TrainingResult
from helpers.photos import draw, write_photo_folder

pytestmark = pytest.mark.tf

ROOT = Path(__file__).parents[2]


@pytest.fixture
def bundle(tiny_run: TrainingResult) -> str:
    return str(tiny_run.bundle.path)


@pytest.fixture
def photos(tiny_run: TrainingResult) -> Path:
    """The folder that the bundle was trained on."""
    return tiny_run.findings.data.image_dir


def failure(
    capsys: pytest.CaptureFixture[str], *arguments: str | Path, code: int, message: str
) -> None:
    """Runs a command that must fail with ``code`` and one message at the end of stderr."""
    assert main([str(argument) for argument in arguments]) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert re.match(r"(.+: [\d.]+ s\n)*bricksight: ", printed.err), printed.err
    assert "Traceback" not in printed.err
    assert re.search(message, printed.err, flags=re.DOTALL), printed.err


def test_main__a_command_that_is_none_names_the_nearest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    failure(capsys, "clasify", code=2, message='Did you mean "classify"')


def test_main__an_unknown_flag_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    failure(
        capsys,
        *("retrain", "--image_dir", "photos", "--how_many_trainig_steps", "3"),
        code=2,
        message=r'--how_many_trainig_steps"?\. Did you mean "?--how_many_training_steps"?\?',
    )


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "PHOTOS is missing"),
        (("nowhere",), 1, "The folder nowhere does not exist"),
        (("x", "--mixup", "much"), 2, '--mixup.*"much"'),
        (("x", "--fine_tune_learning_rate", "0"), 2, "--fine_tune_learning_rate is 0"),
        (("x", "--group_by", "(a"), 2, r"--group_by '\(a' is not a regular"),
        (("x", "--resize", "crop"), 2, "crop.*--resize.*letterbox"),
    ],
)
def test_train__what_it_cannot_use_is_named_without_a_traceback(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int, message: str
) -> None:
    failure(capsys, "train", *arguments, code=code, message=message)


@pytest.mark.parametrize("reference", ["nonsense", "keras:Nonsense", "saved_model:nowhere"])
def test_train__a_backbone_that_does_not_exist_is_named(
    photo_folder: Path, capsys: pytest.CaptureFixture[str], reference: str
) -> None:
    arguments = ("train", photo_folder, "--backbone", reference)
    failure(capsys, *arguments, code=1, message=reference.rpartition(":")[2])


def test_train__the_reason_is_seen_while_tensorflow_still_loads(
    photo_folder: Path, tmp_path: Path
) -> None:
    """TensorFlow loads in a thread that has descriptor 2 turned elsewhere."""
    arguments = [str(photo_folder), "--backbone", "nonsense"]
    run = python("-m", "bricksight", "train", *arguments, cwd=tmp_path)
    assert run.returncode == 1
    assert "nonsense" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command__has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"Usage: bricksight {command}" in shown
    assert "--no" not in shown.replace("--no_contact_sheets", "")
    assert main([command, "-h"]) == 0
    assert capsys.readouterr().out == shown


@pytest.fixture
def tiny_command(tiny_run: TrainingResult) -> list[str]:
    """A short training on the photos and the network of ``tiny_run``."""
    reference = tiny_run.bundle.manifest.backbone["reference"]
    return ["train", str(tiny_run.findings.data.image_dir), "--backbone", reference]


def test_train__quiet_prints_the_bundle_and_nothing_else(
    tiny_command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bundle"
    # Dashes are understood where retrain.py had underscores.
    arguments = [word.replace("_", "-") if word[:2] == "--" else word for word in tiny_command]
    assert main([*arguments, "--out", str(out), "--quiet"]) == 0
    assert capsys.readouterr() == (f"{out}\n", "")
    assert (out / "manifest.json").is_file()


def test_train__json_is_one_object(
    tiny_command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bundle"
    flags = ["--json", "--print_misclassified_test_images", "--out", str(out)]
    assert main([*tiny_command, *flags]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["bundle"] == str(out)
    measured = json.loads((out / "metrics.json").read_text())["test"]
    assert told["accuracy"] == measured["accuracy"]
    assert told["num_test_images"] == measured["num_images"]
    assert told["seconds"]["Total"] > 0


def test_train__an_existing_folder_is_an_error(
    tiny_command: list[str], bundle: str, capsys: pytest.CaptureFixture[str]
) -> None:
    failure(capsys, *tiny_command, "--out", bundle, code=1, message="exists already")


def answers_of(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_classify__a_photo(bundle: str, photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo = photos / "red" / "photo_05.jpg"
    assert main(["classify", bundle, str(photo), "--top_k", "2"]) == 0
    line = re.escape(str(photo)) + r": (unknown; perhaps )?(\w+ \d+\.\d %)(, \w+ \d+\.\d %)\n"
    assert re.fullmatch(line, capsys.readouterr().out)


@pytest.mark.parametrize("option", ["--top_k", "--top-k"])
def test_classify__json_is_an_object_a_line(
    bundle: str, photos: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    assert main(["classify", bundle, str(photos / "red"), "--json", option, "2"]) == 0
    answers = answers_of(capsys)
    assert [Path(one["photo"]) for one in answers] == sorted((photos / "red").iterdir())
    for answer in answers:
        first, second = answer["predictions"]
        assert first["probability"] >= second["probability"]
        assert answer["label"] == (None if answer["is_unknown"] else first["label"])


def test_classify__csv_is_a_table(
    bundle: str, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["classify", bundle, str(photos / "blue" / "photo_0[01].jpg"), "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert list(rows[0]) == ["photo", "rank", "label", "probability", "is_unknown"]
    assert [row["rank"] for row in rows] == ["1", "2", "3"] * 2
    assert sum(float(row["probability"]) for row in rows) == pytest.approx(2, abs=1e-4)


def test_classify__paths_from_standard_input(
    bundle: str,
    photos: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    named = [str(photos / "red" / "photo_04.jpg"), str(photos / "blue" / "photo_04.jpg")]
    paths = io.BytesIO(("\n".join(named) + "\n\n").encode())
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(paths))
    assert main(["classify", bundle, "-", "--json"]) == 0
    assert [one["photo"] for one in answers_of(capsys)] == named


def test_classify__a_photo_that_cannot_be_read_does_not_keep_the_others(
    bundle: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad, good = tmp_path / "bad.jpg", photos / "red" / "photo_04.jpg"
    bad.write_text("no photo")
    gone = tmp_path / "gone.jpg"
    assert main(["classify", bundle, str(bad), str(gone), str(good), "--json"]) == 1
    printed = capsys.readouterr()
    assert [json.loads(line)["photo"] for line in printed.out.splitlines()] == [str(good)]
    first, second = printed.err.splitlines()
    assert first.startswith(f"bricksight: {bad}: not an image")
    assert second.startswith(f"bricksight: {gone}: ")


def test_classify__the_two_files_of_retrain(
    bundle: str, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = str(photos / "red" / "photo_05.jpg")
    files = ["--graph", f"{bundle}/output_graph.pb", "--labels", f"{bundle}/output_labels.txt"]
    assert main(["classify", *files, photo, "--json"]) == 0
    assert main(["classify", bundle, photo, "--json"]) == 0
    old, new = answers_of(capsys)
    for ours, theirs in zip(new["predictions"], old["predictions"], strict=True):
        assert ours["label"] == theirs["label"]
        assert ours["probability"] == pytest.approx(theirs["probability"], abs=1e-4)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "classify MODEL PHOTO"),
        (("nowhere", "photo.jpg"), 1, "nowhere does not exist"),
        (("{bundle}",), 2, "PHOTO is missing"),
        (("{bundle}", "nothing-*.jpg"), 1, r"nothing-\*\.jpg: no photo matches"),
        (("{bundle}", "{bundle}/saved_model"), 1, "saved_model: the folder holds no photos"),
        (("{bundle}", "a.jpg", "--json", "--csv"), 2, "--json and --csv"),
        (("{bundle}", "a.jpg", "--top_k", "0"), 2, "--top_k is 0"),
        (("{bundle}", "a.jpg", "--runtime", "abacus"), 2, "--runtime is 'abacus'.*litert"),
        (("a.jpg", "--graph", "graph.pb"), 2, "--graph and --labels belong together"),
    ],
)
def test_classify__what_it_cannot_use_is_named(
    bundle: str,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    given = [argument.format(bundle=bundle) for argument in arguments]
    failure(capsys, "classify", *given, code=code, message=message)


def test_evaluate__measures_the_side_that_training_kept_for_it(
    tiny_run: TrainingResult, bundle: str, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The split is that of the training, unless it is named."""
    command = ["evaluate", bundle, str(photos), "--split", "test", "--json"]
    assert main(command) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["num_images"] == tiny_run.findings.test.num_images < 36
    assert told["accuracy"] == tiny_run.findings.test.accuracy
    assert told["num_trained_on"] == 0
    assert main([*command, "--testing_percentage", "60"]) == 0
    more = json.loads(capsys.readouterr().out)
    assert more["num_images"] > told["num_images"]
    assert more["num_trained_on"] == more["num_images"] - told["num_images"]


def test_evaluate__a_single_file_of_the_bundle_and_one_without(
    tiny_run: TrainingResult,
    bundle: str,
    photos: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = Path(bundle) / "model.tflite"
    assert main(["evaluate", str(file), str(photos), "--split", "test", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["accuracy"] == tiny_run.findings.test.accuracy
    alone = tmp_path / "alone.tflite"
    assert main(["export", bundle, "--format", "tflite", "--out", str(alone), "--quiet"]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(alone), str(photos), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["num_images"] == 36
    assert main(["evaluate", str(alone), str(photos), "--split", "test"]) == 2
    assert "needs the bundle that" in capsys.readouterr().err


def test_evaluate__the_split_of_the_training_is_not_for_all_photos(
    bundle: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A limit or a pattern of the training has nothing to do with other photos."""
    copy = tmp_path / "bundle"
    shutil.copytree(bundle, copy)
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["settings"]["split"] |= {"limit_per_class": 3, "later_option": 1}
    (copy / "manifest.json").write_text(json.dumps(manifest))
    counts = []
    for split in ("all", "training", "validation", "test"):
        assert main(["evaluate", str(copy), str(photos), "--split", split, "--json"]) == 0
        counts.append(json.loads(capsys.readouterr().out)["num_images"])
    assert counts[0] == 36
    assert sum(counts[1:]) == 9


def test_evaluate__all_photos_with_a_report_and_a_bad_one_named(
    bundle: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_photo_folder(tmp_path / "more", per_class=4)
    (folder / "red" / "text.jpg").write_text("no photo")
    report = tmp_path / "report.html"
    assert main(["evaluate", bundle, str(folder), "--report", str(report)]) == 0
    bad, statement, seen, small, *answered = capsys.readouterr().out.splitlines()
    assert (
        bad == "! 'red/text.jpg' cannot be read: not an image: the file starts with \"no photo\"."
    )
    assert re.match(r"! \d+ of 12 photos were used to train the model", seen)
    assert "of 12 photos right" in statement
    assert small.startswith("! The test is small (12 photos)")
    assert statement in report.read_text(encoding="utf-8")
    assert main(["evaluate", bundle, str(folder), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert list(told["set_aside"]) == ["red/text.jpg"]
    assert 0 < told["num_trained_on"] <= 12
    number = told["answered"]["count"]
    assert answered[0].startswith("Answers below ")
    assert f'"unknown": {number} of 12 photos get an answer' in answered[0]


def test_evaluate__other_photos_are_not_taken_for_those_of_the_training(
    bundle: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for label in ("blue", "green"):
        (tmp_path / "other" / label).mkdir(parents=True)
        draw(label, 99).save(tmp_path / "other" / label / "photo_00.png")
    assert main(["evaluate", bundle, str(tmp_path / "other")]) == 0
    told = capsys.readouterr().out
    assert "of 2 photos right" in told
    assert "were used to train" not in told


def test_evaluate__classes_that_the_bundle_does_not_know(
    bundle: str, photo_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photo_folder / "red").rename(photo_folder / "orange")
    failure(
        capsys,
        *("evaluate", bundle, photo_folder),
        code=1,
        message=r"does not know: 'orange'\. It knows 'blue', 'green', 'red'",
    )


def test_cache__lists_and_prunes_what_a_run_kept(
    tiny_run: TrainingResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tiny_run.bundle.path.parent
    copy = tmp_path / "features.sqlite"
    copy.write_bytes((run / "cache" / "features.sqlite").read_bytes())
    where = ["--path", str(copy)]

    assert main(["cache", "list", *where, "--json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)["entries"]
    assert entry["reference"] == tiny_run.bundle.manifest.backbone["reference"]
    assert entry["num_views"] == 36
    assert main(["cache", "prune", "--older_than_days", "1", *where]) == 0
    assert "features of 0 views" in capsys.readouterr().out
    assert main(["cache", "prune", "--all", *where]) == 0
    assert "features of 36 views" in capsys.readouterr().out
    assert main(["cache", *where]) == 0
    assert capsys.readouterr().out.startswith("The cache is empty.")


def test_cache__prune_wants_to_know_what(capsys: pytest.CaptureFixture[str]) -> None:
    message = "either --older_than_days N or --all"
    failure(capsys, "cache", "prune", code=2, message=message)
    failure(capsys, *["cache", "prune", "--all", "--older_than_days", "3"], code=2, message=message)


def python(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=120, cwd=cwd
    )


def test_retrain_py__is_the_command_under_its_old_name() -> None:
    run = python("retrain.py", "--help", cwd=ROOT)
    assert run.returncode == 0, run.stderr
    assert "--image_dir" in run.stdout
    assert run.stderr == ""


def test_module__classify_writes_its_answer_and_no_notices(
    bundle: str, photos: Path, tmp_path: Path
) -> None:
    photo = str(photos / "red" / "photo_05.jpg")
    run = python("-m", "bricksight", "classify", bundle, photo, cwd=tmp_path)
    assert run.returncode == 0
    assert run.stdout.startswith(f"{photo}: ")
    assert run.stderr == ""

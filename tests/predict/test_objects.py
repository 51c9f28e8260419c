"""One answer to several photos of one object: from Python, and by ``classify --group_by``."""

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bricksight.cli import main
from bricksight.errors import ConfigError, ImageError
from bricksight.evaluation import evaluate
from bricksight.predict import Answer, Predictor
from bricksight.training import TrainingResult

pytestmark = pytest.mark.tf

Captured = pytest.CaptureFixture[str]

DISAGREEING = [np.array(row, np.float32) for row in ([0.55, 0.45, 0.0], [0.0, 0.45, 0.55])]
"""Two photos whose product is highest for the second class, which neither of them names."""


@pytest.fixture
def predictor(tiny_run: TrainingResult) -> Predictor:
    return Predictor(tiny_run.bundle.path)


@pytest.fixture
def objects(tiny_run: TrainingResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two red objects and a blue one by two cameras; the working folder is the one above."""
    folder = tmp_path / "seen"
    source = tiny_run.findings.data.image_dir
    for name, label in (("a", "red"), ("b", "red"), ("c", "blue")):
        for camera in ("left", "right"):
            (folder / camera).mkdir(parents=True, exist_ok=True)
            number = 4 + ord(name) % 4 + (camera == "left")
            photo = source / label / f"photo_{number:02d}.jpg"
            shutil.copyfile(photo, folder / camera / f"{name}.jpg")
    monkeypatch.chdir(tmp_path)
    return folder


# From Python.


def test_predict_object__is_the_product_of_the_single_answers(
    predictor: Predictor, objects: Path
) -> None:
    photos = sorted(objects.rglob("a.jpg"))
    rows = np.stack(list(predictor.probabilities_of(photos)))
    product = np.sqrt(rows[0].astype(float) * rows[1])
    answer = predictor.predict_object(photos)
    found = {one.label: one.probability for one in answer.predictions}
    expected = dict(zip(predictor.labels, product / product.sum(), strict=True))
    assert found == pytest.approx(expected, abs=1e-5)
    assert answer.answers == tuple(predictor.predict_batch(photos))
    assert answer.votes == sum(
        view.predictions[0].label == answer.predictions[0].label
        for view in answer.answers
        if isinstance(view, Answer)
    )


def test_predict_object__of_one_photo_is_its_own_answer(
    predictor: Predictor, objects: Path
) -> None:
    photo = objects / "left" / "a.jpg"
    alone = predictor.predict(photo, top_k=2)
    answer = predictor.predict_object([photo.read_bytes()], top_k=2)
    assert answer.votes == 1
    assert answer.label == alone.label
    assert [one.probability for one in answer.predictions] == pytest.approx(
        [one.probability for one in alone.predictions], abs=1e-5
    )


def test_predict_object__a_photo_that_cannot_be_read_is_named_and_the_others_count(
    predictor: Predictor, objects: Path
) -> None:
    photos = sorted(objects.rglob("a.jpg"))
    answer = predictor.predict_object([photos[0], b"no photo", photos[1]])
    assert isinstance(answer.answers[1], ImageError)
    assert answer.predictions == predictor.predict_object(photos).predictions
    with pytest.raises(ImageError, match=r"none of 2 photos of the object .* not an image"):
        predictor.predict_object([b"no photo", b"nor this"])


def test_answer_object__too_few_votes_are_unknown(predictor: Predictor) -> None:
    predictor.unknown_threshold = None
    answer = predictor.answer_object(DISAGREEING)
    assert (answer.label, answer.votes) == (predictor.labels[1], 0)
    assert predictor.answer_object(DISAGREEING, min_votes=1).label is None
    row, other = np.array([[0.2, 0.2, 0.6], [0.5, 0.1, 0.4]], np.float32)
    agreed = predictor.answer_object([row, row, other], min_votes=2)
    assert (agreed.label, agreed.votes) == (predictor.labels[2], 2)
    assert predictor.answer_object([row, row, other], min_votes=3).is_unknown
    assert predictor.answer_object([row], min_votes=2).is_unknown


def test_answer_object__the_threshold_is_for_the_fused_probability(predictor: Predictor) -> None:
    """Ten photos that are unsure alike are no surer than one, and each still votes."""
    row = np.array([0.2, 0.2, 0.6], np.float32)
    predictor.unknown_threshold = 0.61
    answer = predictor.answer_object([row] * 10, min_votes=10)
    assert (answer.is_unknown, answer.votes) == (True, 10)
    predictor.unknown_threshold = 0.59
    assert predictor.answer_object([row] * 10, min_votes=10).label == predictor.labels[2]
    sure = np.array([1, 0, 0], np.float32)
    predictor.unknown_threshold = 1.0
    assert predictor.answer_object([sure, sure]).label == predictor.labels[0]


def test_answer_object__what_it_cannot_use_is_named(predictor: Predictor) -> None:
    with pytest.raises(ConfigError, match=r"min_votes is 0; it must be a whole number, at least 1"):
        predictor.answer_object(DISAGREEING, min_votes=0)
    with pytest.raises(ConfigError, match=r"no photos of the object"):
        predictor.predict_object([])


def test_answer_object__is_what_an_evaluation_scores(predictor: Predictor) -> None:
    rows = np.random.default_rng(3).dirichlet([0.5] * 3, size=60).astype(np.float32)
    true = np.repeat(np.arange(20) % 3, 3)
    scores = evaluate(
        rows,
        true,
        labels=predictor.labels,
        paths=[""] * 60,
        groups=[str(index // 3) for index in range(60)],
    ).groups
    predictor.unknown_threshold = None
    named = [predictor.answer_object(list(rows[i : i + 3]), min_votes=2) for i in range(0, 60, 3)]
    right = [
        one.predictions[0].label == predictor.labels[true[3 * i]] for i, one in enumerate(named)
    ]
    assert scores is not None and scores.consensus is not None
    assert scores.accuracy == np.mean(right)
    answered = [not one.is_unknown for one in named]
    assert 0 < scores.consensus.count == sum(answered) < 20
    assert scores.consensus.accuracy == np.mean(np.array(right)[answered])


# By the command.


def told(capsys: Captured) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_classify__json_has_a_line_an_object_after_its_photos(
    tiny_run: TrainingResult, predictor: Predictor, objects: Path, capsys: Captured
) -> None:
    bundle = str(tiny_run.bundle.path)
    assert main(["classify", bundle, "seen", "--group_by", r"(\w)\.jpg$", "--json"]) == 0
    lines = told(capsys)
    assert [line["object"] for line in lines] == ["a"] * 3 + ["b"] * 3 + ["c"] * 3
    assert list(lines[0]) == ["photo", "object", "label", "is_unknown", "predictions"]
    keys = ["object", "photos", "set_aside", "votes", "label", "is_unknown", "predictions"]
    assert list(lines[2]) == keys
    for left, right, together in zip(lines[0::3], lines[1::3], lines[2::3], strict=True):
        photos = [left["photo"], right["photo"]]
        assert together["photos"] == photos
        assert together["set_aside"] == {}
        answer = predictor.predict_object(photos)
        assert (together["label"], together["votes"]) == (answer.label, answer.votes)
        assert left["predictions"][0]["label"] == predictor.predict(photos[0]).predictions[0].label


def test_classify__csv_has_rows_an_object(
    tiny_run: TrainingResult, objects: Path, capsys: Captured
) -> None:
    command = ["classify", str(tiny_run.bundle.path), "seen", "--group_by", r"(\w)\.jpg$"]
    assert main([*command, "--csv", "--top_k", "1"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    columns = ["photo", "rank", "label", "probability", "is_unknown", "object", "num_photos"]
    assert list(rows[0]) == [*columns, "votes"]
    assert [row["photo"] for row in rows[:3]] == ["seen/left/a.jpg", "seen/right/a.jpg", ""]
    assert [row["num_photos"] for row in rows] == ["", "", "2"] * 3
    assert rows[0]["votes"] == ""


def test_classify__text_shows_the_object_below_its_photos(
    tiny_run: TrainingResult, objects: Path, capsys: Captured
) -> None:
    command = ["classify", str(tiny_run.bundle.path), "seen", "--group_by", r"(\w)\.jpg$"]
    assert main([*command, "--top_k", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("seen/left/a.jpg: ")
    assert lines[2].startswith("= a (") and " of 2 photos): " in lines[2]


def test_classify__a_bad_photo_is_named_and_the_objects_other_counts(
    tiny_run: TrainingResult, objects: Path, capsys: Captured
) -> None:
    bad = objects / "left" / "a.jpg"
    bad.write_text("no photo")
    for photo in objects.rglob("c.jpg"):
        photo.write_text("no photo")
    command = ["classify", str(tiny_run.bundle.path), "seen", "--group_by", r"(\w)\.jpg$"]
    assert main([*command, "--min_votes", "2", "--json"]) == 1
    printed = capsys.readouterr()
    lines = [json.loads(line) for line in printed.out.splitlines()]
    assert [line["object"] for line in lines] == ["a", "a", "b", "b", "b"]
    assert lines[1]["photos"] == ["seen/right/a.jpg"]
    assert list(lines[1]["set_aside"]) == ["seen/left/a.jpg"]
    assert lines[1]["label"] is None and lines[1]["votes"] == 1
    assert "bricksight: seen/left/a.jpg: not an image" in printed.err
    assert printed.err.splitlines()[-1] == (
        "bricksight: c: none of 2 photos can be read, so no answer"
    )


def test_classify__a_photo_named_twice_votes_once(
    tiny_run: TrainingResult, objects: Path, capsys: Captured
) -> None:
    photos = ["seen/left/a.jpg", "seen/left", "seen/right/a.jpg"]
    command = ["classify", str(tiny_run.bundle.path), *photos, "--group_by", r"(\w)\.jpg$"]
    assert main([*command, "--json"]) == 0
    (of_a,) = [line for line in told(capsys) if line.get("photos") and line["object"] == "a"]
    assert of_a["photos"] == ["seen/left/a.jpg", "seen/right/a.jpg"]


def test_classify__a_photo_without_a_match_is_an_object_of_its_own(
    tiny_run: TrainingResult, objects: Path, capsys: Captured
) -> None:
    command = ["classify", str(tiny_run.bundle.path), "seen", "--group_by", r"([ab])\.jpg$"]
    assert main([*command, "--json"]) == 0
    printed = capsys.readouterr()
    lines = [json.loads(line) for line in printed.out.splitlines()]
    together = [line["object"] for line in lines if "photos" in line]
    assert together == ["a", "b", "seen/left/c.jpg", "seen/right/c.jpg"]
    assert "--group_by matches nothing in 2 paths" in printed.err


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ("--group_by nowhere", 1, "'nowhere' matches none of 6 paths"),
        ("--group_by (a", 2, "--group_by '(a' is not a regular expression"),
        ("--group_by (.)[.]jpg --min_votes 3", 2, "no object has more than 2 photos"),
        ("--group_by (.)[.]jpg --min_votes 0", 2, "--min_votes is 0"),
        ("--min_votes 2", 2, "--min_votes needs --group_by"),
    ],
)
def test_classify__what_it_cannot_group_is_named(
    tiny_run: TrainingResult, objects: Path, capsys: Captured, options: str, code: int, message: str
) -> None:
    words = ["classify", str(tiny_run.bundle.path), "seen", "--csv", *options.split()]
    assert main(words) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert message in printed.err

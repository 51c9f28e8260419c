"""The page as a browser reads it: whole, harmless, and with everything that it should say."""

import base64
import dataclasses
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from bricksight.dataset import Problem
from bricksight.evaluation import Evaluation, evaluate, warnings_of
from bricksight.report import ReportContent, TrainingHistory, write_report

VOID = {"meta", "img", "br"}
SCRIPT = "<script>alert('brick')</script>"


class Page(HTMLParser):
    """What a browser would see; refuses tags that do not match."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] != ["style"]:
            self.text += data + " "

    def attributes(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


def random_evaluation(
    num_images: int, *, labels: list[str], paths: list[str] | None = None
) -> Evaluation:
    rng = np.random.default_rng(3)
    probabilities = rng.dirichlet(np.ones(len(labels)), size=num_images)
    return evaluate(
        probabilities,
        rng.integers(len(labels), size=num_images),
        labels=labels,
        paths=paths or [f"{index}.jpg" for index in range(num_images)],
    )


def perfect_evaluation(labels: list[str], *, num_images: int) -> Evaluation:
    true = np.arange(num_images) % len(labels)
    paths = [f"{index}.jpg" for index in range(num_images)]
    return evaluate(np.eye(len(labels))[true], true, labels=labels, paths=paths)


def page_of(content: ReportContent, folder: Path) -> Page:
    write_report(folder / "report.html", content)
    return Page((folder / "report.html").read_text(encoding="utf-8"))


@pytest.fixture
def content(photo_folder: Path) -> ReportContent:
    """A report of three classes in which nothing is left out."""
    labels = sorted(folder.name for folder in photo_folder.iterdir())
    paths = sorted(photo_folder.glob("*/*"))
    names = [path.relative_to(photo_folder).as_posix() for path in paths]
    return ReportContent(
        title="Bricks on a table",
        evaluation=random_evaluation(len(names), labels=labels, paths=names),
        validation=random_evaluation(7, labels=labels),
        image_dir=photo_folder,
        history=[
            TrainingHistory(
                name="Head",
                steps=[0, 10, 20],
                train_accuracy=[0.3, 0.8, 0.9],
                train_cross_entropy=[1.1, 0.6, 0.3],
                validation_accuracy=np.array([0.3, 0.6, 0.5]),
                validation_cross_entropy=np.array([1.1, 0.9, 1.0]),
                best_step=10,
            )
        ],
        class_counts={label: {"training": 6, "validation": 1, "test": 1} for label in labels},
        problems=[
            Problem("unreadable", "The file ends too early.", ("a/1.jpg",)),
            Problem("small_class", "It has 8 photos.", ("a",)),
            Problem("unreadable", "The file is empty.", tuple(f"b/{n}.jpg" for n in range(60))),
        ],
        backbone={"reference": "keras:MobileNetV2"},
        settings={"split": {"group_by": None}, "seed": 7},
        versions={"numpy": "2.0"},
        timings={"features": 83.2},
        examples={
            label: f"{label}/{min((photo_folder / label).iterdir()).name}" for label in labels
        },
        unknown_threshold=0.5,
    )


def test_report__needs_no_other_file(content: ReportContent, tmp_path: Path):
    page = page_of(content, tmp_path)
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    assert {image["src"].split(":")[0] for image in page.attributes("img")} == {"data"}
    assert {link["href"][0] for link in page.attributes("a")} == {"#"}


def test_report__links_lead_somewhere(content: ReportContent, tmp_path: Path):
    page = page_of(content, tmp_path)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert [link["href"][1:] for link in page.attributes("a")] == ids


def test_report__can_be_read_without_seeing_it(content: ReportContent, tmp_path: Path):
    page = page_of(content, tmp_path)
    assert all(image["alt"] for image in page.attributes("img"))
    assert all("scope" in attributes for attributes in page.attributes("th"))
    assert page.attributes("html") == [{"lang": "en"}]
    levels = [int(tag[1]) for tag, _ in page.tags if tag in ("h1", "h2", "h3")]
    assert levels.count(1) == 1
    assert all(deeper <= level + 1 for level, deeper in pairwise(levels))


def test_report__says_what_it_was_given(content: ReportContent, tmp_path: Path):
    text = page_of(content, tmp_path).text
    assert content.evaluation.statement in text
    for expected in (
        "Bricks on a table",
        "split.group_by none",
        "seed 7",
        "keras:MobileNetV2",
        "numpy 2.0",
        "features 1 min 23 s",
        "18 for training, 3 for validation, 3 for test.",
        "If the highest probability is below 50.0 %, the answer is “unknown”.",
    ):
        assert expected in text


def test_report__groups_problems_by_kind_and_shortens_long_lists(
    content: ReportContent, tmp_path: Path
):
    text = page_of(content, tmp_path).text
    assert "unreadable (2)" in text
    assert "small class (1)" in text
    assert "b/49.jpg and 10 more" in text
    assert "b/50.jpg" not in text


def test_report__names_are_text_not_markup(tmp_path: Path):
    labels = [SCRIPT, '" onload="alert(1)', "ブリック"]
    content = ReportContent(
        title=SCRIPT,
        evaluation=random_evaluation(9, labels=labels, paths=[f"{SCRIPT}.jpg"] * 9),
        image_dir=tmp_path,
        problems=[Problem(SCRIPT, SCRIPT, (SCRIPT,))],
        settings={SCRIPT: SCRIPT},
        history=[
            TrainingHistory(name=SCRIPT, steps=[1], train_accuracy=[1], train_cross_entropy=[0])
        ],
    )
    page = page_of(content, tmp_path)
    assert "script" not in {tag for tag, _ in page.tags}
    assert not [attributes for _, attributes in page.tags if "onload" in attributes]
    assert SCRIPT in page.text
    assert "ブリック" in page.text


def test_report__mistakes_stand_beside_an_example(content: ReportContent, tmp_path: Path):
    page = page_of(content, tmp_path)
    num_mistakes = len(content.evaluation.mistakes)
    photos = [
        image
        for image in page.attributes("img")
        if image["src"].startswith("data:image/jpeg;base64,")
    ]
    assert 0 < num_mistakes <= 30
    assert len(photos) == 2 * num_mistakes
    assert content.evaluation.mistakes[0].path in page.text


def test_report__a_lost_photo_is_named_and_ends_nothing(content: ReportContent, tmp_path: Path):
    lost = content.evaluation.mistakes[0].path
    (content.image_dir / lost).unlink()
    text = page_of(content, tmp_path).text
    assert text.count("This photo cannot be read:") >= 1
    assert lost in text


def test_report__only_the_most_confident_mistakes_are_shown(tmp_path: Path):
    content = ReportContent(
        title="Many", evaluation=random_evaluation(90, labels=["a", "b", "c"]), image_dir=tmp_path
    )
    num_mistakes = len(content.evaluation.mistakes)
    assert num_mistakes > 30
    text = page_of(content, tmp_path).text
    assert f"30 of {num_mistakes} misclassified photos" in text
    assert text.count("classified as") >= 30


def test_report__without_mistakes(tmp_path: Path):
    evaluation = perfect_evaluation(["a", "b"], num_images=200)
    page = page_of(ReportContent(title="T", evaluation=evaluation, image_dir=tmp_path), tmp_path)
    assert "Every test photo was classified correctly." in page.text
    assert "Most confused pairs" not in page.text
    assert "The test is small" not in page.text


def test_report__without_test_photos(content: ReportContent, tmp_path: Path):
    nothing = evaluate(np.zeros((0, 3)), np.zeros(0, int), labels=["a", "b", "c"], paths=[])
    for validation in (content.validation, nothing, None):
        changed = dataclasses.replace(content, evaluation=nothing, validation=validation)
        page = page_of(changed, tmp_path)
        assert "There were no photos to test, so the accuracy is not known." in page.text
        assert "nan" not in page.text
        shown = "Validation photos were used to make choices" in page.text
        assert shown == (validation is content.validation)
        assert "no test or validation photos" in page.text or shown


def test_report__warns_of_a_small_test(tmp_path: Path):
    labels = ["a", "b", "c", "d"]
    evaluation = evaluate(
        np.eye(4)[[0, 0, 0, 0, 0, 1]], np.array([0, 0, 0, 0, 0, 1]), labels=labels, paths=["x"] * 6
    )
    content = ReportContent(
        title="T", evaluation=evaluation, warnings=warnings_of(evaluation), image_dir=tmp_path
    )
    text = page_of(content, tmp_path).text
    headline, _, figures = text.partition("Metrics")
    assert "may be anywhere from 61 to 100 %" in headline
    assert "2 of 4 classes have no test photo, so their accuracy is not known: 'c', 'd'." in text
    assert "Top-" not in figures
    assert "1 of 4 classes has fewer than 5 test photos." in text


def test_report__warns_of_groups_without_a_vote(tmp_path: Path):
    evaluation = evaluate(
        np.eye(2), np.array([0, 1]), labels=["a", "b"], paths=["x", "y"], groups=["g", "g"]
    )
    content = ReportContent(title="T", evaluation=evaluation, image_dir=tmp_path)
    assert "Some groups contain photos of several classes" in page_of(content, tmp_path).text


def test_report__says_how_many_groups_agree(tmp_path: Path):
    evaluation = evaluate(
        np.array([[0.9, 0.1], [0.8, 0.2], [0.9, 0.1], [0.6, 0.4], [0.1, 0.9], [0.9, 0.1]]),
        np.array([0, 0, 1, 1, 1, 1]),
        labels=["a", "b"],
        paths=["1", "2", "3", "4", "5", "6"],
        groups=["x", "x", "y", "y", "z", "z"],
    )
    text = page_of(
        ReportContent(title="T", evaluation=evaluation, image_dir=tmp_path), tmp_path
    ).text
    assert "Groups that agree" in text
    assert "2 of 3, 50.0 % right" in text.replace("\N{NO-BREAK SPACE}", " ")


def test_report__matrix_has_a_row_and_a_column_for_each_class(tmp_path: Path):
    evaluation = random_evaluation(60, labels=[f"part {number}" for number in range(54)])
    page = page_of(ReportContent(title="T", evaluation=evaluation, image_dir=tmp_path), tmp_path)
    titles = [attributes["title"] for attributes in page.attributes("td") if "title" in attributes]
    assert len(titles) == np.count_nonzero(evaluation.confusion_matrix)
    assert len([one for one in page.attributes("th") if "title" in one]) == 2 * 54


def test_report__matrix_of_very_many_classes_shows_the_worst(tmp_path: Path):
    labels = [f"part {number}" for number in range(150)]
    true = np.arange(150)
    answers = np.where(true < 20, (true + 1) % 20, true)
    evaluation = evaluate(np.eye(150)[answers], true, labels=labels, paths=["x"] * 150)
    page = page_of(ReportContent(title="T", evaluation=evaluation, image_dir=tmp_path), tmp_path)
    assert "The 60 classes with the most mistakes are shown; metrics.json has all 150." in page.text
    rows = [one["title"] for one in page.attributes("th") if "title" in one][:60]
    assert rows[:20] == labels[:20]


def test_report__curves_mark_the_step_that_was_kept(content: ReportContent, tmp_path: Path):
    plots = [
        image
        for image in page_of(content, tmp_path).attributes("img")
        if image["src"].startswith("data:image/svg+xml;base64,")
    ]
    curves, reliability = plots
    assert "the weights of step 10 were kept" in curves["alt"]
    svg = base64.b64decode(curves["src"].split(",")[1]).decode()
    for text in (
        "Accuracy",
        "Cross entropy (nats)",
        "training",
        "validation",
        "kept weights: step 10",
    ):
        assert f"<!-- {text} -->" in svg  # matplotlib draws outlines and notes the text beside
    assert (
        "<!-- probability of the answer -->"
        in base64.b64decode(reliability["src"].split(",")[1]).decode()
    )


def test_report__is_the_same_for_the_same_content(content: ReportContent, tmp_path: Path):
    write_report(tmp_path / "one.html", content)
    write_report(tmp_path / "two.html", content)
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()


def test_report__replaces_an_older_one_and_leaves_nothing_else(
    content: ReportContent, tmp_path: Path
):
    folder = tmp_path / "bundle"
    for _ in range(2):
        write_report(folder / "report.html", content)
    assert [path.name for path in folder.iterdir()] == ["report.html"]


def test_report__of_real_photos_stays_small(shared_dir: Path, tmp_path: Path):
    root = shared_dir / "data" / "lego_bricks"
    labels = sorted(folder.name for folder in root.iterdir() if folder.is_dir())
    paths = [min((root / label).iterdir()) for label in labels]
    names = [path.relative_to(root).as_posix() for path in paths]
    content = ReportContent(
        title="Real photos",
        evaluation=random_evaluation(len(names), labels=labels, paths=names),
        image_dir=root,
        examples=dict(zip(labels, names, strict=True)),
    )
    page = page_of(content, tmp_path)
    assert len(page.attributes("img")) == 2 * 30 + 1
    assert (tmp_path / "report.html").stat().st_size < 3_000_000


def test_history__refuses_curves_of_different_lengths():
    with pytest.raises(ValueError, match="validation_accuracy has 1 entries, but steps has 2"):
        TrainingHistory(
            steps=[1, 2],
            train_accuracy=[0.1, 0.2],
            train_cross_entropy=[2, 1],
            validation_accuracy=[0.1],
        )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (59.4, "59.4 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")],
)
def test_report__durations(seconds: float, text: str, tmp_path: Path):
    content = ReportContent(
        title="T",
        evaluation=perfect_evaluation(["a", "b"], num_images=4),
        image_dir=tmp_path,
        timings={"everything": seconds},
    )
    assert f"everything {text}" in page_of(content, tmp_path).text

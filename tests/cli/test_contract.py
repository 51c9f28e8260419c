"""The command line beyond single commands: help, exit codes, retrain.py's flags, streams."""

import io
import json
import logging
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bricksight import __version__
from bricksight.bundle import open_bundle
from bricksight.cli import COMMANDS, main
from bricksight.features import FeatureCache, default_cache_path, list_entries
from bricksight.training import TrainingResult
from bricksight.training.results.artifacts import TrainingReport

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """Takes back what a command does to the package's logger, which lives as long as the tests."""
    logger = logging.getLogger("bricksight")
    before = logger.level, list(logger.handlers), logger.propagate
    yield
    logger.level, logger.handlers, logger.propagate = before


@pytest.fixture(autouse=True)
def wide_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """What is printed stays in memory, lines are not broken, nothing lands in the project."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)


def run_process(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bricksight", *words], capture_output=True, text=True, timeout=120
    )


def photos_of(findings: TrainingReport) -> list[str]:
    return [str(record.path) for record in findings.data.in_split("test")]


# Help.


def test_help__lists_every_command(capsys: Captured) -> None:
    assert main(["--help"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    for command, (_, summary) in COMMANDS.items():
        assert re.search(rf"{command} +{re.escape(summary)}", printed.out)


def test_version__is_that_of_the_package(capsys: Captured) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == __version__


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("retrain", "The head is trained by gradient descent."),
        ("train", "one sub-folder per class"),
        ("classify", "reads paths from standard input"),
        ("evaluate", "Photos of the training give an accuracy that is too high."),
        ("check", "Every photo is decoded completely"),
    ],
)
def test_help__tells_more_than_the_summary(command: str, sentence: str, capsys: Captured) -> None:
    main([command, "--help"])
    assert sentence in " ".join(capsys.readouterr().out.split())


# Exit codes.

WRONG_USE = [
    ("retrian", 'Did you mean "retrain"'),
    ("train x --random_flp never", "--random_flip"),
    ("train", "PHOTOS is missing"),
    ("train --image_dir x", "bricksight train PHOTOS"),
    ("train x --learning_rate 1", "use `bricksight retrain`"),
    ("train x --tfhub_module y", "Use --backbone."),
    ("crossval --image_dir x", "bricksight crossval PHOTOS"),
    ("retrain --image_dir x --recipe best", "use `bricksight train PHOTOS`"),
    ("retrain --image_dir x --backbone y", "use `bricksight train PHOTOS`"),
    ("retrain --image_dir x --learning-rat 5", "--learning_rate"),
    ("retrain --image_dir x --how_many_training_steps 0", "--how_many_training_steps is 0"),
    ("retrain --image_dir x --how_many_training_steps 2.5", "2.5; it must be a whole number"),
    ("train x --seed=nan", "--seed is nan; it must be a whole number"),
    ("retrain --image_dir", "--image_dir needs a value"),
    ("retrain", "--image_dir is missing"),
    ("retrain --image_dir x --final_tensor_name input", "'input' is taken"),
    ("retrain --image_dir x --testing_percentage 60 --validation_percentage 40", "under 100"),
    ("retrain --image_dir x --logging_verbosity LOUD", "DEBUG"),
    ("retrain --image_dir x stray 'one more'", "retrain does not understand: stray 'one more'"),
    ("classify bundle photo --threads 0", "--threads is 0"),
    ("classify bundle photo --threads 99999999999", "--threads is 99999999999; it must be from 1"),
    ("camera bundle --threads 1000000", "--threads is 1000000; it must be from 1"),
    ("benchmark bundle --threads 1,1000000", "--threads is 1000000; it must be from 1"),
    ("classify bundle photo --topk 3", "--top_k"),
    ("evaluate bundle", "PHOTOS"),
    ("evaluate bundle photos --split tests", "test"),
    ("check", "PHOTOS"),
    ("backbones nonsense", "nonsense"),
    ("backbones describe", "REFERENCE"),
    ("cache nonsense", "nonsense"),
    ("cache prune --older_than_days -1", "--older_than_days is -1; it must be a number of days"),
    ("cache prune --older_than_days nan", "--older_than_days is nan"),
    ("sample", "OUT"),
    ("demo stray", "stray"),
]


@pytest.mark.parametrize(("line", "told"), WRONG_USE, ids=[line for line, _ in WRONG_USE])
def test_wrong_use__exits_with_2_and_names_what_is_wrong(
    line: str, told: str, capsys: Captured
) -> None:
    assert main(shlex.split(line)) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("bricksight: ")
    assert told in printed.err
    words = shlex.split(line)
    named = [words[0]] if words[0] in COMMANDS else []
    named += [word for word in words[1:2] if word in ("describe", "prune")]
    assert printed.err.endswith(f"\nSee `{' '.join(['bricksight', *named])} --help`.\n")


FIXABLE = [
    ("train empty", "empty is empty"),
    ("train photos --backbone keras:MobileNetV9", "MobileNetV2"),
    ("train photos --out photos", "photos exists already"),
    ("classify empty a.jpg", "empty is not a bundle"),
    ("classify --graph none.pb --labels labels.txt a.jpg", "none.pb"),
    ("classify --graph labels.txt --labels none.txt a.jpg", "none.txt"),
    ("classify --graph labels.txt --labels labels.txt a.jpg", "labels.txt is not a frozen"),
    ("evaluate nowhere photos", "nowhere does not exist. Give a bundle"),
    ("check nowhere", "nowhere does not exist"),
    ("backbones describe nonsense", "'nonsense' is not a known backbone"),
    ("cache list --path labels.txt", "labels.txt is not a feature cache, or is damaged"),
    ("cache prune --all --path labels.txt", "labels.txt is not a feature cache, or is damaged"),
    ("sample photos", "photos is not empty"),
    ("demo --out photos", "photos is not a bundle"),
]


@pytest.mark.parametrize(("line", "told"), FIXABLE, ids=[line for line, _ in FIXABLE])
def test_fixable__exits_with_1_and_says_what_was_found(
    line: str, told: str, photo_folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "labels.txt").write_text("one\ntwo\n")
    assert main(shlex.split(line)) == 1
    printed = capsys.readouterr()
    assert re.match(r"(.+: [\d.]+ s\n)*bricksight: ", printed.err)
    assert told in printed.err
    assert "--help" not in printed.err


@pytest.mark.parametrize(
    ("line", "code", "told"),
    [
        ("--version", 0, ""),
        ("train nowhere", 1, "nowhere does not exist"),
        # Found while TensorFlow still loads in the background.
        ("train photos --backbone nonsense:x", 1, "is not a known backbone"),
        ("retrain --image_dirs photos", 2, "--image_dir"),
    ],
)
def test_process__exit_code_and_message_without_traceback(
    line: str, code: int, told: str, photo_folder: Path
) -> None:
    run = run_process(*shlex.split(line))
    assert run.returncode == code
    assert told in run.stderr
    assert "Traceback" not in run.stderr
    assert bool(run.stderr) == bool(code)


def test_interrupt__exits_with_130(
    photo_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bricksight.quality.check", interrupted)
    assert main(["check", "photos"]) == 130
    assert capsys.readouterr().err == "bricksight: Interrupted.\n"


# Training.


@pytest.fixture
def backbone(tiny_run: TrainingResult) -> str:
    reference: str = tiny_run.findings.compiled.backbone.reference
    return reference


NAMES_IN_SETTINGS = {"tfhub_module": "reference", "bottleneck_dir": "feature_cache_dir"}


@pytest.mark.tf
def test_retrain__all_of_retrains_flags_in_one_line(
    photo_folder: Path, backbone: str, tmp_path: Path, capsys: Captured
) -> None:
    """The 25 flags of tensorflow/hub's examples/image_retraining/retrain.py."""
    flags = {
        "image_dir": "photos",
        "output_graph": "graphs/output.pb",
        "intermediate_output_graphs_dir": "graphs/",
        "intermediate_store_frequency": 4,
        "output_labels": "labels.txt",
        "summaries_dir": "logs",
        "how_many_training_steps": 10,
        "learning_rate": 0.02,
        "testing_percentage": 30,
        "validation_percentage": 25,
        "eval_step_interval": 3,
        "train_batch_size": 7,
        "test_batch_size": 2,
        "validation_batch_size": -1,
        "print_misclassified_test_images": True,
        "bottleneck_dir": "bottleneck",
        "final_tensor_name": "answer",
        "flip_left_right": True,
        "random_crop": 5,
        "random_scale": 6,
        "random_brightness": 7.5,
        "tfhub_module": backbone,
        "saved_model_dir": "saved",
        "logging_verbosity": "WARN",
        "checkpoint_path": "kept/checkpoint",
    }
    assert len(flags) == 25
    words = [f"--{name}" if value is True else f"--{name}={value}" for name, value in flags.items()]
    assert main(["retrain", *words, "--out", "bundle"]) == 0
    printed = capsys.readouterr()
    assert "=== MISCLASSIFIED TEST IMAGES ===" in printed.out
    assert printed.out.splitlines()[-1] == "bundle"
    assert printed.err == ""

    manifest = open_bundle("bundle").manifest
    used: dict[str, object] = {}
    flags = {NAMES_IN_SETTINGS.get(name, name): value for name, value in flags.items()}
    for group in ("data", "backbone", "split", "head", "augmentation", "output", "files"):
        used |= manifest.settings[group]
    for name, value in flags.items():
        is_path = name.endswith(("_dir", "_path")) or name in ("output_graph", "output_labels")
        expected = str(Path(value).absolute()) if is_path else value
        assert used[name] == expected, name
    assert manifest.metrics["num_images"] == 2
    metrics = json.loads(Path("bundle/metrics.json").read_text())
    assert [one["step"] for one in metrics["history"]["measurements"]] == [0, 3, 6, 9]
    assert sorted(path.name for path in Path("graphs").iterdir()) == [
        "intermediate_4.pb",
        "intermediate_8.pb",
        "output.pb",
    ]
    assert Path("labels.txt").read_text() == "blue\ngreen\nred\n"
    assert Path("saved/saved_model.pb").exists()
    assert Path("bottleneck/features.sqlite").exists()
    assert list(Path("logs").rglob("events.out.tfevents.*"))
    photo = str(next(Path("photos/red").iterdir()))
    old = ["--graph", "graphs/output.pb", "--labels", "labels.txt", "--output_layer", "answer"]
    assert main(["classify", *old, photo]) == 0


@pytest.mark.tf
def test_retrain__a_line_a_stage_where_there_is_no_terminal(
    photo_folder: Path, backbone: str, capsys: Captured
) -> None:
    words = ["--image_dir", "photos", "--tfhub_module", backbone, "--how_many_training_steps", "9"]
    assert main(["retrain", *words, "--out", "bundle"]) == 0
    printed = capsys.readouterr()
    steps = [line.partition(": ")[0] for line in printed.err.splitlines()]
    assert steps == sorted(steps)
    assert all(re.fullmatch("Step [1-5] of 5", step) for step in steps)
    seconds = r"\d+\.\d s"
    assert re.search(
        rf"^Step 2 of 5: Computing features, 24 in {seconds}", printed.err, re.MULTILINE
    )
    *figures, report, last = printed.out.splitlines()
    following = figures[figures.index("Next:") :]
    first, *_, test, small, unknown = figures[: -len(following)]
    assert re.fullmatch(r"24 photos of 3 classes: .* test\. Took \d+\.\d s\.", first)
    assert test.startswith("Test: Too few photos for more than a rough figure: ")
    assert small.startswith("! The test is small (")
    assert unknown.startswith('! No answer is given as "unknown": ')
    assert following[0] == "Next:"
    commands = [shlex.split(line.strip()) for line in following[1:]]
    assert [words[1] for words in commands] == ["classify", "export", "crossval"]
    assert main(commands[0][1:]) == 0
    assert capsys.readouterr().out.startswith("photos/")
    assert (report, last) == ("Report: bundle/report.html", "bundle")


@pytest.mark.tf
def test_retrain__brackets_in_a_path_are_no_pattern_and_no_markup(
    photo_folder: Path, backbone: str, capsys: Captured
) -> None:
    out, cache = "[/red]/model [1]*", "[/blue]"
    words = ["--image_dir", "photos", "--tfhub_module", backbone, "--how_many_training_steps", "9"]
    assert main(["retrain", *words, "--out", out, "--bottleneck_dir", cache]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == out
    photo = str(next(Path("photos/red").iterdir()))
    assert main(["classify", out, photo, "--runtime", "saved_model"]) == 0
    again = ["--image_dir", "photos", "--tfhub_module", f"saved_model:{backbone_copy(backbone)}"]
    assert main(["retrain", *again, "--how_many_training_steps", "9"]) == 0
    capsys.readouterr()
    assert main(["cache", "--path", f"{cache}/features.sqlite"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{cache}/features.sqlite"


def backbone_copy(backbone: str) -> Path:
    """Returns a copy of a SavedModel under a name with brackets."""
    return Path(shutil.copytree(backbone.removeprefix("saved_model:"), "module[1]"))


@pytest.mark.tf
def test_retrain__quiet_is_the_model_folder_alone(photo_folder: Path, backbone: str) -> None:
    """In a process of its own, where TensorFlow would write to the terminal."""
    run = run_process("train", "photos", "--backbone", backbone, "--out", "bundle", "--quiet")
    assert run.returncode == 0, run.stderr
    assert run.stdout == "bundle\n"
    assert run.stderr == ""


@pytest.mark.tf
@pytest.mark.parametrize(
    "flag",
    [
        "--output_graph=file/graph.pb",
        "--output_labels=file/labels.txt",
        "--summaries_dir=file",
        "--bottleneck_dir=file",
        "--checkpoint_path=file/checkpoint",
        "--intermediate_output_graphs_dir=file",
    ],
)
def test_retrain__a_file_in_the_way_is_named_without_a_traceback(
    flag: str, photo_folder: Path, backbone: str, tmp_path: Path, capsys: Captured
) -> None:
    (tmp_path / "file").write_text("no folder")
    words = ["--image_dir", "photos", "--tfhub_module", backbone, "--how_many_training_steps", "3"]
    words += ["--intermediate_store_frequency", "2", "--out", "bundle", flag]
    assert main(["retrain", *words]) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith("bricksight: ")
    assert "file" in printed.err


@pytest.mark.tf
def test_evaluate__a_report_that_cannot_be_written_is_named_without_a_traceback(
    tiny_run: TrainingResult, photo_folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    (tmp_path / "file").write_text("no folder")
    words = [str(tiny_run.bundle.path), "photos", "--report", "file/report.html"]
    assert main(["evaluate", *words]) == 1
    assert "file" in capsys.readouterr().err


@pytest.mark.tf
def test_retrain__names_of_classes_are_shown_as_they_are(
    photo_folder: Path, backbone: str, capsys: Captured
) -> None:
    """Rich would take [red] for a colour."""
    (photo_folder / "red").rename(photo_folder / "[red]")
    words = ["--image_dir", "photos", "--tfhub_module", backbone, "--how_many_training_steps", "9"]
    assert main(["retrain", *words, "--out", "model"]) == 0
    printed = capsys.readouterr().out
    assert "'[red]'" in printed
    assert printed.splitlines()[-2:] == ["Report: model/report.html", "model"]


# Answers.


@pytest.mark.tf
def test_classify__unknown_is_said_with_the_likeliest(
    tiny_run: TrainingResult, tmp_path: Path, capsys: Captured
) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(tiny_run.bundle.path, bundle)
    manifest = json.loads((bundle / "manifest.json").read_text())
    (bundle / "manifest.json").write_text(json.dumps(manifest | {"unknown_threshold": 1}))
    photo = photos_of(tiny_run.findings)[0]
    assert main(["classify", str(bundle), photo]) == 0
    assert f"{photo}: unknown" in capsys.readouterr().out
    main(["classify", str(bundle), photo, "--json"])
    answer = json.loads(capsys.readouterr().out)
    assert answer["label"] is None
    assert answer["is_unknown"] is True
    assert len(answer["predictions"]) == 3


@pytest.mark.tf
def test_classify__file_folder_pattern_and_standard_input_name_the_same_photos(
    tiny_run: TrainingResult, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tiny_run.findings.data.image_dir / "red"
    photos = sorted(str(path) for path in folder.iterdir())
    listed = io.BytesIO("".join(f"{photo}\n" for photo in photos).encode())
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(listed))
    outputs = []
    for paths in (photos, [str(folder)], [f"{folder}/*.jpg"], ["-"]):
        assert main(["classify", str(tiny_run.bundle.path), *paths, "--csv"]) == 0, paths
        outputs.append(capsys.readouterr().out)
    assert len(outputs[0].splitlines()) == 1 + 3 * len(photos)
    assert len(set(outputs)) == 1


@pytest.mark.tf
def test_classify__a_reader_that_has_seen_enough_is_no_error(tiny_run: TrainingResult) -> None:
    words = ["classify", tiny_run.bundle.path, tiny_run.findings.data.image_dir]
    command = shlex.join([sys.executable, "-m", "bricksight", *map(str, words)])
    run = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} | head -n 1"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert len(run.stdout.splitlines()) == 1
    assert run.stderr == ""


# Figures.


@pytest.mark.tf
def test_evaluate__some_classes_are_enough(
    tiny_run: TrainingResult, photo_folder: Path, capsys: Captured
) -> None:
    shutil.rmtree(photo_folder / "red")
    assert main(["evaluate", str(tiny_run.bundle.path), "photos", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["num_images"] == 16


# The cache.


@pytest.fixture
def cached() -> Path:
    """A cache with the features of two networks, the second not used for 40 days."""
    path = default_cache_path()
    for reference, age_days in (("keras:MobileNetV2", 0), ("keras:ResNet50", 40)):
        with FeatureCache(
            path, fingerprint=reference, input_key="224x224", reference=reference, num_features=3
        ) as cache:
            for photo in ("00" * 32, "11" * 32):
                cache.put(photo, {"plain": np.ones(3, np.float32)})
            cache._connection.execute(
                "UPDATE modules SET last_used = last_used - ? WHERE reference = ?",
                (age_days * 86_400, reference),
            )
    return path


@pytest.mark.parametrize("words", [["cache"], ["cache", "list"]])
def test_cache__shows_a_line_a_network(words: list[str], cached: Path, capsys: Captured) -> None:
    assert main(words) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    heading, first, second, last = printed.out.splitlines()
    assert heading.split()[0] == "Network"
    assert first.split()[:3] == ["keras:MobileNetV2", "224x224", "2"]
    assert second.split()[0] == "keras:ResNet50"
    assert last == str(cached)


def test_cache__a_long_reference_is_shown_whole(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    reference = "https://tfhub.dev/google/imagenet/mobilenet_v2_100_224/feature_vector/" + "3" * 40
    with FeatureCache(
        default_cache_path(),
        fingerprint="f",
        input_key="224x224",
        reference=reference,
        num_features=3,
    ) as cache:
        cache.put("00" * 32, {"plain": np.ones(3, np.float32)})
    assert main(["cache"]) == 0
    assert reference in capsys.readouterr().out


def test_cache__an_absent_one_is_empty(capsys: Captured) -> None:
    assert main(["cache"]) == 0
    assert "The cache is empty." in capsys.readouterr().out
    assert not default_cache_path().exists()
    assert main(["cache", "prune", "--all"]) == 0


@pytest.mark.parametrize(
    ("words", "left"),
    [
        (["--older_than_days", "30"], ["keras:MobileNetV2"]),
        (["--older-than-days=50"], ["keras:MobileNetV2", "keras:ResNet50"]),
        (["--all"], []),
    ],
)
def test_cache_prune__deletes_what_is_named(
    words: list[str], left: list[str], cached: Path, capsys: Captured
) -> None:
    assert main(["cache", "prune", *words]) == 0
    assert f"features of {4 - 2 * len(left)} views" in capsys.readouterr().out
    assert [entry.reference for entry in list_entries(cached)] == left

"""The options of ``train`` and ``retrain``: which there are, what they default to, what they do."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from bricksight.cli import main, make_app
from bricksight.cli._next import as_words, shown
from bricksight.cli.commands import retrain as retrain_command
from bricksight.cli.commands import train as train_command
from bricksight.config import TrainingConfig

Captured = pytest.CaptureFixture[str]

RETRAIN_PY: dict[str, Any] = {
    "image_dir": None,
    "output_graph": "/tmp/output_graph.pb",
    "intermediate_output_graphs_dir": "/tmp/intermediate_graph/",
    "intermediate_store_frequency": 0,
    "output_labels": "/tmp/output_labels.txt",
    "summaries_dir": "/tmp/retrain_logs",
    "how_many_training_steps": 4000,
    "learning_rate": 0.01,
    "testing_percentage": 10,
    "validation_percentage": 10,
    "eval_step_interval": 10,
    "train_batch_size": 100,
    "test_batch_size": -1,
    "validation_batch_size": 100,
    "print_misclassified_test_images": False,
    "bottleneck_dir": "/tmp/bottleneck",
    "final_tensor_name": "final_result",
    "flip_left_right": False,
    "random_crop": 0,
    "random_scale": 0,
    "random_brightness": 0,
    "tfhub_module": "https://tfhub.dev/google/imagenet/inception_v3/feature_vector/3",
    "saved_model_dir": "",
    "logging_verbosity": "INFO",
    "checkpoint_path": "/tmp/_retrain_checkpoint",
}
"""The flags of retrain.py and their defaults."""

OTHER_DEFAULTS = {
    "tfhub_module": "auto",  # needs no download
    "saved_model_dir": None,
    "intermediate_output_graphs_dir": "intermediate_graph",
}
"""Defaults that differ on purpose, beside the files under /tmp."""

ADDED = {"out", "resume", "trust", "layout"}
"""Options that retrain.py did not have; docs/reference/retrain.md says why."""


def options_shown(command: str, flag: str, capsys: Captured, columns: int) -> tuple[str, set[str]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(columns))
        assert main([command, flag]) == 0
    shown = capsys.readouterr().out
    return shown, set(re.findall(r"^│[ *]+--(\w+)", shown, flags=re.MULTILINE))


def test_retrain__has_the_25_flags_of_retrain_py(capsys: Captured) -> None:
    shown, options = options_shown("retrain", "--help", capsys, 120)
    assert len(RETRAIN_PY) == 25
    assert options == set(RETRAIN_PY) | ADDED
    assert "More options" not in shown


def test_retrain__has_the_defaults_of_retrain_py() -> None:
    for option in dataclasses.fields(retrain_command.RetrainOptions):
        name = retrain_command.NAMES.get(option.name, option.name)
        if name == "image_dir" or name in ADDED:
            continue
        expected = OTHER_DEFAULTS.get(name, RETRAIN_PY[name])
        if str(expected).startswith("/tmp/"):
            expected = None
        default = option.default
        same = default == expected if expected is None else str(default) == str(expected)
        assert same, name


@pytest.mark.parametrize(
    ("words", "gradient_descent"),
    [
        (["retrain", "--image_dir", "photos"], True),
        (["retrain", "--image_dir", "photos", "--random_crop", "5"], True),
        (["train", "photos"], False),
        (["train", "photos", "--random_crop", "5", "--recipe", "fast"], False),
    ],
)
def test_command__a_flag_of_one_does_not_change_the_training_of_the_other(
    words: list[str], gradient_descent: bool
) -> None:
    _, bound, _ = make_app(words[0]).parse_args(words, exit_on_error=False)
    command = {"train": train_command, "retrain": retrain_command}[words[0]]
    bound.apply_defaults()
    config: TrainingConfig = command.training_config(*bound.args, **bound.kwargs)
    head = config.head
    assert head.uses_gradient_descent is gradient_descent
    steps = (head.how_many_training_steps, head.learning_rate, head.train_batch_size)
    assert steps == ((4000, 0.01, 100) if gradient_descent else (None, None, None))


def test_train__help_is_one_screen_with_what_matters_and_one_line_on_the_rest(
    capsys: Captured,
) -> None:
    shown, options = options_shown("train", "--help", capsys, 80)
    lines = shown.splitlines()
    assert len(lines) <= 50
    assert max(map(len, lines)) <= 80
    assert {"out", "recipe", "time_budget", "backbone", "group_by", "tta", "unknown_dir"} < options
    assert {"rejection_rate", "seed", "resume", "json", "quiet", "verbose"} < options
    assert len(options) == 13
    assert lines[-1] == "More options: bricksight train --help-all"


@pytest.mark.parametrize("command", ["train", "crossval"])
@pytest.mark.parametrize("columns", [80, 120])
def test_help_all__explains_every_option_in_a_panel(
    command: str, columns: int, capsys: Captured
) -> None:
    shown, options = options_shown(command, "--help-all", capsys, columns)
    assert "[default: False]" not in shown
    assert "[default: None]" not in shown
    assert max(map(len, shown.splitlines())) <= columns
    assert "More options" not in shown
    _, few = options_shown(command, "--help", capsys, columns)
    assert few < options
    assert {"patience", "mixup", "random_rotation", "mask_dir", "head"} < options
    assert not options & {"how_many_training_steps", "learning_rate", "train_batch_size"}
    titles = re.findall(r"^╭─ (.+?) ─+╮$", shown, flags=re.MULTILINE)
    assert titles[:2] == ["Arguments", "Options"]
    assert all(title.startswith("Advanced: ") for title in titles[2:])


@pytest.mark.parametrize("command", ["train", "retrain", "crossval"])
def test_help__every_option_has_help(command: str, capsys: Captured) -> None:
    shown, options = options_shown(command, "--help-all", capsys, 200)
    for name in options:
        assert re.search(rf"--{name}( [A-Z]+)?  +[\"\w]", shown), name


@pytest.mark.parametrize("word", ["--help-all", "--help_all"])
def test_help_all__is_understood_with_dashes_and_underscores(word: str, capsys: Captured) -> None:
    assert main(["train", word]) == 0
    assert "--patience" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("shell", "file"),
    [
        ("bash", ".local/share/bash-completion/completions/bricksight"),
        ("fish", ".config/fish/completions/bricksight.fish"),
    ],
)
def test_install_completion__writes_a_script_with_commands_and_options(
    shell: str, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert main(["--install-completion", "--shell", shell]) == 0
    assert file in capsys.readouterr().out
    script = (tmp_path / file).read_text(encoding="utf-8")
    assert "crossval" in script
    assert "rejection_rate" in script


def test_commands_to_paste__have_short_quoted_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert shown(tmp_path / "my photos") == "'my photos'"
    assert shown(Path("-x")) == "./-x"
    assert shown(tmp_path.parent / "else") == str(tmp_path.parent / "else")
    options = train_command.TrainOptions(
        recipe="best", resume=True, unknown_dir=tmp_path / "a b", group_by="(.*)_", json=True
    )
    words = as_words(options, ["recipe", "resume", "unknown_dir", "group_by", "reference", "out"])
    assert words == " --recipe best --group_by '(.*)_' --unknown_dir 'a b' --resume"

"""The command line: words in, exit code out.

Exit codes: 0 success, 1 an error that the user can fix, 2 wrong usage, 130 Ctrl-C, 143 SIGTERM. To
add a command, write a file in ``commands/`` with a function, whose docstring is the help, and add a
line to ``COMMANDS``.
"""

import errno
import shlex
import sys
from collections.abc import Sequence

import cyclopts

from bricksight._support.text import message_lines
from bricksight._version import __version__
from bricksight.cli._help import HELP_ALL, default_shown, formatter
from bricksight.cli._output import note, prepare_streams
from bricksight.cli._process import (
    ending_cleanly,
    exit_code_of,
    flush_stdout,
    silence_stdout,
    stdout_fails,
)
from bricksight.cli._values import STDIN, take_values
from bricksight.errors import BricksightError, ConfigError, PackError

COMMANDS = {
    "demo": ("demo:demo", "Train on sample photos and classify one of them."),
    "sample": ("sample:sample", "Write sample photos to try bricksight with."),
    "check": ("check:check", "Check a folder of photos before training."),
    "train": ("train:train", "Train a classifier on a folder of photos."),
    "classify": ("classify:classify", "Classify photos."),
    "evaluate": ("evaluate:evaluate", "Measure the accuracy of a model on a folder of photos."),
    "crossval": ("crossval:crossval", "Measure by cross-validation how accurate a training is."),
    "export": ("export:export", "Write a model in other formats: TFLite, ONNX, ..."),
    "benchmark": ("benchmark:benchmark", "Compare speed, size and accuracy of model files."),
    "camera": ("camera:camera", "Classify a live camera or a video."),
    "backbones": ("backbones:app", "List pretrained backbones, or describe one."),
    "retrain": ("retrain:retrain", "Train with the flags of TensorFlow Hub's retrain.py."),
    "cache": ("cache:app", "List and prune cached features."),
}
"""Name of a command → its function in ``commands/``, imported on use, and its line in the list.

Packs add commands but cannot replace these.
"""

_INSTALL_COMPLETION = "--install-completion"


def make_app(command: str = "", *, show_advanced: bool = False) -> cyclopts.App:
    """Return the application. No command is imported yet.

    Args:
        command: the command to run. Its help is its docstring, not its line in the list.
        show_advanced: whether its help shows the advanced options.
    """
    app = cyclopts.App(
        name="bricksight",
        version=__version__,
        help="Train your own image classifier on a folder of photos, one sub-folder per class.\n\n"
        "Start with `bricksight demo` or `bricksight train PHOTOS`.",
        # retrain.py's spelling in the help; dashes and underscores are both understood.
        default_parameter=cyclopts.Parameter(
            name_transform=_as_typed,
            negative=(),
            show_default=default_shown,
            json_list=False,  # a path may begin with a bracket
        ),
        help_formatter=formatter(command, show_advanced=show_advanced),
        config=(take_values, _refuse_fractions),
        result_action="return_value",
        suppress_keyboard_interrupt=False,  # main answers it
    )
    for order, (name, (target, summary)) in enumerate(COMMANDS.items()):
        shown = None if name == command else summary
        app.command(f"bricksight.cli.commands.{target}", name=name, sort_key=order, help=shown)
    app.command(
        "bricksight.cli.commands.completion:install_completion",
        name=_INSTALL_COMPLETION,
        help="Install completion of commands and options for your shell.",
    )
    if command not in (*COMMANDS, "--version"):
        _add_commands_of_packs(app, command)
    return app


def _add_commands_of_packs(app: cyclopts.App, command: str) -> None:
    """Add the commands of packs to the list, and import the one that will run."""
    from bricksight.packs import find_commands  # importlib.metadata takes a while

    for name, found in find_commands().items():
        if name in COMMANDS:
            continue
        if name == command:
            app.command(found.load(), name=name)
        else:
            app.command(found.target, name=name, sort_key=len(COMMANDS), help=found.summary)


def _as_typed(name: str) -> str:
    return name.removesuffix("_")  # as in for_, which would be a keyword of Python


def _refuse_fractions(
    app: cyclopts.App, commands: Sequence[str], arguments: cyclopts.ArgumentCollection
) -> None:
    """Raise ConfigError for 2.5 as a whole number; cyclopts would round it."""
    for argument in arguments:
        for token in argument.tokens:
            if argument.hint in (int, int | None) and _is_fraction(token.value):
                raise ConfigError(f"{token.keyword} is {token.value}; it must be a whole number.")


def _is_fraction(text: str) -> bool:
    try:
        return not float(text).is_integer()
    except ValueError:
        return False


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        argv: the words after ``bricksight``, ``sys.argv[1:]`` by default.
    """
    prepare_streams()
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["classify"]:  # cyclopts takes a single dash for an option
        words = [STDIN if word == "-" else word for word in words]
    try:
        with ending_cleanly():
            code = _run(words)
            flush_stdout()
    except KeyboardInterrupt as stop:
        return _fail(" ".join(["Interrupted.", *map(str, stop.args)]), exit_code_of(stop))
    except BrokenPipeError:
        silence_stdout()
        return 0  # the reader, such as `head`, closed the pipe
    except OSError as error:
        return _fail_by_system(error)
    except SystemExit as stop:
        if not isinstance(stop.__context__, BrokenPipeError):
            raise
        silence_stdout()
        return 0  # the same from rich, which would exit with 1
    return code


def _run(words: Sequence[str]) -> int:
    """Run a command, print its error if it has one, and return the exit code."""
    show_advanced = any(_is_help_all(word) for word in words)
    words = ["--help" if _is_help_all(word) else word for word in words]
    try:
        app = make_app("".join(words[:1]), show_advanced=show_advanced)
    except PackError as error:
        return _fail(str(error), 1)
    try:
        code = app(words, exit_on_error=False, print_error=False)
    except (cyclopts.CycloptsError, ConfigError) as error:
        command = " ".join(["bricksight", *app.parse_commands(words)[0]])
        code = _fail(_explain(error, command), 2)
        note(f"See `{command} --help`.")
        return code
    except BricksightError as error:
        return _fail(str(error), 1)
    return code if isinstance(code, int) else 0


def _is_help_all(word: str) -> bool:
    return word.replace("_", "-") == HELP_ALL


def _fail_by_system(error: OSError) -> int:
    """Print an error of the operating system in one line. Other errors are bugs and are raised."""
    reason, where = error.strerror or str(error), error.filename2 or error.filename
    # An error of any other full disk has a file name.
    if stdout_fails() or (where is None and error.errno == errno.ENOSPC):
        silence_stdout()
        return _fail(f"stdout cannot be written ({reason}).", 1)
    if error.errno is None:
        raise error
    return _fail(reason if where is None else f"{where}: {reason}", 1)


def _explain(error: Exception, command: str) -> str:
    """Return the message for wrong usage."""
    text = str(error).rstrip()
    name = command.removeprefix("bricksight ")
    if isinstance(error, cyclopts.UnusedCliTokensError):
        words = shlex.join(error.unused_tokens or [])
        return f"{name} does not understand: {words}"
    if isinstance(error, cyclopts.UnknownOptionError):
        from bricksight.cli._hints import hint

        option = error.token.keyword or error.token.value
        if told := hint(name, option):
            return f"Unknown option: {option}. {told}"
    if isinstance(error, cyclopts.MissingArgumentError) and error.argument is not None:
        what = (
            f"{error.keyword} needs a value"
            if error.keyword
            else f"{error.argument.name} is missing"
        )
        _, question, nearest = text.partition(" Did you mean ")
        return f"{what}.{question}{nearest}"
    return text


def _fail(message: str, code: int) -> int:
    note(*message_lines(f"bricksight: {message}"))
    return code

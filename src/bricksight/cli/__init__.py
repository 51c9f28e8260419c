"""The command line: text in, exit code out.

0 is success, 1 a problem that the user can fix, 2 a command that cannot be understood, 130 an
interruption, 143 SIGTERM. To add a command: a file with a function whose docstring is the help, and
a line in ``COMMANDS``.
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
    "demo": ("demo:demo", "The whole job on sample photos."),
    "sample": (
        "sample:sample",
        "Write a small data set to try everything with.",
    ),
    "check": (
        "check:check",
        "Look at a folder of photos before training on it.",
    ),
    "train": ("train:train", "Train a classifier on a folder of photos."),
    "classify": ("classify:classify", "Say what is on photos."),
    "evaluate": (
        "evaluate:evaluate",
        "Measure a model on a folder of photos.",
    ),
    "crossval": (
        "crossval:crossval",
        "Measure a recipe on photos that it has not seen.",
    ),
    "export": ("export:export", "Write a model in other formats."),
    "benchmark": (
        "benchmark:benchmark",
        "Compare speed, size and accuracy of model files.",
    ),
    "camera": ("camera:camera", "Say what a camera or a video shows, live."),
    "backbones": ("backbones:app", "List and describe pretrained networks."),
    "retrain": ("retrain:retrain", "Train with the flags of TensorFlow Hub's retrain.py."),
    "cache": ("cache:app", "Show and prune what is kept between runs."),
}
"""Command → what runs it, in ``commands/`` and imported on use, and its line in the list.

Packs add theirs; none can replace one of these.
"""


def make_app(command: str = "", *, show_advanced: bool = False) -> cyclopts.App:
    """Return the application. No command is imported yet.

    Args:
        command: the command to run. Its help is its docstring, not its line in the list.
        show_advanced: whether its help shows the advanced options.
    """
    app = cyclopts.App(
        name="bricksight",
        version=__version__,
        help="Train your own image classifier from a folder of photos, one sub-folder a class.\n\n"
        "Begin with `bricksight demo`, or `bricksight train PHOTOS`.",
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
    if command not in (*COMMANDS, "--version"):
        _add_commands_of_packs(app, command)
    return app


def _add_commands_of_packs(app: cyclopts.App, command: str) -> None:
    """Adds the commands of packs to the list, and imports the one that will be run."""
    from bricksight.packs import find_commands  # importlib.metadata takes a while

    for name, found in find_commands().items():
        if name in COMMANDS:
            continue
        if name == command:
            app.command(found.load(), name=name)
        else:
            app.command(found.target, name=name, sort_key=len(COMMANDS), help=found.summary)


def _as_typed(name: str) -> str:
    return name.removesuffix("_")  # of a field that would be a word of Python's, such as for_


def _refuse_fractions(
    app: cyclopts.App, commands: Sequence[str], arguments: cyclopts.ArgumentCollection
) -> None:
    """Refuses 2.5 where a whole number is wanted; cyclopts would round it."""
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
    """Runs one command and returns its exit code.

    Args:
        argv: the words after ``bricksight``, ``sys.argv[1:]`` by default.
    """
    prepare_streams()
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["classify"]:  # cyclopts takes a lone dash for an option without a name
        words = [STDIN if word == "-" else word for word in words]
    try:
        with ending_cleanly():
            code = _run(words)
            flush_stdout()
    except KeyboardInterrupt as stop:
        return _fail(" ".join(["Interrupted.", *map(str, stop.args)]), exit_code_of(stop))
    except BrokenPipeError:
        silence_stdout()
        return 0  # the reader, such as `head`, has seen enough
    except OSError as error:
        return _fail_by_system(error)
    except SystemExit as stop:
        if not isinstance(stop.__context__, BrokenPipeError):
            raise
        silence_stdout()
        return 0  # the same, by rich, which wants to end with 1
    return code


def _run(words: Sequence[str]) -> int:
    """Returns the exit code of the command; what the user can fix is told."""
    show_advanced = HELP_ALL in words
    words = ["--help" if word == HELP_ALL else word for word in words]
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


def _fail_by_system(error: OSError) -> int:
    """Tells in one line what the system has refused; what it has not is a fault of ours."""
    reason, where = error.strerror or str(error), error.filename2 or error.filename
    # Every other place that is full has a name by now.
    if stdout_fails() or (where is None and error.errno == errno.ENOSPC):
        silence_stdout()
        return _fail(f"stdout cannot be written ({reason}).", 1)
    if error.errno is None:
        raise error
    return _fail(reason if where is None else f"{where}: {reason}", 1)


def _explain(error: Exception, command: str) -> str:
    """Return the message of an error in what was typed."""
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

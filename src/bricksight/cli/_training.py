"""Run a training for a command, and print its result."""

from bricksight.cli._console import ConsoleReporter, show_log
from bricksight.cli._output import say, say_json
from bricksight.cli._result import print_misclassified, print_result, result_json
from bricksight.config import TrainingConfig, Verbosity
from bricksight.training import train


def run_training(
    config: TrainingConfig,
    *,
    log_level: Verbosity,
    lines: bool = True,
    verbose: bool = False,
    json: bool = False,
    quiet: bool = False,
) -> int:
    """Train, print the result, and return the exit code.

    Args:
        config: settings of the training.
        log_level: lowest level of log messages that are shown.
        lines: whether progress is shown as lines where stderr is no terminal.
        verbose: show lines on a terminal too, instead of a bar.
        json: print one JSON object.
        quiet: print the folder of the bundle only.
    """
    show_log(log_level)
    result = train(
        config, reporter=ConsoleReporter(quiet=quiet or json, lines=lines, verbose=verbose)
    )
    if config.output.print_misclassified_test_images and not json:
        print_misclassified(result)
    if json:
        say_json(result_json(result))
    elif quiet:
        say(str(result.bundle.path))
    else:
        print_result(result)
    return 0

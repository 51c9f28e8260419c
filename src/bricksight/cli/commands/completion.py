"""``bricksight --install-completion``: completion of commands and options in the shell."""

from typing import Literal

from bricksight.cli._output import say
from bricksight.errors import ConfigError


def install_completion(*, shell: Literal["bash", "zsh", "fish", "powershell"] | None = None) -> int:
    """Install completion of commands and options for your shell.

    Args:
        shell: By default the shell that runs the command.
    """
    from cyclopts.completion.detect import ShellDetectionError

    from bricksight.cli import make_app

    try:
        path = make_app().install_completion(shell=shell)
    except ShellDetectionError:
        raise ConfigError(
            "The shell cannot be detected. Name it: bricksight --install-completion --shell bash"
        ) from None
    say(f"Installed completion in {path}. Open a new terminal to use it.")
    return 0

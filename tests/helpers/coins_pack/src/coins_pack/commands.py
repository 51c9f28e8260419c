"""The command of the pack."""

from bricksight.cli.for_packs import say


def mint(value: int, /) -> int:
    """Make coins.

    Args:
        value: How many cents each is worth.
    """
    say(f"A coin of {value} cents.")
    return 0

"""What can be wrong with a library of parts."""

from bricksight.errors import BricksightError


class LDrawError(BricksightError):
    """A library of LDraw parts was not found, or a file of it cannot be read as it should."""

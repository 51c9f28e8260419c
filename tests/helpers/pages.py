"""The blocks of code on the pages of the documentation."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"])
MEASUREMENTS = sorted((ROOT / "benchmarks").rglob("*.md"))
SHELLS = ("bash", "powershell")

_BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>[^\n]*) -->\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
_NOT_RUN, _ADDS, _OUTPUT = "not run: ", "test adds: ", "output of: "


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        language: What stands after the fence.
        text: What is in it.
        reason: Why the test does not run it; empty if it does.
        added: Options that the test adds to its commands, for speed.
    """

    language: str
    text: str
    reason: str = ""
    added: str = ""

    @property
    def lines(self) -> list[str]:
        """The commands of a shell, those over several lines joined."""
        joined = self.text.replace("\\\n", " ")
        return [line.strip() for line in joined.splitlines() if line.strip()]


def blocks_of(page: Path) -> list[Block]:
    """Returns the blocks of a page in order; a mark that is not known is an error."""
    found = []
    for match in _BLOCK.finditer(page.read_text(encoding="utf-8")):
        mark = match["mark"] or ""
        if mark and not mark.startswith((_NOT_RUN, _ADDS, _OUTPUT)):
            raise ValueError(f"{page}: {mark!r} is none of the marks of a block")
        found.append(
            Block(
                match["language"],
                match["text"],
                reason=mark.removeprefix(_NOT_RUN) if mark.startswith(_NOT_RUN) else "",
                added=mark.removeprefix(_ADDS) if mark.startswith(_ADDS) else "",
            )
        )
    return found


def commands_in(line: str) -> Iterator[list[str]]:
    """Yields the words after ``bricksight`` of each call in a line of a shell."""
    for call in re.findall(r"(?:^|[|&] *)(?:[\w./]*/)?bricksight ([^|&>#]*)", line):
        yield shlex.split(call)

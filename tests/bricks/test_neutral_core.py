"""The core knows nothing about bricks: not in its code, its help texts, its messages."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import bricksight
from bricksight.cli import COMMANDS, main

CORE = Path(bricksight.__file__).parent
TEXT = {".py", ".html", ".j2", ".css", ".js", ".json", ".md", ".txt"}
OURS = re.compile(r"bricksight", re.IGNORECASE)
DOMAIN = re.compile(
    r"brick|\blego|ldraw|minifig|\bwedges?\b|part[ _]?number|\bstuds?\b|\b(?:conveyor )?belts?\b"
    r"|\bwhere (?:the )?parts?\b|\bparts of photos\b",
    re.IGNORECASE,
)
HELP = re.compile(rf"{DOMAIN.pattern}|\bparts\b", re.IGNORECASE)


def lines_of_the_core() -> Iterator[tuple[str, str]]:
    """Yields where a line is, and the line without the project's own name."""
    for path in sorted(CORE.rglob("*")):
        own = path.relative_to(CORE)
        if own.parts[0] == "bricks" or path.suffix not in TEXT:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            yield f"{own.as_posix()}:{number}", OURS.sub("", line)


def test_core__has_no_word_of_bricks() -> None:
    lines = list(lines_of_the_core())
    assert len(lines) > 10_000
    assert [f"{place} {line.strip()}" for place, line in lines if DOMAIN.search(line)] == []


@pytest.mark.parametrize("word", ["a brick", "LEGO", "LDraw", "part number", "the belt", "studs"])
def test_core__such_words_would_be_found(word: str) -> None:
    assert DOMAIN.search(word)
    assert not DOMAIN.search("a part of the bundle, multipart, student, belted".replace(word, ""))


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_help__has_no_word_of_bricks(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert len(shown) > 100
    assert HELP.findall(OURS.sub("", shown)) == []

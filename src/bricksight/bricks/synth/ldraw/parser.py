"""The lines of an LDraw file, read once into arrays.

File format 1.0.2 (ldraw.org/article/218), the extensions for back face culling (article 415) and
for several files in one (MPD, article 47). Texture lines (``0 !:``) are comments to us, so that
the plain fallback beside them is what is drawn.
"""

import re
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from bricksight._support.text import shortened
from bricksight.bricks.synth.ldraw.errors import LDrawError
from bricksight.bricks.synth.ldraw.surface.polygons import split_quads

OWN_COLOUR = 16
"""The colour code that stands for the colour of whatever refers to the file."""

MAX_SHAPES = 500_000
"""Triangles, lines and references of a file, and of a part with all that it refers to; the largest
of 644 official ones has 29,000 triangles."""
FURTHEST = 1e8
"""LDU, 40 km; no coordinate is that far out."""

_HIGHEST_CODE = 0x3FFFFFF
_MAX_LINE = 10_000
_LINE = re.compile(r"([^\r\n]*)(?:\r\n|\r|\n|\Z)")
_NUM_NUMBERS = {2: 6, 3: 9, 4: 12, 5: 12}


@dataclass(frozen=True)
class Reference:
    r"""A line of type 1: another file, placed by ``linear @ point + offset``.

    Attributes:
        name: The file as written, such as ``s\3001s01.dat``.
        colour: Takes the place of colour 16 in it.
        linear: float64, (3, 3).
        offset: float64, (3,), in LDU.
        inverted: ``0 BFC INVERTNEXT`` stands before it.
        trusted: The winding of this file is certified at this line.
        line: Line number, from 1.
    """

    name: str
    colour: int
    linear: np.ndarray
    offset: np.ndarray
    inverted: bool
    trusted: bool
    line: int


@dataclass(frozen=True)
class LDrawFile:
    """What one file says; sub-files are named, not read.

    Attributes:
        name: Where it lies, for messages; unlike any other file's.
        title: First line, blanks put together.
        kind: Type from ``0 !LDRAW_ORG``, lower case: "part", "subpart", "primitive"…; else "".
        category: From ``0 !CATEGORY``; else the first word of the title.
        keywords: From ``0 !KEYWORDS``.
        references: The lines of type 1.
        triangles: float64, (num_triangles, 3, 3), in LDU, counter-clockwise; quadrilaterals split.
        colours: int32, (num_triangles,).
        trusted: bool, (num_triangles,): the winding is certified.
        edges: float64, (num_edges, 2, 3): lines of type 2.
        smooth_edges: float64, (num_smooth_edges, 2, 3): lines of type 5, without control points.
    """

    name: str
    title: str
    kind: str
    category: str
    keywords: tuple[str, ...]
    references: tuple[Reference, ...]
    triangles: np.ndarray
    colours: np.ndarray
    trusted: np.ndarray
    edges: np.ndarray
    smooth_edges: np.ndarray

    @property
    def is_part(self) -> bool:
        """Whether it is a whole part, which nobody may turn inside out (BFC extension)."""
        return self.kind.removeprefix("unofficial_") in ("part", "shortcut")

    @property
    def is_primitive(self) -> bool:
        """Whether it is a building block that many parts share."""
        return "primitive" in self.kind

    @property
    def stands_for(self) -> str | None:
        """Name of the file that a ``~Moved to`` or alias (``=``) file leads to, if it is one."""
        moved = self.title.lower().startswith("~moved to") or self.title.startswith("=")
        alone = len(self.references) == 1 and not len(self.triangles)
        return self.references[0].name if moved and alone else None


def split_sections(text: str) -> dict[str, tuple[int, str]]:
    """Returns the files inside an MPD: name → (number of lines before it, text), in order.

    Empty if there is no ``0 FILE`` line. Lines before the first, and from ``0 NOFILE`` to the
    next, belong to no file.
    """
    sections: dict[str, tuple[int, list[str]]] = {}
    current: list[str] | None = None
    for number, line in enumerate(_lines(text), start=1):
        words = line.split(maxsplit=2)
        keyword = words[1].upper() if len(words) > 1 and words[0] == "0" else ""
        if keyword == "FILE" and len(words) > 2:
            current = []
            # The first of two sections with one name counts, as the first file of a search does.
            sections.setdefault(words[2].strip(), (number, current))
        elif keyword in ("NOFILE", "!DATA"):
            current = None
        elif current is not None:
            current.append(line)
    return {name: (before, "\n".join(lines)) for name, (before, lines) in sections.items()}


def parse(text: str, name: str, *, lines_before: int = 0) -> LDrawFile:
    """Returns the content of a file.

    Args:
        text: The whole file, with any line ends.
        name: Where it lies, for messages.
        lines_before: Added to line numbers, for a section of an MPD.

    Raises:
        LDrawError: a line is malformed.
    """
    return _Parser(name, lines_before).read(text)


def _lines(text: str) -> Iterator[str]:
    # Not str.splitlines: it also cuts at characters that may stand in a comment. One at a time: a
    # file of nothing but line ends would fill the memory with its lines.
    return (found[1] for found in _LINE.finditer(text))


@dataclass
class _Parser:
    name: str
    line: int
    title: str | None = None
    kind: str = ""
    category: str = ""
    keywords: list[str] = field(default_factory=list)
    certified: bool | None = None
    clockwise: bool = False
    clip: bool = True
    invert_next: bool = False
    references: list[Reference] = field(default_factory=list)
    shapes: "dict[int, array[float]]" = field(
        default_factory=lambda: {line_type: array("d") for line_type in _NUM_NUMBERS}
    )
    num_shapes: int = 0
    colours: dict[int, list[int]] = field(default_factory=lambda: {2: [], 3: [], 4: [], 5: []})
    trusted: dict[int, list[bool]] = field(default_factory=lambda: {2: [], 3: [], 4: [], 5: []})

    def read(self, text: str) -> LDrawFile:
        for line in _lines(text):
            self.line += 1
            if len(line) > _MAX_LINE:
                raise self._error(f"{len(line):,} characters", f"a line of at most {_MAX_LINE:,}")
            words = line.split()
            if not words:
                continue
            if words[0] == "0":
                self._meta(line, words)
            elif words[0] == "1":
                self._count()
                self._reference(line, words)
            elif words[0] in ("2", "3", "4", "5"):
                self._count()
                self._shape(int(words[0]), words)
            else:
                raise self._error(
                    f"it starts with {words[0]!r}",
                    "a line type from 0 to 5, then a colour and coordinates",
                )
            if self.title is None:
                self.title = ""
        return self._result()

    def _count(self) -> None:
        self.num_shapes += 1
        if self.num_shapes > MAX_SHAPES:
            raise self._error(
                f"more than {MAX_SHAPES:,} triangles, lines and references", "a smaller file"
            )

    def _meta(self, line: str, words: list[str]) -> None:
        handle = _META.get(words[1].upper()) if len(words) > 1 else None
        if handle is not None:
            handle(self, line, words[2:])
        elif self.title is None:
            self.title = " ".join(words[1:])

    def _bfc(self, _: str, options: list[str]) -> None:
        names = {option.upper() for option in options}
        if "NOCERTIFY" in names:
            self.certified = False
        elif self.certified is None and names:
            self.certified = True
        if names & {"CW", "CCW"}:
            self.clockwise = "CW" in names
        if names & {"CLIP", "NOCLIP"}:
            self.clip = "CLIP" in names
        if "INVERTNEXT" in names:
            self.invert_next = True

    def _organisation(self, _: str, options: list[str]) -> None:
        self.kind = self.kind or (options[0].lower() if options else "")

    def _category(self, _: str, options: list[str]) -> None:
        self.category = " ".join(options)

    def _keywords(self, line: str, _: list[str]) -> None:
        words = line.split(maxsplit=2)[2:]
        self.keywords += [
            word.strip() for text in words for word in text.split(",") if word.strip()
        ]

    def _reference(self, line: str, words: list[str]) -> None:
        if len(words) < 15:
            raise self._error(
                f"a line of type 1 with {len(words)} words",
                "'1 colour x y z a b c d e f g h i file', 15 words",
            )
        numbers = np.array(self._numbers(words[2:14]))
        self.references.append(
            Reference(
                name=line.split(maxsplit=14)[14].strip(),
                colour=self._colour(words[1]),
                linear=numbers[3:].reshape(3, 3),
                offset=numbers[:3],
                inverted=self.invert_next,
                trusted=self._winding_known(),
                line=self.line,
            )
        )
        self.invert_next = False

    def _shape(self, line_type: int, words: list[str]) -> None:
        expected = _NUM_NUMBERS[line_type]
        if len(words) != expected + 2:
            raise self._error(
                f"a line of type {line_type} with {len(words) - 2} numbers after the colour",
                f"{expected} numbers: {expected // 3} points",
            )
        numbers = self._numbers(words[2:])
        if line_type in (3, 4) and self.clockwise:
            numbers = [
                number for i in range(len(numbers) - 3, -1, -3) for number in numbers[i : i + 3]
            ]
        self.shapes[line_type].extend(numbers)
        self.colours[line_type].append(self._colour(words[1]))
        self.trusted[line_type].append(self._winding_known())
        self.invert_next = False

    def _winding_known(self) -> bool:
        # A file must say so before its first drawing line; later it is too late.
        self.certified = bool(self.certified)
        return self.certified and self.clip

    def _numbers(self, words: list[str]) -> list[float]:
        try:
            numbers = list(map(float, words))
            # One sum instead of a look at each; it is not below the limit if one is no number.
            if sum(map(abs, numbers)) < FURTHEST:
                return numbers
        except ValueError:
            pass
        word = next(word for word in words if not _is_near(word))
        raise self._error(
            f"{word!r} where a coordinate belongs", f"a number of LDU below {FURTHEST:,.0f}"
        )

    def _colour(self, word: str) -> int:
        try:
            code = int(word, 16) if word[:2].lower() == "0x" else int(word)
        except ValueError:
            code = -1
        if not 0 <= code <= _HIGHEST_CODE:
            raise self._error(f"the colour {word!r}", "a colour code such as 4, or 0x2RRGGBB")
        return code

    def _error(self, found: str, expected: str) -> LDrawError:
        return LDrawError(
            f"{self.name}, line {self.line}: {shortened(found)}; expected {expected}. "
            "Correct the line, or fetch the file again."
        )

    def _result(self) -> LDrawFile:
        quads = _points(self.shapes[4], 4)
        from_quads, source, mended = split_quads(quads)
        trusted = np.array(self.trusted[4], dtype=bool) & ~mended
        colours = np.array(self.colours[4], dtype=np.int32)
        title = self.title or ""
        return LDrawFile(
            name=self.name,
            title=title,
            kind=self.kind,
            category=self.category or (title.lstrip("~=_| ").split() or [""])[0],
            keywords=tuple(self.keywords),
            references=tuple(self.references),
            triangles=np.concatenate([_points(self.shapes[3], 3), from_quads]),
            colours=np.concatenate([np.array(self.colours[3], dtype=np.int32), colours[source]]),
            trusted=np.concatenate([np.array(self.trusted[3], dtype=bool), trusted[source]]),
            edges=_points(self.shapes[2], 2),
            smooth_edges=_points(self.shapes[5], 4)[:, :2],
        )


_META: dict[str, Callable[[_Parser, str, list[str]], None]] = {
    "BFC": _Parser._bfc,
    "!LDRAW_ORG": _Parser._organisation,
    "LDRAW_ORG": _Parser._organisation,
    "!CATEGORY": _Parser._category,
    "!KEYWORDS": _Parser._keywords,
}


def _is_near(word: str) -> bool:
    try:
        return abs(float(word)) < FURTHEST / max(_NUM_NUMBERS.values())
    except ValueError:
        return False


def _points(numbers: "array[float]", num_points: int) -> np.ndarray:
    return np.array(numbers, dtype=np.float64).reshape(-1, num_points, 3)

"""LDraw's colours: ``LDConfig.ldr`` (ldraw.org/article/299) and direct colours (article 218)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from bricksight._support.text import shortened
from bricksight.bricks.synth.ldraw.errors import LDrawError

_FINISHES = ("CHROME", "PEARLESCENT", "RUBBER", "MATTE_METALLIC", "METAL")
_DIRECT = 0x2000000
_DIRECT_TRANSPARENT = 0x3000000


@dataclass(frozen=True)
class Grains:
    """Flakes or speckles in the plastic.

    Attributes:
        rgb: sRGB, 0 to 255.
        alpha: Opacity, 0 to 1.
        fraction: Share of the surface that is covered.
        volume_fraction: Share of the volume that is filled; 0 for speckles.
        min_size: Smallest, in LDU.
        max_size: Largest, in LDU.
    """

    rgb: tuple[int, int, int]
    alpha: float
    fraction: float
    volume_fraction: float
    min_size: float
    max_size: float


@dataclass(frozen=True)
class LDrawColour:
    """One colour of plastic.

    Attributes:
        code: The number that parts and models use.
        name: With underscores, as in ``LDConfig.ldr``.
        rgb: sRGB, 0 to 255.
        edge: sRGB of the edge lines in drawings, 0 to 255.
        alpha: Opacity, 0 to 1.
        luminance: Light of its own, 0 to 1.
        finish: "solid", "transparent" (no other finish and ``alpha`` below 1), "chrome",
            "pearlescent", "rubber", "matte_metallic", "metal", or the name of a MATERIAL in lower
            case: "glitter", "speckle", "fabric"…
        grains: For glitter and speckle.
    """

    code: int
    name: str
    rgb: tuple[int, int, int]
    edge: tuple[int, int, int]
    alpha: float = 1.0
    luminance: float = 0.0
    finish: str = "solid"
    grains: Grains | None = None


def parse_colours(text: str, name: str) -> dict[int, LDrawColour]:
    """Returns every colour that a configuration file defines, by code; the last one counts.

    Args:
        text: The whole file.
        name: Where it lies, for messages.

    Raises:
        LDrawError: a ``0 !COLOUR`` line is malformed.
    """
    colours: dict[int, LDrawColour] = {}
    edges: dict[int, tuple[int, int]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if [word.upper() for word in words[:2]] != ["0", "!COLOUR"]:
            continue
        try:
            colour, edge_code = _parse_colour(words[2:])
        except ValueError as error:
            raise _error(name, number, str(error)) from None
        colours[colour.code] = colour
        edges.pop(colour.code, None)
        if edge_code is not None:
            edges[colour.code] = number, edge_code
    # An edge may be another colour's code, also of one that comes later.
    for code, (number, edge_code) in edges.items():
        if edge_code not in colours:
            raise _error(name, number, f"EDGE names the colour {edge_code}, which is not defined")
        colours[code] = replace(colours[code], edge=colours[edge_code].rgb)
    return colours


def direct_colour(code: int) -> LDrawColour | None:
    """Returns the colour that a code spells out, 0x2RRGGBB or 0x3RRGGBB; ``None`` for others."""
    if not _DIRECT <= code < _DIRECT_TRANSPARENT + 0x1000000:
        return None
    rgb = _bytes(code & 0xFFFFFF)
    alpha = 1.0 if code < _DIRECT_TRANSPARENT else 0.5
    finish = "solid" if alpha == 1 else "transparent"
    return LDrawColour(code, f"0x{code:07X}", rgb, edge=rgb, alpha=alpha, finish=finish)


def _error(name: str, line: int, found: str) -> LDrawError:
    return LDrawError(
        f"{name}, line {line}: {shortened(found)}. "
        "Expected '0 !COLOUR name CODE x VALUE #RRGGBB "
        "EDGE #RRGGBB [ALPHA a] [LUMINANCE l] [finish]'. Correct the line, or fetch the file again."
    )


def _parse_colour(words: list[str]) -> tuple[LDrawColour, int | None]:
    """Returns the colour, and the code that its edge is given by, if it is.

    Raises:
        ValueError: saying what was found.
    """
    if not words:
        raise ValueError("the colour has no name")
    name, rest = words[0], iter(words[1:])
    tags: dict[str, str] = {}
    finish, material = "", {}
    for word in rest:
        tag = word.upper()
        if tag == "MATERIAL":
            finish, material = next(rest, "").lower(), _parse_material(rest)
            if not finish:
                raise ValueError("no word follows MATERIAL")
        elif tag in _FINISHES:
            finish = tag.lower()
        elif tag in ("CODE", "VALUE", "EDGE", "ALPHA", "LUMINANCE"):
            tags[tag] = _following(rest, tag)
        else:
            raise ValueError(f"{word!r} is no tag of a colour")
    for tag in ("CODE", "VALUE", "EDGE"):
        if tag not in tags:
            raise ValueError(f"{tag} is missing")
    alpha = _byte(tags, "ALPHA", 255) / 255
    edge_is_code = tags["EDGE"].isdecimal()
    colour = LDrawColour(
        code=_whole(tags["CODE"], "CODE"),
        name=name,
        rgb=_rgb(tags["VALUE"], "VALUE"),
        edge=(0, 0, 0) if edge_is_code else _rgb(tags["EDGE"], "EDGE"),
        alpha=alpha,
        luminance=_byte(tags, "LUMINANCE", 0) / 255,
        finish=finish or ("solid" if alpha == 1 else "transparent"),
        grains=_grains(material) if finish in ("glitter", "speckle") else None,
    )
    return colour, int(tags["EDGE"]) if edge_is_code else None


def _parse_material(rest: Iterator[str]) -> dict[str, str]:
    """Returns the parameters after MATERIAL, which runs to the end of the line.

    A word that takes no value (``FABRIC VELVET``) is kept with an empty one.
    """
    tags: dict[str, str] = {}
    for word in rest:
        tag = word.upper()
        takes_value = tag in (
            "VALUE", "ALPHA", "LUMINANCE", "FRACTION", "VFRACTION", "SIZE", "MINSIZE", "MAXSIZE",
        )  # fmt: skip
        tags[tag] = _following(rest, tag) if takes_value else ""
    return tags


def _grains(tags: dict[str, str]) -> Grains:
    for tag in ("VALUE", "FRACTION"):
        if tag not in tags:
            raise ValueError(f"{tag} of the MATERIAL is missing")
    size = tags.get("SIZE", "1")
    return Grains(
        rgb=_rgb(tags["VALUE"], "VALUE"),
        alpha=_byte(tags, "ALPHA", 255) / 255,
        fraction=_number(tags["FRACTION"], "FRACTION"),
        volume_fraction=_number(tags.get("VFRACTION", "0"), "VFRACTION"),
        min_size=_number(tags.get("MINSIZE", size), "MINSIZE"),
        max_size=_number(tags.get("MAXSIZE", size), "MAXSIZE"),
    )


def _following(rest: Iterator[str], tag: str) -> str:
    word = next(rest, None)
    if word is None:
        raise ValueError(f"nothing follows {tag}")
    return word


def _whole(word: str, tag: str) -> int:
    if not word.isdecimal():
        raise ValueError(f"{tag} is {word!r}, which is not a whole number")
    return int(word)


def _byte(tags: dict[str, str], tag: str, default: int) -> int:
    value = _whole(tags.get(tag, str(default)), tag)
    if value > 255:
        raise ValueError(f"{tag} is {value}, more than 255")
    return value


def _number(word: str, tag: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise ValueError(f"{tag} is {word!r}, which is not a number") from None


def _rgb(word: str, tag: str) -> tuple[int, int, int]:
    digits = word.removeprefix("#").lower().removeprefix("0x")
    try:
        if len(digits) != 6 or digits == word.lower():
            raise ValueError
        return _bytes(int(digits, 16))
    except ValueError:
        raise ValueError(f"{tag} is {word!r}, which is not of the form #RRGGBB") from None


def _bytes(value: int) -> tuple[int, int, int]:
    return value >> 16, value >> 8 & 255, value & 255

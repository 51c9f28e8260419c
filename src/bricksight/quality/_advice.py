"""Advice about photos that are blurred, black, white, of one colour, tiny, or of odd bit depth."""

from collections.abc import Sequence

from bricksight._support.text import pluralize, some
from bricksight.dataset import Example, Problem
from bricksight.quality._inspection import PhotoInfo
from bricksight.quality._sharpness import find_blurred, find_tiny, is_black, is_blank, is_white

_TWELVE_BITS, _SIXTEEN_BITS = 12, 16
_QUARTER_OF_WHITE = 64  # on the scale from 0 to 255

_BLURRED = (
    "{number} much less sharp than most: {names}. Retake or remove {them} if the camera was out "
    "of focus or moved."
)
_BLACK = (
    "{number} nearly black: {names}. A network learns nothing from {them}. Retake {them} with more "
    "light, or remove {them}."
)
_WHITE = (
    "{number} nearly white: {names}. A network learns nothing from {them}. Retake {them} with less "
    "light, or remove {them}."
)
_BLANK = "{number} of one colour: {names}. A network learns nothing from {them}. Remove {them}."
_TINY = (
    "{number} tiny, with shorter sides from {smallest} pixels: {names}. Backbones take about 224 "
    "pixels. Use the originals instead of thumbnails, or remove {them}."
)


def photo_advice(examples: Sequence[Example], infos: Sequence[PhotoInfo]) -> list[Problem]:
    """Return one problem per kind of bad photo.

    Args:
        examples: The photos.
        infos: Information about each photo, in the same order.
    """
    found = [info.quality for info in infos]
    sides = [min(info.width, info.height) for info in infos]
    smallest = min(sides, default=0)
    kinds = (
        ("blurred_photo", _BLURRED, find_blurred(found)),
        ("black_photo", _BLACK, _where([is_black(one) for one in found])),
        ("white_photo", _WHITE, _where([is_white(one) for one in found])),
        ("blank_photo", _BLANK, _where([is_blank(one) for one in found])),
        ("tiny_photo", _TINY.replace("{smallest}", f"{smallest:,}"), find_tiny(sides)),
    )
    problems = []
    for kind, text, rows in kinds:
        paths = [examples[row].relative_path for row in rows]
        if paths:
            message = text.format(
                number=pluralize(len(paths), "photo is", "photos are"),
                names=some(paths),
                them="it" if len(paths) == 1 else "them",
            )
            problems.append(Problem(kind, message, tuple(paths)))
    return problems + _bit_depths(examples, infos)


def _where(flags: Sequence[bool]) -> list[int]:
    return [row for row, flag in enumerate(flags) if flag]


def _bit_depths(examples: Sequence[Example], infos: Sequence[PhotoInfo]) -> list[Problem]:
    """Return a problem if photos with 16 bits per channel seem to hold 12 bits or fewer.

    A 16-bit file does not say how many of its bits a camera used, so it may be decoded too dark or
    too bright.
    """
    paths: dict[int, list[str]] = {_TWELVE_BITS: [], _SIXTEEN_BITS: []}
    brightest = 0.0
    for example, info in zip(examples, infos, strict=True):
        if info.bits in paths:
            paths[info.bits].append(example.relative_path)
            brightest = max(brightest, info.quality.brightest)
    of_12, of_16 = paths[_TWELVE_BITS], paths[_SIXTEEN_BITS]
    if of_12 and of_16:
        message = (
            f"{pluralize(len(of_12), 'photo')} of {len(of_12) + len(of_16):,} with 16 bits per "
            f"channel {'has' if len(of_12) == 1 else 'have'} no value over 4,095: {some(of_12)}. "
            "They are read as 12-bit photos, 16 times as bright as the others. If the same camera "
            "took all of them, save all of them with 8 bits."
        )
        return [Problem("bit_depth", message, tuple(of_12))]
    deep = of_12 or of_16
    if deep and brightest < _QUARTER_OF_WHITE:
        message = (
            f"{pluralize(len(deep), 'photo')} with 16 bits per channel use less than a quarter of "
            f"the range of {_TWELVE_BITS if of_12 else _SIXTEEN_BITS} bits, so they are read too "
            f"dark: {some(deep)}. If the camera has fewer bits, save them with 8 bits, with its "
            "white as 255."
        )
        return [Problem("bit_depth", message, tuple(deep))]
    return []

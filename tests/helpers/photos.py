"""Small folders of drawn photos, the same at every call, for the tests of every room."""

import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

SIZE = (48, 40)
"""Width and height of a drawn photo, in pixels, as a viewer shows it."""

COLOURS: Mapping[str, tuple[int, int, int]] = {
    "blue": (40, 70, 200),
    "green": (40, 160, 60),
    "red": (200, 40, 40),
}
"""Class name → flat colour, in class order."""

_ORIENTATION_TAG = 0x0112
_TURNED_RIGHT = 6


def draw(label: str, seed: int) -> Image.Image:
    """Returns an RGB photo of the class's colour with a stripe that is the seed's own."""
    rng = np.random.default_rng([seed, zlib.crc32(label.encode())])
    image = Image.new("RGB", SIZE, COLOURS.get(label, (150, 150, 40)))
    ends = [tuple(rng.integers(0, SIZE).tolist()) for _ in range(2)]
    stripe = tuple(rng.integers(0, 256, size=3).tolist())
    ImageDraw.Draw(image).line(ends, fill=stripe, width=int(rng.integers(6, 12)))
    return image


def draw_belt(seed: int) -> Image.Image:
    """Returns an RGB photo of a conveyor belt without anything on it: grey, grained, lit unevenly.

    Light and grain are the seed's own.
    """
    rng = np.random.default_rng([seed, 7])
    width, height = SIZE
    rows, columns = np.mgrid[:height, :width]
    slope = rng.uniform(-30, 30, size=2)
    light = 90 + slope[0] * columns / width + slope[1] * rows / height + rng.uniform(-15, 15)
    grain = rng.normal(0, 6, size=(height, width))
    grey = np.clip(light + grain, 0, 255).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")


def write_photo_folder(folder: Path, *, per_class: int = 8) -> Path:
    """Returns ``folder``, filled with one sub-folder a colour and ``per_class`` photos in each.

    Photo 1 of "blue" is grey, photo 2 of "green" is a PNG with an alpha channel, and photo 3 of
    "red" is stored on its side with an EXIF orientation that turns it upright.
    """
    for label in COLOURS:
        (folder / label).mkdir(parents=True)
        for index in range(per_class):
            _write(draw(label, index), folder / label / f"photo_{index:02d}.jpg")
    _write(draw("blue", 1).convert("L"), folder / "blue" / "photo_01.jpg")
    (folder / "green" / "photo_02.jpg").unlink()
    _half_clear(draw("green", 2)).save(folder / "green" / "photo_02.png")
    _write_turned(draw("red", 3), folder / "red" / "photo_03.jpg")
    return folder


def write_faulty_folder(folder: Path) -> Path:
    """Returns ``folder``, filled with three good classes and one of every fault.

    The faults, each named after what it is: an empty class folder, a JPEG cut in half, a text file
    named .jpg, a PNG named .jpg, a copy within one class, a copy under another label, a class name
    that is not ASCII, the same picture saved again at a lower quality, and a file of another type.
    """
    write_photo_folder(folder)
    blue, green, red = (folder / label for label in COLOURS)
    (folder / "empty").mkdir()
    (folder / "größe").mkdir()
    for index in range(4):
        _write(draw("größe", index), folder / "größe" / f"photo_{index:02d}.jpg")

    whole = (red / "photo_00.jpg").read_bytes()
    (red / "truncated.jpg").write_bytes(whole[: len(whole) // 2])
    (red / "text.jpg").write_text("not a photo at all\n", encoding="utf-8")
    draw("red", 100).save(red / "png_inside.jpg", format="PNG")
    (blue / "copy.jpg").write_bytes((blue / "photo_04.jpg").read_bytes())
    (green / "blue_photo.jpg").write_bytes((blue / "photo_05.jpg").read_bytes())
    draw("green", 4).save(green / "photo_04_again.jpg", quality=85)
    (blue / "notes.txt").write_text("bought in May\n", encoding="utf-8")
    return folder


def _write(image: Image.Image, path: Path) -> None:
    image.save(path, quality=95)


def _half_clear(image: Image.Image) -> Image.Image:
    alpha = Image.new("L", image.size, 255)
    alpha.paste(0, (0, 0, image.width // 2, image.height))
    image.putalpha(alpha)
    return image


def _write_turned(image: Image.Image, path: Path) -> None:
    exif = Image.Exif()
    exif[_ORIENTATION_TAG] = _TURNED_RIGHT
    image.transpose(Image.Transpose.ROTATE_90).save(path, quality=95, exif=exif)


def draw_part(
    label: str, background: tuple[int, int, int], seed: int
) -> tuple[Image.Image, Image.Image]:
    """Returns an RGB photo of a box of the class's colour, and its mask, 255 where the box is.

    Place, size, a little noise and light are the seed's own.
    """
    rng = np.random.default_rng([seed, 11])
    width, height = SIZE
    left, top = rng.integers(4, 14, size=2).tolist()
    box = (left, top, left + int(rng.integers(14, 22)), top + int(rng.integers(12, 18)))
    image, mask = Image.new("RGB", SIZE, background), Image.new("L", SIZE)
    ImageDraw.Draw(image).rectangle(box, fill=COLOURS[label])
    ImageDraw.Draw(mask).rectangle(box, fill=255)
    noisy = np.asarray(image) * rng.uniform(0.9, 1.05) + rng.normal(0, 3, size=(height, width, 3))
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)), mask

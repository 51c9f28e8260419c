"""Draws the picture of the README: test photos of the sample and what a model says of them.

    bricksight sample bricks
    bricksight train bricks --out bricks-model --backbone packaged:efficientnet_lite0
    python benchmarks/readme_picture.py bricks-model bricks docs/images/readme.jpg

The first two test photos of each class are shown, whether the answer is right or not.
"""

import argparse
import csv
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

import bricksight as bs

PER_CLASS = 2
COLUMNS = 8
TILE, CAPTION, MARGIN = 150, 40, 6
RIGHT, WRONG, UNKNOWN = (20, 130, 60), (190, 40, 40), (120, 120, 120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="the model folder")
    parser.add_argument("photos", type=Path, help="the folder that it was trained on")
    parser.add_argument("out", type=Path, help="the picture to write")
    arguments = parser.parse_args()
    shown = test_photos(arguments.model)
    answers = bs.load(arguments.model).predict_batch([arguments.photos / path for path, _ in shown])
    draw(arguments.photos, shown, answers).save(arguments.out, quality=88)


def test_photos(model: Path) -> list[tuple[str, str]]:
    """Returns path and label of the first test photos of each class."""
    with (model / "photos.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] in ("test", "testing")]
    found: dict[str, list[str]] = {}
    for row in sorted(rows, key=lambda row: row["path"]):
        found.setdefault(row["label"], []).append(row["path"])
    return [(path, label) for label, paths in found.items() for path in paths[:PER_CLASS]]


def draw(photos: Path, shown: list[tuple[str, str]], answers: list[bs.Answer]) -> Image.Image:
    """Returns a grid of the photos, each with the answer below it."""
    rows = -(-len(shown) // COLUMNS)
    width, height = TILE + MARGIN, TILE + CAPTION + MARGIN
    page = Image.new("RGB", (COLUMNS * width + MARGIN, rows * height + MARGIN), "white")
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(size=13)
    for index, ((path, label), answer) in enumerate(zip(shown, answers, strict=True)):
        left = MARGIN + index % COLUMNS * width
        top = MARGIN + index // COLUMNS * height
        page.paste(Image.open(photos / path).resize((TILE, TILE)), (left, top))
        best = answer.predictions[0]
        colour = UNKNOWN if answer.label is None else RIGHT if answer.label == label else WRONG
        name = "unknown" if answer.label is None else answer.label.partition("_")[2]
        text = f"{name.replace('_', ' ')}\n{best.probability:.0%}"
        pen.rectangle((left, top + TILE, left + TILE, top + TILE + CAPTION), fill=colour)
        pen.multiline_text((left + 5, top + TILE + 3), text, fill="white", font=font, spacing=2)
    return page


if __name__ == "__main__":
    main()

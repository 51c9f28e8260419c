"""Schemas of manifest.json and of the JSON sidecar of an exported model file."""

from typing import Any, get_args

from bricksight._support.untrusted.fields import (
    UnexpectedValueError,
    checksums,
    choice,
    labels,
    mapping,
    nullable,
    number,
    table,
    text,
    whole,
)
from bricksight._support.untrusted.folders import stays_inside
from bricksight.config import MOST_PATTERN_CHARACTERS, Resize

_INPUT = table(
    {"height": whole(8, 4096), "width": whole(8, 4096)}, {"resize": choice(*get_args(Resize))}
)

_SPLIT = table(
    {},
    {
        "testing_percentage": whole(0, 99),
        "validation_percentage": whole(0, 99),
        "group_by": nullable(text(MOST_PATTERN_CHARACTERS)),
        "limit_per_class": nullable(whole(1, 2**31)),
    },
)

_DATA = table({}, {"image_dir": nullable(text(4096))})
"""Schema of the section "data" in the settings; earlier versions named it "retrain"."""

MANIFEST = table(
    {
        "format_version": whole(1, 2**31),
        "labels": labels,
        "input": _INPUT,
        "backbone": mapping,
    },
    {
        "output_layer": text(),
        "unknown_threshold": nullable(number(0, 1)),
        "settings": table(
            {},
            {"data": _DATA, "retrain": _DATA, "split": _SPLIT},
        ),
        "data": mapping,
        "metrics": mapping,
        "exports": mapping,
        "files": checksums,
        "created": text(),
        "bricksight_version": text(),
    },
)


def _written_files(value: Any, key: str) -> dict[str, str]:
    """Validate file name → SHA-256; a list of names, as the first versions wrote, is accepted."""
    if isinstance(value, list):
        for name in value:
            if not isinstance(name, str) or not stays_inside(name):
                raise UnexpectedValueError(
                    f"A name of {key}", name, "a path below the folder, without '..'"
                )
        return dict.fromkeys(value, "")
    return checksums(value, key)


SIDECAR = table(
    {
        "labels": labels,
        "input": _INPUT,
        "unknown_threshold": nullable(number(0, 1)),
        "format": text(),
        "precision": text(),
        "layers": table({}, {"input_layer": text(), "output_layer": text()}),
        "agreement": mapping,
        "origin": mapping,
    },
    {"files": _written_files},
)

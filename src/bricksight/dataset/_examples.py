"""One photo of a data set, and one thing that is wrong with a data set."""

from dataclasses import dataclass
from pathlib import Path

# Matters of judgement, and of more photos. The other kinds are plain faults.
_ADVICE = frozenset(
    {
        "small_class",
        "tiny_class",
        "no_group",
        "group_by",
        "bursts",
        "hidden_folder",
        "alike_classes",
        "extra_class",
        "same_subfolders",
        "near_duplicate",
        "near_duplicate_split",
        "near_duplicate_labels",
        "blurred_photo",
        "black_photo",
        "white_photo",
        "blank_photo",
        "tiny_photo",
        "bit_depth",
        "rendered_test",
        "small_test",
    }
)


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo before it is dealt to a side of the split.

    Attributes:
        path: Where the file is.
        relative_path: The same below image_dir, with "/" between folders on every system.
        label: Its class, as written in the labels file.
        sha256: SHA-256 of the file's bytes, 64 hexadecimal digits; empty until it is computed.
    """

    path: Path
    relative_path: str
    label: str
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Example:
    """A photo with its group and its side of the split.

    Attributes:
        path: Where the file is.
        relative_path: The same below image_dir, with "/" between folders on every system.
        label: Its class, as written in the labels file.
        group: Photos of the same group are on the same side of the split, whatever their classes.
        sha256: SHA-256 of the file's bytes, 64 hexadecimal digits.
        split: "training", "validation" or "test".
    """

    path: Path
    relative_path: str
    label: str
    group: str
    sha256: str
    split: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that the owner of the photos should know.

    Attributes:
        kind: A word that stays the same from version to version, such as "unreadable".
        message: What was found, and what to do about it.
        paths: The files or folders in question, below image_dir.
    """

    kind: str
    message: str
    paths: tuple[str, ...] = ()

    @property
    def is_advice(self) -> bool:
        """Whether this is a matter of judgement rather than a fault of the folder."""
        return self.kind in _ADVICE

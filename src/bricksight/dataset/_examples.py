"""The rows of a data set: photos, examples (photos with a split), and problems."""

from dataclasses import dataclass
from pathlib import Path

# Kinds of problems that the user may decide to accept. All other kinds are faults of the folder.
_ADVICE_KINDS = frozenset(
    {
        "small_class",
        "tiny_class",
        "no_group",
        "group_by",
        "bursts",
        "hidden_folder",
        "similar_class_names",
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
    """A photo that is not assigned to a split yet.

    Attributes:
        path: Path of the file.
        relative_path: Path relative to image_dir, with "/" between folders on every system.
        label: Its class, as written in the labels file.
        sha256: SHA-256 of the file, 64 hexadecimal digits; empty until it is computed.
    """

    path: Path
    relative_path: str
    label: str
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Example:
    """A photo with its label, group and split.

    Attributes:
        path: Path of the file.
        relative_path: Path relative to image_dir, with "/" between folders on every system.
        label: Its class, as written in the labels file; empty for a photo of none of the classes.
        group: Photos of the same group are in the same split, even if their classes differ.
        sha256: SHA-256 of the file, 64 hexadecimal digits.
        split: "training", "validation" or "test"; "extra" for photos of ``--extra_train_dir``;
            "unused" for those that ``subsample`` leaves out.
    """

    path: Path
    relative_path: str
    label: str
    group: str
    sha256: str
    split: str


@dataclass(frozen=True, slots=True)
class Problem:
    """A fault of the photos, or advice about them.

    Attributes:
        kind: Identifier for programs, the same in all versions, such as "unreadable".
        message: What was found and what to do, for users.
        paths: The files, folders or classes in question; paths are relative to image_dir.
    """

    kind: str
    message: str
    paths: tuple[str, ...] = ()

    @property
    def is_advice(self) -> bool:
        """Whether the user may accept this, so that ``check --strict`` does not fail."""
        return self.kind in _ADVICE_KINDS

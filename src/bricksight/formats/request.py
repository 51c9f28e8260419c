"""The request to a format writer: options, reference and calibration images."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np

from bricksight.formats.verification import ParityReference

Precision = Literal["float32", "float16", "dynamic", "int8"]
Layout = Literal["nchw", "nhwc"]
InputOutput = Literal["float32", "uint8", "int8", "bytes"]


@dataclass(frozen=True, kw_only=True)
class Choices:
    """Options of an export; ``None`` is the default of the format.

    Attributes:
        precision: Precision of the weights; "int8" also applies to the activations.
        batch: Batch size of the input.
        layout: Order of the input's dimensions.
        io: Type of input and output.
    """

    precision: Precision | None = None
    batch: Literal["1", "dynamic"] | None = None
    layout: Layout | None = None
    io: InputOutput | None = None

    def given(self) -> dict[str, str]:
        """Return the options that are not ``None``."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class Request:
    """How a file is to be written; writers raise an error for unsupported options.

    Attributes:
        reference: Photos with expected probabilities, labels and preprocessing.
        calibration: Returns training images, float32 (num_photos, height, width, 3) in [0, 1], for
            int8 calibration; ``None`` if there are none.
        precision: Precision of the weights; "int8" also applies to the activations.
        batch: Batch size of the input, ``None`` for a dynamic one.
        layout: Order of the input's dimensions, if the format has a choice.
        io: Type of input and output; "bytes" means encoded image files.
        unknown_threshold: See ``bricksight.bundle.Manifest``; written into formats that contain a
            program.
        trust: Run the written file even if its operations may do more than compute.
    """

    reference: ParityReference
    calibration: Callable[[], np.ndarray] | None = None
    precision: Precision = "float32"
    batch: int | None = 1
    layout: Layout = "nchw"
    io: InputOutput = "float32"
    unknown_threshold: float | None = None
    trust: bool = False

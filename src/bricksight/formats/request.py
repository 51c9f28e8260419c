"""What a writer is asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bricksight.formats.verification import ParityReference

Precision = Literal["float32", "float16", "dynamic", "int8"]
Layout = Literal["nchw", "nhwc"]
InputOutput = Literal["float32", "uint8", "int8", "bytes"]


@dataclass(frozen=True, kw_only=True)
class Request:
    """How a file is to be written; a writer refuses what its format does not have.

    Attributes:
        proof: Real photos with the reference's answers, labels, and how photos are prepared.
        calibration: Gives real training photos, float32 (num_photos, height, width, 3) in [0, 1],
            from which ranges are read; ``None`` where there are none.
        precision: Of the weights, and with "int8" of all arithmetic.
        batch: Photos that the file takes at a time, ``None`` for any number.
        layout: Order of the input's dimensions, where the format has a choice.
        io: Type of input and output of an int8 file; "bytes" are photos as files.
        unknown_threshold: See ``bricksight.bundle.Manifest``; for what answers by itself.
        trust: Run the written file whatever its operations, as the network that it is made of.
    """

    proof: ParityReference
    calibration: Callable[[], np.ndarray] | None = None
    precision: Precision = "float32"
    batch: int | None = 1
    layout: Layout = "nchw"
    io: InputOutput = "float32"
    unknown_threshold: float | None = None
    trust: bool = False

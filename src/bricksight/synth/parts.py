"""The parts of the sample, one entry of ``PARTS`` each."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bricksight.synth.mesh import Mesh, Solid, to_mesh
from bricksight.synth.shapes import (
    BRICK_HEIGHT,
    PLATE_HEIGHT,
    box,
    round_brick_2x2,
    slope_2x2,
    technic_brick_1x2,
    tile,
)


@dataclass(frozen=True)
class Part:
    """One class of the sample.

    Attributes:
        label: Folder name: the part number used by LDraw, then a readable name.
        build: Returns the solids, in LDraw units.
    """

    label: str
    build: Callable[[], list[Solid]]

    def mesh(self) -> Mesh:
        """Returns the part as triangles, in LDraw units, y down."""
        return to_mesh(self.build())


_PARTS = (
    Part("3005_brick_1x1", partial(box, 1, 1, BRICK_HEIGHT)),
    Part("3004_brick_1x2", partial(box, 2, 1, BRICK_HEIGHT)),
    Part("3003_brick_2x2", partial(box, 2, 2, BRICK_HEIGHT)),
    Part("3002_brick_2x3", partial(box, 3, 2, BRICK_HEIGHT)),
    Part("3001_brick_2x4", partial(box, 4, 2, BRICK_HEIGHT)),
    Part("3023_plate_1x2", partial(box, 2, 1, PLATE_HEIGHT)),
    Part("3022_plate_2x2", partial(box, 2, 2, PLATE_HEIGHT)),
    Part("3020_plate_2x4", partial(box, 4, 2, PLATE_HEIGHT)),
    Part("3068b_tile_2x2", partial(tile, 2, 2)),
    Part("3039_slope_2x2", slope_2x2),
    Part("3941_round_brick_2x2", round_brick_2x2),
    Part("3700_technic_brick_1x2_hole", technic_brick_1x2),
)

PARTS = {part.label: part for part in _PARTS}
"""Every part of the sample by its label; to add a part, add an entry above."""

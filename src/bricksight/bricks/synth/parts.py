"""The parts that need no library: one entry of ``PARTS`` each."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bricksight.bricks.synth.families.boxes import (
    box,
    corner,
    corner_tile,
    jumper_1x2,
    jumper_2x2,
    plain_tile,
    side_stud_brick,
    tile,
)
from bricksight.bricks.synth.families.curves import (
    arch,
    curved_slope,
    hooked_brick,
    rounded_brick,
    vaulted_brick,
)
from bricksight.bricks.synth.families.details import (
    grille_brick,
    grooved_brick,
    log_brick,
    pin_brick,
    pin_plate,
    pin_tile,
)
from bricksight.bricks.synth.families.rounds import (
    cone,
    cone_2x2,
    dish,
    lathed_brick,
    round_brick_2x2,
    round_plate_2x2,
    round_tile,
    round_tile_2x2,
)
from bricksight.bricks.synth.families.slopes import cheese, inverted_slope, slope
from bricksight.bricks.synth.families.technic import (
    axle,
    axle_brick,
    beam,
    collared_pin,
    technic_block,
    technic_brick,
)
from bricksight.bricks.synth.families.walls import bracket, corner_panel, panel
from bricksight.bricks.synth.families.wedges import (
    cut_plate,
    rounded_plate,
    trapezoid_plate,
    wedge_plate,
)
from bricksight.bricks.synth.geometry.mesh import Mesh, Solid, to_mesh
from bricksight.bricks.synth.geometry.primitives import BRICK_HEIGHT, PLATE_HEIGHT, open_stud


@dataclass(frozen=True)
class Part:
    """One class of photos.

    Attributes:
        label: Folder name: the part number used by LDraw, then a readable name.
        build: Returns the solids, in LDraw units.
    """

    label: str
    build: Callable[[], list[Solid]]

    def mesh(self) -> Mesh:
        """Returns the part as triangles, in LDraw units, y down."""
        return to_mesh(self.build())


_BRICKS = {
    "3005_brick_1x1": (1, 1),
    "3004_brick_1x2": (2, 1),
    "3622_brick_1x3": (3, 1),
    "3010_brick_1x4": (4, 1),
    "3009_brick_1x6": (6, 1),
    "3008_brick_1x8": (8, 1),
    "3003_brick_2x2": (2, 2),
    "3002_brick_2x3": (3, 2),
    "3001_brick_2x4": (4, 2),
    "2456_brick_2x6": (6, 2),
    "3007_brick_2x8": (8, 2),
}
_PLATES = {
    "3024_plate_1x1": (1, 1),
    "3023_plate_1x2": (2, 1),
    "3623_plate_1x3": (3, 1),
    "3710_plate_1x4": (4, 1),
    "3666_plate_1x6": (6, 1),
    "3460_plate_1x8": (8, 1),
    "3022_plate_2x2": (2, 2),
    "3021_plate_2x3": (3, 2),
    "3020_plate_2x4": (4, 2),
    "3795_plate_2x6": (6, 2),
    "3034_plate_2x8": (8, 2),
    "3031_plate_4x4": (4, 4),
}
_TILES = {
    "3070b_tile_1x1": (1, 1),
    "3069b_tile_1x2": (2, 1),
    "63864_tile_1x3": (3, 1),
    "2431_tile_1x4": (4, 1),
    "6636_tile_1x6": (6, 1),
    "3068b_tile_2x2": (2, 2),
    "26603_tile_2x3": (3, 2),
    "87079_tile_2x4": (4, 2),
}
_OTHERS: dict[str, Callable[[], list[Solid]]] = {
    "3070a_tile_1x1_without_groove": partial(plain_tile, 1, 1),
    "3068a_tile_2x2_without_groove": partial(plain_tile, 2, 2),
    "15573_jumper_plate_1x2": jumper_1x2,
    "87580_jumper_plate_2x2": jumper_2x2,
    "2357_corner_brick_2x2": partial(corner, BRICK_HEIGHT),
    "2420_corner_plate_2x2": partial(corner, PLATE_HEIGHT),
    "14719_corner_tile_2x2": corner_tile,
    "87087_brick_1x1_stud_on_1_side": partial(side_stud_brick, 1, (0,)),
    "47905_brick_1x1_studs_on_2_sides": partial(side_stud_brick, 1, (0, 180)),
    "4733_brick_1x1_studs_on_4_sides": partial(
        side_stud_brick, 1, (0, 90, 180, 270), top=open_stud
    ),
    "11211_brick_1x2_studs_on_1_side": partial(side_stud_brick, 2, (0,)),
    "30414_brick_1x4_studs_on_1_side": partial(side_stud_brick, 4, (0,)),
    "4216_brick_1x2_groove": grooved_brick,
    "2877_brick_1x2_grille": grille_brick,
    "30136_brick_1x2_log": log_brick,
    "2458_brick_1x2_pin": pin_brick,
    "2460_tile_2x2_pin": pin_tile,
    "2476a_plate_2x2_pin": pin_plate,
    "26601_plate_2x2_cut_corner": partial(cut_plate, 2, 1),
    "2450_plate_3x3_cut_corner": partial(cut_plate, 3, 2),
    "30357_plate_3x3_round_corner": partial(rounded_plate, 3),
    "43722_wedge_plate_2x3_right": partial(wedge_plate, 3, 1, 2),
    "43723_wedge_plate_2x3_left": partial(wedge_plate, 3, 1, 2, left=True),
    "41769_wedge_plate_2x4_right": partial(wedge_plate, 4, 1, 2),
    "41770_wedge_plate_2x4_left": partial(wedge_plate, 4, 1, 2, left=True),
    "54383_wedge_plate_3x6_right": partial(wedge_plate, 6, 1, 3),
    "54384_wedge_plate_3x6_left": partial(wedge_plate, 6, 1, 3, left=True),
    "51739_wedge_plate_2x4": trapezoid_plate,
    "3040b_slope_2x1": partial(slope, 1, 2),
    "3040a_slope_2x1_without_pin": partial(slope, 1, 2, gripping=False),
    "3039_slope_2x2": partial(slope, 2, 2),
    "3038_slope_2x3": partial(slope, 3, 2),
    "3037_slope_2x4": partial(slope, 4, 2),
    "4286_slope_33_3x1": partial(slope, 1, 3),
    "3298_slope_33_3x2": partial(slope, 2, 3),
    "3297_slope_33_3x4": partial(slope, 4, 3),
    "54200_cheese_slope_1x1": partial(cheese, 1),
    "85984_cheese_slope_1x2": partial(cheese, 2),
    "3665a_inverted_slope_2x1": partial(inverted_slope, 1, 2),
    "3660_inverted_slope_2x2": partial(inverted_slope, 2, 2),
    "4287a_inverted_slope_33_3x1": partial(inverted_slope, 1, 3),
    "3747a_inverted_slope_33_3x2": partial(inverted_slope, 2, 3),
    "11477_curved_slope_2x1": partial(curved_slope, 1, (0, -8), -16),
    "15068_curved_slope_2x2": partial(curved_slope, 2, (0, -8), -16),
    "50950_curved_slope_3x1": partial(curved_slope, 1, (24, 24, 16), 0),
    "24309_curved_slope_3x2": partial(curved_slope, 2, (24, 24, 16), 0),
    "61678_curved_slope_4x1": partial(curved_slope, 1, (24, 24, 16, 8), 0),
    "93606_curved_slope_4x2": partial(curved_slope, 2, (24, 24, 16, 8), 0),
    "6091_curved_brick_2x1": hooked_brick,
    "30165_curved_brick_2x2": vaulted_brick,
    "6215_curved_brick_2x3": rounded_brick,
    "4490_arch_1x3": partial(arch, 3, BRICK_HEIGHT),
    "3659_arch_1x4": partial(arch, 4, BRICK_HEIGHT),
    "6182_arch_1x4x2": partial(arch, 4, 2 * BRICK_HEIGHT),
    "3062b_round_brick_1x1": partial(lathed_brick, BRICK_HEIGHT, 19.0, open_stud=True),
    "3941_round_brick_2x2": round_brick_2x2,
    "6141_round_plate_1x1": partial(lathed_brick, PLATE_HEIGHT, 3.0, open_stud=False),
    "85861_round_plate_1x1_open_stud": partial(lathed_brick, PLATE_HEIGHT, 3.0, open_stud=True),
    "4032a_round_plate_2x2": round_plate_2x2,
    "98138_round_tile_1x1": round_tile,
    "14769_round_tile_2x2": partial(round_tile_2x2, cross=False),
    "4150_round_tile_2x2_cross": partial(round_tile_2x2, cross=True),
    "4589_cone_1x1": cone,
    "3942c_cone_2x2x2": cone_2x2,
    "4740_dish_2x2": dish,
    "6541_technic_brick_1x1_hole": partial(technic_block, 1),
    "3700_technic_brick_1x2_hole": partial(technic_brick, 2),
    "32000_technic_brick_1x2_holes": partial(technic_block, 2),
    "32064a_technic_brick_1x2_axle_hole": axle_brick,
    "3701_technic_brick_1x4_holes": partial(technic_brick, 4),
    "3894_technic_brick_1x6_holes": partial(technic_brick, 6),
    "43857_technic_beam_2": partial(beam, 2),
    "32523_technic_beam_3": partial(beam, 3),
    "32316_technic_beam_5": partial(beam, 5),
    "32524_technic_beam_7": partial(beam, 7),
    "32062_technic_axle_2": partial(axle, 2, notched=True),
    "4519_technic_axle_3": partial(axle, 3),
    "3705_technic_axle_4": partial(axle, 4),
    "32073_technic_axle_5": partial(axle, 5),
    "3706_technic_axle_6": partial(axle, 6),
    "3673_technic_pin": collared_pin,
    "4865_panel_1x2x1": partial(panel, 2, rounded=False),
    "23950_panel_1x3x1": partial(panel, 3, rounded=True),
    "30413_panel_1x4x1": partial(panel, 4, rounded=True),
    "6231_corner_panel_1x1x1": corner_panel,
    "36840_bracket_1x1_1x1_up": partial(bracket, 1, 1, 1, up=True),
    "36841_bracket_1x1_1x1_down": partial(bracket, 1, 1, 1, up=False),
    "99780_bracket_1x2_1x2_up": partial(bracket, 2, 2, 1, up=True),
    "99781_bracket_1x2_1x2_down": partial(bracket, 2, 2, 1, up=False),
    "2436a_bracket_1x2_1x4_down": partial(bracket, 2, 4, 1, up=False),
    "99207_bracket_1x2_2x2_up": partial(bracket, 2, 2, 2, up=True),
    "44728_bracket_1x2_2x2_down": partial(bracket, 2, 2, 2, up=False),
}

_PARTS = (
    *(Part(label, partial(box, *size, BRICK_HEIGHT)) for label, size in _BRICKS.items()),
    *(Part(label, partial(box, *size, PLATE_HEIGHT)) for label, size in _PLATES.items()),
    *(Part(label, partial(tile, *size)) for label, size in _TILES.items()),
    *(Part(label, build) for label, build in _OTHERS.items()),
)

PARTS = {part.label: part for part in _PARTS}
"""Every part by its label; to add a part, add an entry above."""

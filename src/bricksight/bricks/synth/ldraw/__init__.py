"""Parts from a library in LDraw's format, as triangles with shading normals.

``find_library(path).part("3001")`` is all that most callers need.
"""

from bricksight.bricks.synth.ldraw.colours import Grains, LDrawColour
from bricksight.bricks.synth.ldraw.library import Library, find_library
from bricksight.bricks.synth.ldraw.part import LDrawPart

__all__ = ["Grains", "LDrawColour", "LDrawPart", "Library", "find_library"]

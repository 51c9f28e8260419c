"""Rendered photos of LEGO-style bricks: parametric parts, random scenes, and a ready sample.

The parts and scenes need NumPy only; rendering needs the extra ``synth``, which installs Mitsuba 3.
"""

from bricksight.synth.mesh import Mesh, Solid
from bricksight.synth.parts import PARTS, Part
from bricksight.synth.poses import Pose, stable_poses
from bricksight.synth.sample import SAMPLE_LABELS, contact_sheet, write_sample
from bricksight.synth.sampling import photo_rng, sample_scene
from bricksight.synth.scenes import Scene, SceneConfig

__all__ = [
    "PARTS",
    "SAMPLE_LABELS",
    "Mesh",
    "Part",
    "Pose",
    "Scene",
    "SceneConfig",
    "Solid",
    "contact_sheet",
    "photo_rng",
    "sample_scene",
    "stable_poses",
    "write_sample",
]

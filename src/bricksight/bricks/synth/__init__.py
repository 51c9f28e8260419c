"""Rendered photos of LEGO-style bricks: parts, random scenes, folders of photos, a ready sample.

The parts and scenes need NumPy only; rendering needs the extra ``synth``, which installs Mitsuba 3.
"""

from bricksight.bricks.synth.geometry.mesh import Mesh, Solid
from bricksight.bricks.synth.geometry.poses import Pose, stable_poses
from bricksight.bricks.synth.models import Body, Model, find_models
from bricksight.bricks.synth.parts import PARTS, Part
from bricksight.bricks.synth.render import SynthConfig, render_folder
from bricksight.bricks.synth.sample import SAMPLE_LABELS, write_sample
from bricksight.bricks.synth.scenes.sampling import photo_rng, sample_scene
from bricksight.bricks.synth.scenes.scene import Scene, SceneConfig, scene_config
from bricksight.bricks.synth.sheet import contact_sheet

__all__ = [
    "PARTS",
    "SAMPLE_LABELS",
    "Body",
    "Mesh",
    "Model",
    "Part",
    "Pose",
    "Scene",
    "SceneConfig",
    "Solid",
    "SynthConfig",
    "contact_sheet",
    "find_models",
    "photo_rng",
    "render_folder",
    "sample_scene",
    "scene_config",
    "stable_poses",
    "write_sample",
]

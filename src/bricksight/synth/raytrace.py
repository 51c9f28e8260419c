"""One photo, drawn by Mitsuba 3 (W. Jakob et al., mitsuba-renderer.org).

The variant ``scalar_rgb`` runs from the wheel on any machine, without LLVM or a GPU.
"""

from typing import Any

import numpy as np
from PIL import Image

from bricksight._optional import require
from bricksight.synth.colours import light_colour
from bricksight.synth.mesh import Mesh
from bricksight.synth.photo import develop
from bricksight.synth.scenes import Camera, Lights, Scene
from bricksight.synth.surroundings import FLOOR_PIXELS, FLOORS, room

_MAX_BOUNCES = 6


def require_mitsuba() -> Any:
    """Returns the ``mitsuba`` module with its plain CPU variant set.

    Not for a process that loads TensorFlow: both bring an LLVM, and the process aborts at its end.

    Raises:
        MissingPackageError: Mitsuba is not installed.
    """
    mitsuba = require("mitsuba", extra="synth", feature="Rendering")
    mitsuba.set_variant("scalar_rgb")
    return mitsuba


def render_photo(mesh: Mesh, scene: Scene, *, size: int, samples: int) -> Image.Image:
    """Returns the photo of a scene, RGB, ``size`` x ``size``; equal scenes give equal photos.

    To be called in a process of its own; see :func:`require_mitsuba`.

    Args:
        mesh: The part, in LDU.
        scene: As :func:`bricksight.synth.scenes.sample_scene` returns it.
        size: Rows and columns.
        samples: Light paths a pixel; noise falls with the square root.

    Raises:
        MissingPackageError: Mitsuba is not installed.
    """
    mitsuba = require_mitsuba()
    rng = np.random.default_rng(scene.seed)
    loaded = mitsuba.load_dict(
        {
            "type": "scene",
            "integrator": {"type": "path", "max_depth": _MAX_BOUNCES, "hide_emitters": True},
            "sensor": _sensor(mitsuba, scene.camera, size=size, samples=samples),
            "part": _plastic(mitsuba, mesh, scene),
            "floor": _floor(mitsuba, scene, rng),
            "lamp": _lamp(mitsuba, scene.lights),
            "room": _room(mitsuba, scene.lights, rng),
        }
    )
    radiance = np.array(mitsuba.render(loaded, seed=scene.seed))
    return develop(radiance, finish=scene.finish, lights=scene.lights, rng=rng)


def _sensor(mitsuba: Any, camera: Camera, *, size: int, samples: int) -> dict[str, Any]:
    transform = mitsuba.ScalarTransform4f().look_at(
        origin=camera.position.tolist(), target=camera.target.tolist(), up=camera.up.tolist()
    )
    return {
        "type": "thinlens",
        "aperture_radius": max(camera.aperture, 1e-3),  # Mitsuba warns of 0
        "focus_distance": float(np.linalg.norm(camera.target - camera.position)),
        "fov": camera.field_of_view_degrees,
        "to_world": transform,
        "film": {
            "type": "hdrfilm",
            "width": size,
            "height": size,
            "pixel_format": "rgb",
            "component_format": "float32",
            "rfilter": {"type": "box"},
        },
        "sampler": {"type": "multijitter", "sample_count": samples},
    }


def _plastic(mitsuba: Any, mesh: Mesh, scene: Scene) -> Any:
    properties = mitsuba.Properties()
    properties["mesh_bsdf"] = mitsuba.load_dict(
        {
            "type": "roughplastic",
            "distribution": "ggx",
            "alpha": scene.roughness,
            "int_ior": 1.53,
            "nonlinear": True,
            "diffuse_reflectance": _rgb(scene.colour.linear),
        }
    )
    shape = mitsuba.Mesh(
        "part",
        vertex_count=len(mesh.vertices),
        face_count=len(mesh.triangles),
        has_vertex_normals=True,
        props=properties,
    )
    parameters = mitsuba.traverse(shape)
    parameters["vertex_positions"] = scene.placement.apply(mesh.vertices).ravel()
    parameters["vertex_normals"] = (mesh.normals @ scene.placement.rotation.T).ravel()
    parameters["faces"] = mesh.triangles.ravel()
    parameters.update()
    return shape


def _floor(mitsuba: Any, scene: Scene, rng: np.random.Generator) -> dict[str, Any]:
    picture = FLOORS[scene.floor].paint(rng, scene.floor_span / FLOOR_PIXELS)
    texture = {
        "type": "bitmap",
        "bitmap": mitsuba.Bitmap(picture.astype(np.float32)),
        "raw": True,
        "wrap_mode": "mirror",
        "to_uv": mitsuba.ScalarTransform4f().scale([5, 5, 1]),
    }
    surface: dict[str, Any] = {"type": "diffuse", "reflectance": texture}
    if scene.floor_roughness is not None:
        surface = {
            "type": "roughplastic",
            "distribution": "ggx",
            "alpha": scene.floor_roughness,
            "diffuse_reflectance": texture,
        }
    transform = mitsuba.ScalarTransform4f
    half = scene.floor_span * 2.5
    return {"type": "rectangle", "to_world": transform().scale([half, half, 1]), "bsdf": surface}


def _lamp(mitsuba: Any, lights: Lights) -> dict[str, Any]:
    distance = float(np.linalg.norm(lights.position))
    slant = lights.position[2] / distance
    radiance = (1 - lights.room_share) * np.pi * distance**2 / (lights.size**2 * slant)
    transform = mitsuba.ScalarTransform4f
    facing = transform().look_at(
        origin=lights.position.tolist(), target=[0, 0, 0], up=[0.6, 0.8, 0.0]
    )
    return {
        "type": "rectangle",
        "to_world": facing @ transform().scale([lights.size / 2, lights.size / 2, 1]),
        "emitter": {"type": "area", "radiance": _rgb(radiance * light_colour(lights.kelvin))},
    }


def _room(mitsuba: Any, lights: Lights, rng: np.random.Generator) -> dict[str, Any]:
    picture = room(rng) * (lights.room_share * light_colour(lights.room_kelvin))
    return {
        "type": "envmap",
        "bitmap": mitsuba.Bitmap(picture.astype(np.float32)),
        "to_world": mitsuba.ScalarTransform4f().rotate([1, 0, 0], 90),
    }


def _rgb(colour: np.ndarray) -> dict[str, Any]:
    return {"type": "rgb", "value": colour.tolist()}

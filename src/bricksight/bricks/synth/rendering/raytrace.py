"""Photos of a scene, drawn by Mitsuba 3 (W. Jakob et al., mitsuba-renderer.org).

The variant ``scalar_rgb`` runs from the wheel on any machine, without LLVM or a GPU.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image

from bricksight._support.optional import require
from bricksight.bricks.synth.models import Body, Model
from bricksight.bricks.synth.rendering.denoising import Filter, denoised
from bricksight.bricks.synth.rendering.materials import surface
from bricksight.bricks.synth.rendering.photo import develop
from bricksight.bricks.synth.scenes.backgrounds import composed, load_background, mean_colour
from bricksight.bricks.synth.scenes.colours import COLOURS, Colour, light_colour
from bricksight.bricks.synth.scenes.scene import Brick, Camera, Ground, Lamp, Lights, Scene, View
from bricksight.bricks.synth.scenes.surroundings import FLOOR_PIXELS, FLOORS, room

_CLEAR_BOUNCES = 6
"""Further bounces that light needs to come out of a transparent part."""

_FLOOR_REPEATS = 5
"""The floor's picture and its mirror images, side by side."""

_ROUGHNESS_STEP = 0.005
"""To set up plastic of a new roughness takes Mitsuba a third of the time of the paths of a draft;
so few are kept, of which only the colour is changed. Finer steps cannot be seen."""

_GUIDES = {"type": "aov", "aovs": "albedo:albedo,normal:sh_normal"}
"""What the light is smoothed along."""


@dataclass(frozen=True, kw_only=True)
class Quality:
    """How long the renderer works on a photo.

    Attributes:
        samples: Light paths a pixel; noise falls with the square root.
        bounces: How often a path may be scattered.
        guides: Samples a pixel of what has hardly any grain: albedo, normals, empty floors.
        denoising: How the grain is taken out.
    """

    samples: int
    bounces: int
    guides: int
    denoising: Filter


QUALITIES = {
    "draft": Quality(samples=2, bounces=2, guides=2, denoising="fast"),
    "normal": Quality(samples=4, bounces=4, guides=3, denoising="high"),
    "fine": Quality(samples=64, bounces=8, guides=9, denoising="high"),
}


@dataclass(frozen=True)
class Shot:
    """A photo as rendered.

    Attributes:
        view: What it shows.
        photo: RGB.
        mask: Where the part is, 0 or 255; ``None`` if it was not asked for.
    """

    view: View
    photo: Image.Image
    mask: Image.Image | None


def require_mitsuba() -> Any:
    """Returns the ``mitsuba`` module with its plain CPU variant set.

    Not for a process that loads TensorFlow: both bring an LLVM, and the process aborts at its end.

    Raises:
        MissingPackageError: Mitsuba is not installed.
    """
    mitsuba = require("mitsuba", extra="synth", feature="Rendering")
    mitsuba.set_variant("scalar_rgb")
    return mitsuba


def render_scene(
    scene: Scene,
    models: Mapping[str, Model],
    *,
    size: int,
    quality: Quality,
    masks: bool = False,
) -> list[Shot]:
    """Returns a photo a view; equal scenes give equal photos.

    To be called in a process of its own; see :func:`require_mitsuba`.

    Args:
        scene: As :func:`bricksight.bricks.synth.sampling.sample_scene` returns it.
        models: Label → part, of all bricks in the scene.
        size: Rows and columns.
        quality: How long to work on it.
        masks: Whether to draw masks too.

    Raises:
        MissingPackageError: Mitsuba is not installed.
    """
    mitsuba = require_mitsuba()
    stage = _Stage(mitsuba, scene, models, size=size, quality=quality)
    shots = []
    for number, view in enumerate(scene.views):
        rng = np.random.default_rng([scene.seed, number])
        light = stage.light(view, rng)
        photo = develop(light, finish=view.finish, lights=scene.lights, rng=rng)
        shots.append(Shot(view, photo, stage.mask(view) if masks else None))
    return shots


class _Stage:
    """A scene whose bricks have been handed to Mitsuba."""

    def __init__(
        self,
        mitsuba: Any,
        scene: Scene,
        models: Mapping[str, Model],
        *,
        size: int,
        quality: Quality,
    ) -> None:
        self._mitsuba, self._scene, self._size, self._quality = mitsuba, scene, size, quality
        bodies = [
            (f"brick_{number}_{part}", brick, body)
            for number, brick in enumerate(scene.bricks)
            for part, body in enumerate(models[brick.label].bodies)
        ]
        self._bricks = {
            name: _shape(mitsuba, body, brick, number=number)
            for number, (name, brick, body) in enumerate(bodies)
        }
        clear = any(brick.colour.surface == "transparent" for brick in scene.bricks)
        depth = quality.bounces + 1 + clear * _CLEAR_BOUNCES
        self._path = {"type": "path", "max_depth": depth, "hide_emitters": True}

    def light(self, view: View, rng: np.random.Generator) -> np.ndarray:
        """Returns float32 (size, size, 4): linear RGB, and the share that is covered."""
        scene = self._scene
        lighting = _lighting(self._mitsuba, scene.lights, rng, glass=view.finish.haze is not None)
        if view.finish.haze is not None:  # the table is glass, and seen through
            return self._render({**self._bricks, **lighting}, view, self._quality.samples)
        if scene.ground.photo is None:
            floor = _floor(self._mitsuba, scene.ground, np.random.default_rng(scene.seed))
            return self._render(
                {**self._bricks, **lighting, "floor": floor}, view, self._quality.samples
            )
        background = load_background(scene.ground.photo, self._size)
        floor = _even_floor(self._mitsuba, scene.ground, mean_colour(background))
        full = self._render(
            {**self._bricks, **lighting, "floor": floor}, view, self._quality.samples
        )
        empty = self._render({**lighting, "floor": floor}, view, self._quality.guides)
        cover = self._render({**self._bricks, **lighting}, view, self._quality.guides)[..., 3:]
        pixels = composed(background, full[..., :3], empty[..., :3], cover)
        return np.concatenate([pixels, np.ones_like(cover)], axis=2)

    def _render(self, contents: dict[str, Any], view: View, samples: int) -> np.ndarray:
        sensor = _sensor(self._mitsuba, view.camera, size=self._size, samples=samples)
        scene = {"type": "scene", "integrator": self._path, "sensor": sensor, **contents}
        loaded = self._mitsuba.load_dict(scene)
        light = np.array(self._mitsuba.render(loaded, seed=self._scene.seed))
        # On their own: inside one another, the two integrators take twice the time of the path.
        guides = self._mitsuba.render(
            loaded,
            sensor=self._mitsuba.load_dict(
                _sensor(self._mitsuba, view.camera, size=self._size, samples=self._quality.guides)
            ),
            integrator=self._mitsuba.load_dict(_GUIDES),
            seed=self._scene.seed,
        )
        albedo, normals = np.split(np.array(guides), [3], axis=2)
        clean = denoised(light[..., :3], albedo, normals, quality=self._quality.denoising)
        return np.concatenate([clean, light[..., 3:]], axis=2)

    def mask(self, view: View) -> Image.Image:
        """Returns where the first brick is seen, by what each pixel's middle shows."""
        camera = replace(view.camera, aperture=0.0)
        sensor = _sensor(self._mitsuba, camera, size=self._size, samples=1)
        integrator = {"type": "aov", "aovs": "shape:shape_index"}
        loaded = self._mitsuba.load_dict(
            {"type": "scene", "integrator": integrator, "sensor": sensor, **self._bricks}
        )
        seen = np.rint(np.array(self._mitsuba.render(loaded))[..., -1])
        # They are numbered from 1; 0 is nothing.
        own = [
            number
            for number, shape in enumerate(loaded.shapes(), start=1)
            if shape.id().startswith("brick_0_")
        ]
        return Image.fromarray(np.isin(seen, own).astype(np.uint8) * 255)


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
            "pixel_format": "rgba",
            "component_format": "float32",
            "rfilter": {"type": "box"},
        },
        "sampler": {"type": "multijitter", "sample_count": samples},
    }


def _shape(mitsuba: Any, body: Body, brick: Brick, *, number: int) -> Any:
    colour: Colour = body.colour or brick.colour
    properties = mitsuba.Properties()
    properties["mesh_bsdf"] = _material(mitsuba, colour, brick.roughness, number=number)
    mesh = body.mesh
    shape = mitsuba.Mesh(
        "part",
        vertex_count=len(mesh.vertices),
        face_count=len(mesh.triangles),
        has_vertex_normals=True,
        props=properties,
    )
    parameters = mitsuba.traverse(shape)
    parameters["vertex_positions"] = brick.placement.apply(mesh.vertices).ravel()
    parameters["vertex_normals"] = (mesh.normals @ brick.placement.rotation.T).ravel()
    parameters["faces"] = mesh.triangles.ravel()
    parameters.update()
    return shape


def _material(mitsuba: Any, colour: Colour, roughness: float, *, number: int) -> Any:
    """Returns the surface of the scene's body of that number."""
    if colour.surface != "solid":
        return mitsuba.load_dict(surface(colour, roughness))
    steps = round(roughness / _ROUGHNESS_STEP)
    plastic, parameters = _plastic(mitsuba, steps, number)
    parameters["brdf_0.diffuse_reflectance.value"] = colour.linear.tolist()
    parameters.update()
    return plastic


@functools.lru_cache(maxsize=256)
def _plastic(mitsuba: Any, steps: int, number: int) -> tuple[Any, Any]:
    """Returns plastic whose colour may be changed, and its parameters; one for each body."""
    plastic = mitsuba.load_dict(surface(COLOURS[0], steps * _ROUGHNESS_STEP))
    return plastic, mitsuba.traverse(plastic)


def _lighting(
    mitsuba: Any, lights: Lights, rng: np.random.Generator, *, glass: bool
) -> dict[str, Any]:
    found = {f"lamp_{number}": _lamp(mitsuba, lamp) for number, lamp in enumerate(lights.lamps)}
    # Through a table of glass, light comes from below too, and from lamps there, which show the
    # shape. It does not depend on how much of the light from above is the room's.
    below, most = (0.2 / lights.room_share, 1.5 / lights.room_share), 3
    picture = room(rng, below=below, lamps_below=most) if glass else room(rng)
    picture *= lights.room_share * light_colour(lights.room_kelvin)
    found["room"] = {
        "type": "envmap",
        "bitmap": mitsuba.Bitmap(picture.astype(np.float32)),
        "to_world": mitsuba.ScalarTransform4f().rotate([1, 0, 0], 90),
    }
    return found


def _floor(mitsuba: Any, ground: Ground, rng: np.random.Generator) -> dict[str, Any]:
    picture = FLOORS[ground.floor].paint(rng, ground.span / FLOOR_PIXELS)
    texture = {
        "type": "bitmap",
        "bitmap": mitsuba.Bitmap(picture.astype(np.float32)),
        "raw": True,
        "wrap_mode": "mirror",
        "to_uv": mitsuba.ScalarTransform4f().scale([_FLOOR_REPEATS, _FLOOR_REPEATS, 1]),
    }
    material: dict[str, Any] = {"type": "diffuse", "reflectance": texture}
    if ground.roughness is not None:
        material = {
            "type": "roughplastic",
            "distribution": "ggx",
            "alpha": ground.roughness,
            "diffuse_reflectance": texture,
        }
    return _table(mitsuba, ground, material)


def _even_floor(mitsuba: Any, ground: Ground, colour: np.ndarray) -> dict[str, Any]:
    reflectance = {"type": "rgb", "value": np.clip(colour, 0.02, 0.9).tolist()}
    return _table(mitsuba, ground, {"type": "diffuse", "reflectance": reflectance})


def _table(mitsuba: Any, ground: Ground, material: dict[str, Any]) -> dict[str, Any]:
    half = ground.span * _FLOOR_REPEATS / 2
    to_world = mitsuba.ScalarTransform4f().scale([half, half, 1])
    return {"type": "rectangle", "to_world": to_world, "bsdf": material}


def _lamp(mitsuba: Any, lamp: Lamp) -> dict[str, Any]:
    distance = float(np.linalg.norm(lamp.position))
    slant = lamp.position[2] / distance
    radiance = lamp.share * np.pi * distance**2 / (lamp.size**2 * slant)
    transform = mitsuba.ScalarTransform4f
    facing = transform().look_at(
        origin=lamp.position.tolist(), target=[0, 0, 0], up=[0.6, 0.8, 0.0]
    )
    emitted = radiance * light_colour(lamp.kelvin)
    return {
        "type": "rectangle",
        "to_world": facing @ transform().scale([lamp.size / 2, lamp.size / 2, 1]),
        "emitter": {"type": "area", "radiance": {"type": "rgb", "value": emitted.tolist()}},
    }

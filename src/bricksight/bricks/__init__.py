"""The LEGO pack: part numbers, a backbone for bricks, and renders of parts.

The core finds it through an entry point, as it finds any other pack, and never imports it. This
module is imported by every training: it knows part numbers and no more.
"""

from pathlib import Path

from bricksight.bricks.part_numbers import is_known_part, mirrored_parts
from bricksight.packs import Pack, PackBackbone, Sample

__all__ = ["PACK"]

PACK = Pack(
    name="bricks",
    backbones=[
        PackBackbone(
            name="mobilenet_v2_bricks",
            title="MobileNetV2 for bricks",
            file=Path(__file__).with_name("mobilenet_v2_bricks.npz"),
            load="bricksight.bricks.backbone:load",
            auto_size=160,  # at which it was trained
            num_features=1280,
            num_parameters=2_257_984,
            num_multiply_adds=299_494_272,
            licence="Apache-2.0",
            is_of_renders=True,
            knows=is_known_part,
            known_classes="bricksight.bricks.backbone:known_classes",
        )
    ],
    mirrored_pairs=mirrored_parts,
    sample=Sample(
        title="rendered photos of 12 LEGO-style parts",
        write="bricksight.bricks.synth.sample:write_sample",
        backbone="packaged:efficientnet_lite0",
        remark="They are rendered, so expect real photos to be harder. Train on them without the "
        "backbone for bricks, which was trained on renders of these very parts.",
    ),
)
"""What the entry point names."""

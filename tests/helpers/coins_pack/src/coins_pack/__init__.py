"""A pack about coins, as small as one can be."""

from pathlib import Path

from bricksight.packs import Pack, PackBackbone

COINS = ("1 cent", "20 cents", "2 euros")


def knows(name: str) -> bool:
    """Returns whether the backbone was trained on the coin of that name."""
    return name in COINS


def worn_pairs(names: list[str]) -> list[tuple[str, str]]:
    """Returns the faces of a coin that are mirror images of one another."""
    return [("obverse", "reverse")] if {"obverse", "reverse"} <= set(names) else []


PACK = Pack(
    name="coins",
    backbones=[
        PackBackbone(
            name="coins",
            title="Coin network",
            file=Path(__file__).with_name("coins.npz"),
            load="coins_pack.network:load",
            input_size=32,
            num_features=6,
            num_parameters=6 * (4 * 4 * 3 + 1),
            num_multiply_adds=6 * 4 * 4 * 3 * 8 * 8,
            licence="MIT",
            knows=knows,
            known_classes="coins_pack.network:known_classes",
        )
    ],
    mirrored_pairs=worn_pairs,
)

"""Packs that are installed for a test, and a bricksight without its own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from bricksight import __version__
from helpers.photos import COLOURS

COIN_COLOURS = {"1 cent": "red", "20 cents": "green", "2 euros": "blue"}
"""Class that the pack of coins knows → what its photos look like here."""


def write_distribution(
    folder: Path, name: str, entry_points: Mapping[str, Mapping[str, str]], version: str = "1.0"
) -> Path:
    """Returns ``folder`` with the metadata of a distribution, as pip leaves it.

    On ``PYTHONPATH`` it comes before an installed one of the same name.
    """
    about = folder / f"{name}-{version}.dist-info"
    about.mkdir(parents=True)
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    (about / "METADATA").write_text(text)
    lines = []
    for group, entries in entry_points.items():
        lines += [f"[{group}]", *(f"{key} = {value}" for key, value in entries.items())]
    (about / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return folder


def without_packs(folder: Path) -> Path:
    """Returns ``folder`` with a bricksight that has no entry points."""
    return write_distribution(folder, "bricksight", {}, version=__version__)


def install_coins(folder: Path) -> Path:
    """Returns ``folder`` with the pack of coins, built and installed by pip."""
    source = folder.with_name(f"{folder.name}-source")
    shutil.copytree(Path(__file__).with_name("coins_pack"), source)
    write_coin_weights(source / "src" / "coins_pack" / "coins.npz")
    command = ["install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run(
        [sys.executable, "-m", "pip", *command, "--target", str(folder), str(source)],
        check=True,
        timeout=120,
    )
    return folder


def write_coin_weights(path: Path) -> None:
    """Writes weights by which the features are red, green, blue and their negatives."""
    kernel = np.zeros((4, 4, 3, 6), np.float32)
    for channel in range(3):
        kernel[..., channel, channel] = 1 / 16
        kernel[..., channel, channel + 3] = -1 / 16
    colours = np.array([COLOURS[one] for one in COIN_COLOURS.values()]) / 255
    centres = np.concatenate([colours, 1 - colours], axis=1).astype(np.float32)
    np.savez(
        path,
        kernel=kernel,
        bias=np.array([0, 0, 0, 1, 1, 1], np.float32),
        head_kernel=20 * centres.T,
        head_bias=-10 * (centres**2).sum(axis=1),
    )


def run_python(*words: str | Path, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Returns a finished run of Python in a process of its own.

    Args:
        words: what stands behind ``python``.
        path: comes before everything else that Python finds modules and distributions in.
    """
    before = [] if path is None else [str(path)]
    search = os.pathsep.join([*before, *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.run(
        [sys.executable, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=240,
        env=os.environ | {"PYTHONPATH": search},
    )

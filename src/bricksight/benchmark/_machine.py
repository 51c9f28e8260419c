"""Describe the machine on which a benchmark ran."""

import contextlib
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

from bricksight._support.threads import num_cores

_PACKAGES = ("bricksight", "ai-edge-litert", "tensorflow", "keras", "onnxruntime", "openvino")
_PACKAGES_OF_PHOTOS = ("numpy", "pillow")


def machine() -> dict[str, Any]:
    """Return processor, board, cores, memory, operating system and versions of packages."""
    versions = {"Python": platform.python_version()}
    for package in (*_PACKAGES, *_PACKAGES_OF_PHOTOS):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return {
        "processor": _processor(),
        "board": _board(),
        "cores": num_cores(),
        "memory_bytes": _memory_bytes(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "versions": versions,
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.lower().startswith("model name"):
                return line.partition(":")[2].strip()
    if platform.system() == "Darwin":
        command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            return done.stdout.strip()
    return platform.processor() or platform.machine()


def _board() -> str | None:
    """Return the model name of a board such as a Raspberry Pi or a Jetson, else ``None``."""
    with contextlib.suppress(OSError):
        return Path("/proc/device-tree/model").read_text(errors="replace").rstrip("\0\n")
    return None


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return None

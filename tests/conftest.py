"""Fixtures that every room's tests may use."""

from pathlib import Path

import pytest

from helpers.photos import write_faulty_folder, write_photo_folder
from helpers.tiny_bundle import tiny_run as tiny_run
from helpers.wheel import wheel as wheel


@pytest.fixture(autouse=True)
def own_cache_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Gives every test a cache folder of its own, never the user's."""
    folder = tmp_path / "bricksight-cache"
    monkeypatch.setenv("BRICKSIGHT_CACHE_DIR", str(folder))
    return folder


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder of real photos and modules that lies beside the repository."""
    folder = Path(__file__).parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip(f"the real photos and modules are not here: {folder} does not exist")
    return folder


@pytest.fixture
def photo_folder(tmp_path: Path) -> Path:
    """Three classes of eight small photos; one is grey, one has alpha, one an EXIF rotation."""
    return write_photo_folder(tmp_path / "photos")


@pytest.fixture
def faulty_folder(tmp_path: Path) -> Path:
    """The same with an example of everything that can be wrong; see ``write_faulty_folder``."""
    return write_faulty_folder(tmp_path / "faulty")

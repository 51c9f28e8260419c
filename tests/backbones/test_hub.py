"""TensorFlow Hub and Kaggle, from caches and from a real server on this machine."""

import base64
import hashlib
import io
import os
import shutil
import socket
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bricksight.backbones import find, frozen_graph, resolve
from bricksight.errors import BackboneError
from helpers.file_server import Answer, FileServer, serving
from helpers.tiny_backbones import noise, tiny_network, write_hub_module, write_saved_model

HUB = "https://tfhub.dev/google/imagenet/mobilenet_v2_100_224/feature_vector"
KAGGLE = "kaggle:someone/tiny/tensorFlow2/32-feature-vector/1"
KAGGLE_PATH = "/api/v1/models/someone/tiny/tensorFlow2/32-feature-vector/1/download"


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving() as one:
        yield one


@pytest.fixture(scope="module")
def saved_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_saved_model(tmp_path_factory.mktemp("modules") / "tiny", tiny_network())


@pytest.fixture(scope="module")
def archive(saved_model: Path) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        tar.add(saved_model, arcname=".")
    return buffer.getvalue()


@pytest.fixture(autouse=True)
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "hub"))
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "kagglehub"))
    return tmp_path / "hub"


def folder_name(handle: str) -> str:
    return hashlib.sha1(handle.encode()).hexdigest()


@pytest.mark.tf
def test_tfhub__downloads_unpacks_and_remembers(
    server: FileServer, archive: bytes, hub_cache: Path
) -> None:
    handle = f"{server.url}/tiny/1"
    server.answers["/tiny/1?tf-hub-format=compressed"] = [
        Answer(status=302, headers={"Location": "/elsewhere.tar.gz"})
    ]
    server.answers["/elsewhere.tar.gz"] = [Answer(archive)]
    told: list[int] = []
    backbone = resolve(handle, progress=lambda done, _total: told.append(done))
    assert backbone.location == hub_cache / folder_name(handle)
    assert told[-1] == len(archive)
    descriptor = hub_cache / f"{folder_name(handle)}.descriptor.txt"
    assert descriptor.read_text() == f"Module: {handle}\n"
    expected = np.asarray(tiny_network()(noise()))
    found = np.asarray(frozen_graph(backbone).load()(noise()))
    np.testing.assert_allclose(found, expected, atol=1e-5)

    server.requests.clear()
    assert resolve(handle) == backbone
    assert server.requests == []


@pytest.mark.tf
def test_tfhub__two_at_once_download_once(server: FileServer, archive: bytes) -> None:
    handle = f"{server.url}/tiny/1"
    server.answers["/tiny/1?tf-hub-format=compressed"] = [Answer(archive)]
    threads = [threading.Thread(target=resolve, args=(handle,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert find(handle) is not None
    assert len(server.requests) == 1


def cut_short(folder: Path, damage: str) -> None:
    variables = folder / "variables"
    (data,) = variables.glob("variables.data-*")
    match damage:
        case "empty folder":
            shutil.rmtree(folder)
            folder.mkdir()
        case "empty graph":
            (folder / "saved_model.pb").write_bytes(b"")
        case "half a graph":
            os.truncate(folder / "saved_model.pb", 2000)
        case "no variables":
            shutil.rmtree(variables)
        case "no data":
            data.unlink()
        case "empty data":
            os.truncate(data, 0)
        case "a part of two":
            data.rename(variables / "variables.data-00000-of-00002")


DAMAGES = [
    "empty folder", "empty graph", "half a graph", "no variables", "no data", "empty data",
    "a part of two",
]  # fmt: skip


@pytest.mark.tf
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("source", ["tfhub", "kaggle"])
def test_cache__incomplete_folder_is_downloaded_again(
    server: FileServer,
    saved_model: Path,
    archive: bytes,
    hub_cache: Path,
    own_cache_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    damage: str,
) -> None:
    monkeypatch.setenv("KAGGLE_API_ENDPOINT", server.url)
    handle, path = f"{server.url}/tiny/1", "/tiny/1?tf-hub-format=compressed"
    folder = hub_cache / folder_name(handle)
    if source == "kaggle":
        handle, path = KAGGLE, KAGGLE_PATH
        folder = own_cache_dir.joinpath("kaggle_models", *KAGGLE[7:].split("/"))
    shutil.copytree(saved_model, folder)
    assert resolve(handle).location == folder
    assert server.requests == []
    cut_short(folder, damage)
    assert find(handle) is None
    with pytest.raises(BackboneError, match=rf"is incomplete \(.*{folder}.*404"):
        resolve(handle)
    server.answers[path] = [Answer(archive)]
    assert resolve(handle).location == folder
    assert (folder / "saved_model.pb").read_bytes() == (saved_model / "saved_model.pb").read_bytes()


@pytest.mark.tf
def test_tfhub__damaged_values_name_the_folder(saved_model: Path, hub_cache: Path) -> None:
    folder = hub_cache / folder_name(f"{HUB}/9")
    shutil.copytree(saved_model, folder)
    (data,) = folder.glob("variables/variables.data-*")
    os.truncate(data, data.stat().st_size // 2)
    with pytest.raises(
        BackboneError, match=rf"cannot load {folder}(.|\n)*remove a downloaded folder"
    ):
        resolve(f"{HUB}/9").load()


@pytest.mark.parametrize("handle", ["http://", "https://[::1/m", "https:///m"])
def test_tfhub__address_that_is_none(handle: str) -> None:
    with pytest.raises(BackboneError, match=r"is not a TensorFlow Hub URL"):
        resolve(handle)


def test_tfhub__address_with_a_password(server: FileServer) -> None:
    handle = server.url.replace("//", "//me:secret@") + "/tiny/1"
    with pytest.raises(BackboneError, match=r"user name or password.*netrc") as caught:
        resolve(handle)
    assert "secret" not in str(caught.value)
    assert server.requests == []


def test_tfhub__archive_without_a_saved_model(server: FileServer) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        tar.addfile(tarfile.TarInfo("readme.txt"))
    server.answers["/m?tf-hub-format=compressed"] = [Answer(buffer.getvalue())]
    with pytest.raises(BackboneError, match=r"holds no saved_model\.pb"):
        resolve(f"{server.url}/m")


def test_tfhub__page_instead_of_an_archive(server: FileServer, hub_cache: Path) -> None:
    server.answers["/m?tf-hub-format=compressed"] = [Answer(b"<html>Sign in</html>")]
    with pytest.raises(BackboneError, match=r"not a complete tar archive"):
        resolve(f"{server.url}/m")
    assert [path for path in hub_cache.iterdir() if not path.name.endswith(".lock")] == []


def test_tfhub__no_network(hub_cache: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        handle = f"http://127.0.0.1:{taken.getsockname()[1]}/m"
        with pytest.raises(BackboneError) as caught:
            resolve(handle)
    text = str(caught.value)
    assert f"not in {hub_cache} and could not be downloaded from {handle}?tf-hub-format" in text
    assert "no connection (Connection refused)" in text
    assert f"Copy its folder to {hub_cache / folder_name(handle)}" in text
    assert "saved_model:PATH" in text
    assert "packaged:efficientnet_lite0, which needs no download" in text


def test_tfhub__own_cache_without_a_setting(
    saved_model: Path, own_cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TFHUB_CACHE_DIR")
    folder = own_cache_dir / "tfhub_modules" / folder_name(f"{HUB}/9")
    folder.parent.mkdir(parents=True)
    folder.symlink_to(saved_model, target_is_directory=True)
    assert find(f"{HUB}/9") == folder


@pytest.mark.tf
def test_tfhub__size_in_the_name_of_a_handle(hub_cache: Path) -> None:
    handle = "https://tfhub.dev/google/imagenet/mobilenet_v2_100_96/feature_vector/5"
    write_saved_model(hub_cache / folder_name(handle), tiny_network(None))
    assert resolve(handle).input_spec.height == 96
    assert resolve(f"{handle}@size=64").input_spec.height == 64


@pytest.mark.tf
def test_tfhub__a_tf1_hub_module_cannot_be_trained_and_says_what_can(hub_cache: Path) -> None:
    write_hub_module(hub_cache / folder_name(f"{HUB}/3"))
    expected = (
        rf"{HUB}/3@size=32 is a graph of TensorFlow 1.* Fine-tune keras:MobileNetV2, or its "
        rf"version in TF2 format, {HUB}/5, instead"
    )
    with pytest.raises(BackboneError, match=expected):
        resolve(f"{HUB}/3@size=32").trainable()
    half = HUB.replace("_100_", "_050_")
    write_hub_module(hub_cache / folder_name(f"{half}/2"))
    with pytest.raises(BackboneError, match=rf"keras:MobileNetV2@alpha=0.5, .*{half}/5"):
        resolve(f"{half}/2@size=32").trainable()


def test_kaggle__downloads_with_credentials(
    server: FileServer, archive: bytes, monkeypatch: pytest.MonkeyPatch, own_cache_dir: Path
) -> None:
    monkeypatch.setenv("KAGGLE_API_ENDPOINT", server.url)
    monkeypatch.setenv("KAGGLE_USERNAME", "me")
    monkeypatch.setenv("KAGGLE_KEY", "secret")
    server.answers[KAGGLE_PATH] = [Answer(archive)]
    backbone = resolve(KAGGLE)
    assert backbone.location == own_cache_dir.joinpath("kaggle_models", *KAGGLE[7:].split("/"))
    assert backbone.title == "tiny 32-feature-vector version 1 of someone on Kaggle"
    sent = server.requests[0][1]["Authorization"]
    assert sent == f"Basic {base64.b64encode(b'me:secret').decode()}"
    server.requests.clear()
    resolve(KAGGLE)
    assert server.requests == []


def test_kaggle__refused(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_API_ENDPOINT", server.url)
    monkeypatch.delenv("KAGGLE_USERNAME", raising=False)
    server.answers[KAGGLE_PATH] = [Answer(status=403)]
    with pytest.raises(
        BackboneError, match=r"answers 403 Forbidden.* KAGGLE_USERNAME and KAGGLE_KEY"
    ):
        resolve(KAGGLE)
    assert "Authorization" not in server.requests[0][1]


@pytest.mark.tf
def test_kaggle__cache_of_kagglehub(tmp_path: Path) -> None:
    folder = tmp_path.joinpath("kagglehub", "models", *KAGGLE[7:].split("/"))
    write_saved_model(folder, tiny_network())
    assert resolve(KAGGLE).location == folder

"""Files that are no usable picture: each is named with its reason, and nothing else happens."""

import functools
import importlib.util
import io
import struct
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile
from PIL.TiffImagePlugin import TiffImageFile

from bricksight.config import InputSpec
from bricksight.errors import ImageError
from bricksight.images import MAX_PIXELS, decode, load_input, probe

HAS_AVIF = importlib.util.find_spec("PIL.AvifImagePlugin") is not None
FORMATS = ("JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP", "PPM") + ("AVIF",) * HAS_AVIF


@functools.cache
def encoded(picture_format: str) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, size=(60, 80, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, picture_format)
    return file.getvalue()


def png_claiming(width: int, height: int) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header
    return start + struct.pack(">I", zlib.crc32(header)) + struct.pack(">I", 4) + b"IDAT"


def gif_claiming(width: int, height: int) -> bytes:
    """A GIF whose one frame is larger than the canvas named in its header."""
    screen = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0, 0, 0)
    return screen + b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x00;"


@pytest.mark.parametrize("fraction", [0.05, 0.3, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("picture_format", ["JPEG", "PNG", "GIF", "TIFF", "BMP", "PPM"])
def test_decode__truncated(picture_format: str, fraction: float) -> None:
    whole = encoded(picture_format)
    with pytest.raises(ImageError, match=r"^truncated: the file ends before the image"):
        decode(whole[: int(len(whole) * fraction)])


@pytest.mark.parametrize("fraction", [0.05, 0.5, 0.9])
@pytest.mark.parametrize("picture_format", sorted({"WEBP", "AVIF"} & set(FORMATS)))
def test_decode__truncated_formats_that_do_not_say_so(picture_format: str, fraction: float) -> None:
    whole = encoded(picture_format)
    with pytest.raises(ImageError, match=r"^(truncated|damaged): "):
        decode(whole[: int(len(whole) * fraction)])


def test_decode__jpeg_that_ends_after_its_first_segment() -> None:
    with pytest.raises(ImageError, match=r"^truncated"):
        decode(encoded("JPEG")[:20])


def test_decode__avif_with_an_older_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL.AvifImagePlugin", None)
    with pytest.raises(ImageError, match=r"^unsupported: AVIF needs Pillow 11.3 or newer"):
        decode(b"\0\0\0\x20ftypavif\0\0\0\0")


@pytest.mark.parametrize("brand", [b"heic", b"mif1", b"msf1", b"hevc"])
def test_decode__heic_without_its_package(monkeypatch: pytest.MonkeyPatch, brand: bytes) -> None:
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    with pytest.raises(ImageError, match=r"^unsupported: HEIC .*: pip install pi-heif$"):
        decode(b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0")


def test_decode__damaged_heic() -> None:
    with pytest.raises(ImageError, match=r"^(damaged|truncated): "):
        decode(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 100)


def jpeg(**options: object) -> bytes:
    file = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 256, size=(61, 83, 3), dtype=np.uint8)
    Image.fromarray(noise).save(file, "JPEG", **options)
    return file.getvalue()


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"subsampling": 0}, {"restart_marker_rows": 1}]
)
@pytest.mark.parametrize("missing", [1, 2])
def test_decode__jpeg_that_lacks_only_its_end_marker(
    options: dict[str, object], missing: int, tmp_path: Path
) -> None:
    whole = jpeg(**options)
    path = tmp_path / "cut.jpg"
    path.write_bytes(whole[:-missing])
    np.testing.assert_array_equal(decode(path), decode(whole))
    np.testing.assert_array_equal(decode(whole[:-missing], min_size=20), decode(whole, min_size=20))


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"quality": 100}])
@pytest.mark.parametrize("missing", [5, 6, 8, 12, 50, 200])
def test_decode__jpeg_that_lacks_picture_data_too(options: dict[str, object], missing: int) -> None:
    with pytest.raises(ImageError, match=r"^truncated: the file ends before the image"):
        decode(jpeg(**options)[:-missing])


def test_decode__empty_file(tmp_path: Path) -> None:
    path = tmp_path / "empty.jpg"
    path.touch()
    with pytest.raises(ImageError, match=r"^empty: the file holds no bytes$"):
        decode(path)


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        (b"not a photo at all", '"not a photo"'),
        (b"<html>\n<head>", '"<html> <head"'),
        (b"\x1f\x8b\x08 zip", "the bytes 1f 8b 08 20 7a 69 70"),
        (b"\n\n", "the bytes 0a 0a"),
    ],
)
def test_decode__what_is_no_picture_is_shown_as_it_is(content: bytes, shown: str) -> None:
    with pytest.raises(ImageError, match=rf"^not an image: the file starts with {shown}$"):
        decode(content)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (b"8BPS\0\1", "Photoshop"),
        (b"%PDF-1.7", "PDF"),
        (b"<svg xmlns=", "SVG"),
    ],
)
def test_decode__known_but_not_read(source: bytes, name: str) -> None:
    with pytest.raises(ImageError, match=f"^unsupported: the format is {name}. Save it as JPEG"):
        decode(source)


def test_decode__missing_file(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"^cannot be read: No such file or directory$"):
        decode(tmp_path / "missing.jpg")


def test_decode__folder(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"^cannot be read: "):
        decode(tmp_path)


@pytest.mark.parametrize("read", [decode, probe])
@pytest.mark.parametrize(
    "source", [png_claiming(20_000, 20_000), gif_claiming(20_000, 20_000)], ids=["png", "gif"]
)
def test_decompression_bomb(read: object, source: bytes) -> None:
    assert callable(read)
    with pytest.raises(ImageError, match=r"^too large: .*400,?000,?000 "):
        read(source)


def test_decompression_bomb__says_the_limit() -> None:
    with pytest.raises(ImageError, match=f"20000 x 20000 .* limit is {MAX_PIXELS:,}"):
        probe(png_claiming(20_000, 20_000))


@pytest.mark.parametrize(
    "source", [png_claiming(10_000, 10_000), gif_claiming(10_000, 10_000)], ids=["png", "gif"]
)
def test_probe__size_of_which_pillow_only_warns(source: bytes) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = probe(source)
    assert (found.width, found.height, caught) == (10_000, 10_000, [])


def test_decode__zero_size() -> None:
    with pytest.raises(ImageError, match="the header gives no image size"):
        decode(png_claiming(0, 5))


@pytest.mark.parametrize(
    ("mode", "kind"), [("I", "32-bit"), ("F", "floating-point")], ids=["int32", "float32"]
)
def test_decode__grey_without_a_white(mode: str, kind: str) -> None:
    file = io.BytesIO()
    Image.new(mode, (4, 4), 1).save(file, "TIFF")
    with pytest.raises(ImageError, match=f"^unsupported: {kind} grey does not define"):
        decode(file.getvalue())


def test_decode__odd_tiff_tags_are_not_warned_about() -> None:
    source = bytearray(encoded("TIFF"))
    compression = struct.pack("<HHI", 259, 3, 1)
    assert compression in source
    source = source.replace(compression, struct.pack("<HHI", 259, 3, 2))  # two values, not one
    with pytest.warns(UserWarning, match="too many entries"):
        TiffImageFile(io.BytesIO(source))
    np.testing.assert_array_equal(decode(bytes(source)), decode(encoded("TIFF")))


def test_decode__animated_png_that_counts_no_frames_is_not_warned_about() -> None:
    whole = encoded("PNG")
    after_header = 8 + 25
    body = b"acTL" + struct.pack(">II", 0, 0)
    chunk = struct.pack(">I", 8) + body + struct.pack(">I", zlib.crc32(body))
    animated = whole[:after_header] + chunk + whole[after_header:]
    np.testing.assert_array_equal(decode(animated), decode(whole))


def test_decode__leaves_the_process_alone() -> None:
    before = (list(warnings.filters), Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)
    for picture_format in FORMATS:
        whole = encoded(picture_format)
        decode(whole)
        with pytest.raises(ImageError, match=r"^(truncated|damaged)"):
            decode(whole[: len(whole) // 2])
    after = (list(warnings.filters), Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)
    assert before == after


def test_load_input__gives_the_reason_too() -> None:
    with pytest.raises(ImageError, match=r"^truncated: "):
        load_input(encoded("JPEG")[:2000], InputSpec())


@settings(deadline=None, max_examples=50)
@given(source=st.binary(max_size=200))
def test_decode__any_bytes(source: bytes) -> None:
    with pytest.raises(ImageError, match=r"^[a-z ]+: "):
        decode(source)


@pytest.mark.parametrize("picture_format", FORMATS)
@settings(deadline=None, max_examples=50)
@given(draw=st.data())
def test_decode__damaged_bytes_give_pixels_or_a_reason(
    picture_format: str, draw: st.DataObject
) -> None:
    source = bytearray(encoded(picture_format))
    for _ in range(3):
        position = draw.draw(st.integers(0, min(500, len(source) - 1)))
        source[position] = draw.draw(st.integers(0, 255))
    try:
        found = probe(bytes(source))
        if found.width * found.height < 10_000_000:
            assert decode(bytes(source)).shape == (found.height, found.width, 3)
    except ImageError as error:
        assert str(error)

"""Every kind of picture file gives the pixels that a viewer shows."""

import io
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bricksight.images import ImageProbe, decode, probe
from bricksight.images._colour import to_rgb

WHITE = [255, 255, 255]
RED = [255, 0, 0]


def encoded(image: Image.Image, picture_format: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, picture_format, **options)
    return file.getvalue()


def quarters(width: int = 32, height: int = 48) -> np.ndarray:
    """An upright picture with another colour in each quarter."""
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    pixels[: height // 2, : width // 2] = RED
    pixels[: height // 2, width // 2 :] = [0, 200, 0]
    pixels[height // 2 :, : width // 2] = [0, 0, 255]
    pixels[height // 2 :, width // 2 :] = [250, 250, 0]
    return pixels


def png_chunk(kind: bytes, content: bytes) -> bytes:
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def png_16_bit(values: np.ndarray, *, colour_type: int) -> bytes:
    """A PNG of 16 bits a channel, which Pillow reads but does not write for colour."""
    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0))
        + png_chunk(b"IDAT", zlib.compress(rows))
        + png_chunk(b"IEND", b"")
    )


def grey_tiff(strip: bytes, size: tuple[int, int], *, bits: int, photometric: int) -> bytes:
    """An uncompressed little-endian grey TIFF of one strip."""
    tags = {256: size[0], 257: size[1], 258: bits, 259: 1, 262: photometric, 277: 1, 278: size[1]}
    tags |= {273: 8 + 2 + 12 * (len(tags) + 2) + 4, 279: len(strip)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, tags[tag]) for tag in sorted(tags))
    header = b"II*\0" + struct.pack("<IH", 8, len(tags))
    return header + entries + struct.pack("<I", 0) + strip


# EXIF 2.3, table 6: which side of the upright picture the stored first row and first column are.
STORED_FROM_UPRIGHT = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.swapaxes(0, 1),
    6: lambda upright: upright.swapaxes(0, 1)[::-1],
    7: lambda upright: upright[::-1, ::-1].swapaxes(0, 1),
    8: lambda upright: upright[::-1].swapaxes(0, 1),
}


@pytest.mark.parametrize("orientation", STORED_FROM_UPRIGHT)
@pytest.mark.parametrize(
    ("picture_format", "options"),
    [
        ("JPEG", {"quality": 100, "subsampling": 0}),
        ("PNG", {}),
        ("WEBP", {"lossless": True}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
    ],
)
def test_decode__exif_orientation(
    orientation: int, picture_format: str, options: dict[str, object]
) -> None:
    upright = quarters()
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED_FROM_UPRIGHT[orientation](upright)))
    source = encoded(stored, picture_format, exif=exif, **options)
    np.testing.assert_allclose(decode(source).astype(int), upright, atol=4)
    assert probe(source) == ImageProbe(picture_format, width=32, height=48, mode="RGB")


def test_decode__damaged_exif_is_no_hindrance() -> None:
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, 3, 0)
    cut_short = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 9) + entry + b"\x0f\x01\x02\0"
    source = encoded(Image.fromarray(quarters()), "JPEG", exif=cut_short, quality=100)
    assert decode(source)[-1, -1].tolist() == pytest.approx(RED, abs=4)


@pytest.mark.parametrize(
    "exif", [b"", b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0??"]
)
def test_decode__exif_without_orientation(exif: bytes) -> None:
    source = encoded(Image.fromarray(quarters()), "JPEG", exif=exif, quality=100)
    assert decode(source)[0, 0].tolist() == pytest.approx(RED, abs=4)


@settings(deadline=None)
@given(exif=st.binary(max_size=60))
def test_decode__any_exif_bytes(exif: bytes) -> None:
    source = encoded(Image.fromarray(quarters()), "JPEG", exif=b"Exif\0\0MM\0*" + exif)
    assert sorted(decode(source).shape) == [3, 32, 48]


def test_decode__alpha_on_white() -> None:
    image = Image.new("RGBA", (3, 1), (255, 0, 0, 255))
    image.putpixel((1, 0), (255, 0, 0, 0))
    image.putpixel((2, 0), (0, 0, 0, 102))
    assert decode(encoded(image)).tolist() == [[RED, WHITE, [153] * 3]]


def test_decode__grey_with_alpha_on_white() -> None:
    image = Image.new("LA", (2, 1), (10, 255))
    image.putpixel((1, 0), (10, 0))
    assert decode(encoded(image)).tolist() == [[[10] * 3, WHITE]]


def test_decode__palette() -> None:
    image = Image.fromarray(quarters()).quantize(4)
    assert image.mode == "P"
    np.testing.assert_array_equal(decode(encoded(image)), quarters())


@pytest.mark.parametrize(
    ("picture_format", "transparency"), [("PNG", 1), ("PNG", b"\xff\x00"), ("GIF", 1)]
)
def test_decode__palette_with_transparency_on_white(
    picture_format: str, transparency: int | bytes
) -> None:
    image = Image.new("P", (2, 1), 0)
    image.putpalette([*RED, 0, 0, 0])
    image.putpixel((1, 0), 1)
    source = encoded(image, picture_format, transparency=transparency)
    assert decode(source).tolist() == [[RED, WHITE]]


@pytest.mark.parametrize("mode", ["L", "RGB", "1"])
def test_decode__transparent_colour_on_white(mode: str) -> None:
    image = Image.new(mode, (2, 1), "white")
    image.putpixel((1, 0), 0 if mode != "RGB" else (0, 0, 0))
    source = encoded(image, transparency=0 if mode != "RGB" else (0, 0, 0))
    assert decode(source).tolist() == [[WHITE, WHITE]]


@pytest.mark.parametrize("mode", ["RGBa", "La"])
def test_to_rgb__premultiplied_alpha(mode: str) -> None:
    image = Image.new("RGBA" if mode == "RGBa" else "LA", (1, 1), 0)
    image.putalpha(51)
    image = image.convert(mode)
    assert np.asarray(to_rgb(image)).tolist() == [[[204] * 3]]


def test_to_rgb__palette_with_alpha() -> None:
    image = Image.new("PA", (1, 1), (1, 51))
    image.putpalette([*RED, 0, 0, 0])
    assert np.asarray(to_rgb(image)).tolist() == [[[204] * 3]]


def test_decode__one_bit() -> None:
    image = Image.new("1", (2, 1), 0)
    image.putpixel((1, 0), 1)
    assert decode(encoded(image)).tolist() == [[[0, 0, 0], WHITE]]


def test_decode__grey_jpeg() -> None:
    source = encoded(Image.new("L", (8, 8), 77), "JPEG")
    np.testing.assert_allclose(decode(source).astype(int), 77, atol=1)


SIXTEEN_BIT = np.array([[0, 0x1234, 0x8000, 0xFFFF]], dtype=np.uint16)
UPPER_BITS = [[[0] * 3, [0x12] * 3, [0x80] * 3, [0xFF] * 3]]


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(encoded(Image.fromarray(SIXTEEN_BIT), "PNG"), id="png"),
        pytest.param(encoded(Image.fromarray(SIXTEEN_BIT), "TIFF"), id="tiff"),
        pytest.param(encoded(Image.fromarray(SIXTEEN_BIT.astype(">u2")), "TIFF"), id="tiff-big"),
        pytest.param(b"P5 4 1 65535\n" + SIXTEEN_BIT.astype(">u2").tobytes(), id="pgm"),
        pytest.param(
            grey_tiff((0xFFFF - SIXTEEN_BIT).tobytes(), (4, 1), bits=16, photometric=0),
            id="tiff-white-is-zero",
        ),
        pytest.param(
            grey_tiff(bytes.fromhex("000123800fff"), (4, 1), bits=12, photometric=1), id="tiff-12"
        ),
    ],
)
def test_decode__16_bit_grey_keeps_its_upper_bits(source: bytes) -> None:
    assert decode(source).tolist() == UPPER_BITS


def test_decode__16_bit_colour() -> None:
    values = np.array([[[0xFFFF, 0x8000, 0x1234], [0, 0, 0xFFFF]]], dtype=np.uint16)
    source = png_16_bit(values, colour_type=2)
    assert decode(source).tolist() == [[[255, 0x80, 0x12], [0, 0, 255]]]


def test_decode__16_bit_grey_with_alpha() -> None:
    values = np.array([[[0x4000, 0xFFFF], [0x4000, 0]]], dtype=np.uint16)
    assert decode(png_16_bit(values, colour_type=4)).tolist() == [[[0x40] * 3, WHITE]]


def cmyk_to_rgb(cmyk: tuple[int, int, int, int]) -> list[float]:
    return [(255 - ink) * (255 - cmyk[3]) / 255 for ink in cmyk[:3]]


@pytest.mark.parametrize("ink", [(0, 0, 0, 0), (255, 0, 0, 0), (20, 120, 220, 60), (0, 0, 0, 255)])
@pytest.mark.parametrize("picture_format", ["JPEG", "TIFF"])
def test_decode__cmyk(picture_format: str, ink: tuple[int, int, int, int]) -> None:
    options = {"quality": 100} if picture_format == "JPEG" else {}
    source = encoded(Image.new("CMYK", (8, 8), ink), picture_format, **options)
    np.testing.assert_allclose(decode(source)[4, 4], cmyk_to_rgb(ink), atol=3)


def test_decode__ycck_as_photoshop_writes_it() -> None:
    ink = (20, 120, 220, 60)
    luma, blue, red = Image.new("RGB", (1, 1), ink[:3]).convert("YCbCr").getpixel((0, 0))
    # Pillow writes every component inverted, Photoshop the fourth one only.
    planes = Image.new("CMYK", (8, 8), (255 - luma, 255 - blue, 255 - red, ink[3]))
    source = encoded(planes, "JPEG", quality=100)
    marker = source.index(b"Adobe") + 11
    source = source[:marker] + b"\x02" + source[marker + 1 :]
    np.testing.assert_allclose(decode(source)[4, 4], cmyk_to_rgb(ink), atol=3)


@pytest.mark.parametrize("picture_format", ["GIF", "PNG", "WEBP", "TIFF", "MPO"])
def test_decode__first_of_several_frames(picture_format: str) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    source = encoded(frames[0], picture_format, save_all=True, append_images=frames[1:])
    np.testing.assert_allclose(decode(source).astype(int), np.full((16, 16, 3), RED), atol=3)


@pytest.mark.parametrize("picture_format", ["BMP", "PPM"])
def test_decode__further_formats(picture_format: str) -> None:
    source = encoded(Image.fromarray(quarters()), picture_format)
    np.testing.assert_array_equal(decode(source), quarters())


def test_decode__avif() -> None:
    pytest.importorskip("PIL.AvifImagePlugin", reason="AVIF needs Pillow 11.3 or newer")
    source = encoded(Image.fromarray(quarters()), "AVIF", quality=100, subsampling="4:4:4")
    np.testing.assert_allclose(decode(source).astype(int), quarters(), atol=4)


def test_decode__colour_profile_is_ignored() -> None:
    image = Image.fromarray(quarters())
    with_profile = encoded(image, icc_profile=b"not a profile")
    np.testing.assert_array_equal(decode(with_profile), quarters())


def test_decode__path_bytes_and_wrong_extension_are_alike(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(encoded(Image.fromarray(quarters()), "PNG"))
    np.testing.assert_array_equal(decode(path), decode(path.read_bytes()))
    assert probe(path) == probe(path.read_bytes()) == ImageProbe("PNG", 32, 48, "RGB")


def test_decode__contract() -> None:
    pixels = decode(encoded(Image.fromarray(quarters())))
    assert (pixels.dtype, pixels.shape) == (np.uint8, (48, 32, 3))
    assert pixels.flags.c_contiguous


@settings(deadline=None)
@given(
    width=st.integers(1, 300),
    height=st.integers(1, 300),
    min_size=st.integers(1, 300),
)
def test_decode__min_size_is_kept(width: int, height: int, min_size: int) -> None:
    source = encoded(Image.new("RGB", (width, height), "red"), "JPEG")
    pixels = decode(source, min_size=min_size)
    assert min(pixels.shape[:2]) >= min(min_size, width, height)


def test_decode__min_size_reduces_a_jpeg() -> None:
    source = encoded(Image.fromarray(quarters(640, 480)), "JPEG")
    reduced = decode(source, min_size=100)
    assert reduced.shape == (120, 160, 3)
    np.testing.assert_allclose(
        reduced[[20, 20, 100, 100], [20, 140, 20, 140]].astype(int),
        decode(source)[[80, 80, 400, 400], [80, 560, 80, 560]].astype(int),
        atol=3,
    )


def test_decode__min_size_leaves_other_formats_alone() -> None:
    assert decode(encoded(Image.fromarray(quarters())), min_size=4).shape == (48, 32, 3)


def test_probe__does_not_read_the_pixels() -> None:
    source = encoded(Image.fromarray(quarters(300, 200)), "JPEG")
    assert probe(source[:700]) == ImageProbe("JPEG", 300, 200, "RGB")


def test_decode__from_several_threads() -> None:
    formats = ["JPEG", "PNG", "TIFF", "GIF", "WEBP"]
    sources = [
        encoded(Image.fromarray(np.roll(quarters(), shift, axis=0)), picture_format)
        for shift in range(8)
        for picture_format in formats
    ]
    alone = [decode(source) for source in sources]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(decode, sources))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)

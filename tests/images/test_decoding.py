"""Every kind of picture file gives the pixels that a viewer shows."""

import io
import struct
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bricksight.images import ImageProbe, decode, probe
from bricksight.images.reading.colour import to_rgb

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


def stored_on_its_side(picture_format: str = "JPEG", **options: object) -> bytes:
    """A file that is upright once its orientation, 6, is applied."""
    stored = Image.fromarray(np.ascontiguousarray(STORED_FROM_UPRIGHT[6](quarters())))
    return encoded(stored, picture_format, **options)


ODD_ORIENTATIONS = {
    "byte": (1, b"\6"),
    "ascii": (2, b"6\0"),
    "short": (3, struct.pack("<H", 6)),
    "long": (4, struct.pack("<I", 6)),
    "signed-byte": (6, b"\6"),
    "signed-short": (8, struct.pack("<h", 6)),
    "signed-long": (9, struct.pack("<i", 6)),
}


def exif_block(kind: int, value: bytes, order: str = "<") -> bytes:
    entry = struct.pack(order + "HHI", 0x0112, kind, 1) + value.ljust(4, b"\0")
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return mark + struct.pack(order + "IH", 8, 1) + entry + bytes(4)


@pytest.mark.parametrize("kind", ODD_ORIENTATIONS)
def test_decode__orientation_of_any_integer_type(kind: str) -> None:
    exif = b"Exif\0\0" + exif_block(*ODD_ORIENTATIONS[kind])
    source = stored_on_its_side(quality=100, subsampling=0, exif=exif)
    np.testing.assert_allclose(decode(source).astype(int), quarters(), atol=4)
    assert probe(source)[1:3] == (32, 48)


def test_decode__orientation_as_a_big_endian_long() -> None:
    exif = b"Exif\0\0" + exif_block(4, struct.pack(">I", 6), order=">")
    source = stored_on_its_side(quality=100, subsampling=0, exif=exif)
    np.testing.assert_allclose(decode(source).astype(int), quarters(), atol=4)


@pytest.mark.parametrize("value", [b"9\0", b"\0\0", b"up\0", b"66\0", b"\xb2\0"])
def test_decode__orientation_that_is_none(value: bytes) -> None:
    source = encoded(Image.fromarray(quarters()), exif=b"Exif\0\0" + exif_block(2, value))
    np.testing.assert_array_equal(decode(source), quarters())


@pytest.mark.parametrize("kind", ODD_ORIENTATIONS)
@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_decode__tiff_orientation_of_any_integer_type(kind: str, compression: str | None) -> None:
    source = stored_on_its_side("TIFF", tiffinfo={0x0112: 6}, compression=compression)
    entry = struct.pack("<HHI", 0x0112, 3, 1) + struct.pack("<HH", 6, 0)
    assert source.count(entry) == 1
    number, value = ODD_ORIENTATIONS[kind]
    source = source.replace(entry, struct.pack("<HHI", 0x0112, number, 1) + value.ljust(4, b"\0"))
    np.testing.assert_array_equal(decode(source), quarters())
    assert probe(source)[1:3] == (32, 48)


def test_decode__orientation_of_a_png_by_imagemagick() -> None:
    profile = b"Exif\0\0" + exif_block(3, struct.pack("<H", 6))
    text = f"\nexif\n{len(profile):8}\n{profile.hex()}\n"
    chunk = b"Raw profile type exif\0\0" + zlib.compress(text.encode())
    png = stored_on_its_side("PNG")
    source = png[:33] + png_chunk(b"zTXt", chunk) + png[33:]
    np.testing.assert_array_equal(decode(source), quarters())


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


TWELVE_BIT = np.array([[0, 0x123, 0x800, 0xFFF]], dtype=np.uint16)


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(encoded(Image.fromarray(TWELVE_BIT), "PNG"), id="png"),
        pytest.param(encoded(Image.fromarray(TWELVE_BIT), "TIFF"), id="tiff"),
        pytest.param(encoded(Image.fromarray(TWELVE_BIT.astype(">u2")), "TIFF"), id="tiff-big"),
        pytest.param(
            encoded(Image.fromarray(TWELVE_BIT), "TIFF", compression="tiff_lzw"), id="tiff-lzw"
        ),
        pytest.param(b"P5 4 1 65535\n" + TWELVE_BIT.astype(">u2").tobytes(), id="pgm"),
    ],
)
def test_decode__12_bit_grey_in_16_bits(source: bytes) -> None:
    assert decode(source).tolist() == UPPER_BITS


@pytest.mark.parametrize("brightest", [0, 15, 700, 4095])
def test_decode__12_bits_are_scaled_alike_whatever_they_show(brightest: int) -> None:
    values = np.array([[0, brightest]], dtype=np.uint16)
    assert decode(encoded(Image.fromarray(values)))[0, 1].tolist() == [brightest >> 4] * 3


def colour_tiff(values: np.ndarray, order: str) -> bytes:
    """An uncompressed colour TIFF of 16 bits a channel, which Pillow does not write."""
    height, width = values.shape[:2]
    strip = values.astype(order + "u2").tobytes()
    short, long = 3, 4
    entries = [(256, short, width), (257, short, height), (259, short, 1), (262, short, 2)]
    entries += [(277, short, 3), (278, short, height), (279, long, len(strip))]
    start = 8 + 2 + 12 * (len(entries) + 2) + 4
    table = {
        tag: struct.pack(order + "HHI", tag, kind, 1)
        + struct.pack(order + ("HH" if kind == short else "I"), *((value, 0)[: 3 - kind // 2]))
        for tag, kind, value in [*entries, (273, long, start + 6)]
    }
    table[258] = struct.pack(order + "HHII", 258, short, 3, start)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, len(table))
    body = b"".join(table[tag] for tag in sorted(table))
    return head + body + bytes(4) + struct.pack(order + "HHH", 16, 16, 16) + strip


COLOUR_16 = np.array([[[0xFFFF, 0x8000, 0x1234], [0, 0, 0xFFFF]]], dtype=np.uint16)


@pytest.mark.parametrize("bits", [12, 16])
@pytest.mark.parametrize("kind", ["png", "tiff-little", "tiff-big"])
def test_decode__colour_of_12_and_16_bits(kind: str, bits: int) -> None:
    values = COLOUR_16 >> (16 - bits)
    source = {
        "png": png_16_bit(values, colour_type=2),
        "tiff-little": colour_tiff(values, "<"),
        "tiff-big": colour_tiff(values, ">"),
    }[kind]
    assert decode(source).tolist() == [[[255, 0x80, 0x12], [0, 0, 255]]]


@pytest.mark.parametrize("alpha", [0xFFF, 0xFFFF])
def test_decode__12_bit_colour_with_alpha(alpha: int) -> None:
    values = np.array([[[0xFFF, 0x800, 0x123, alpha], [0, 0, 0xFFF, 0]]], dtype=np.uint16)
    source = png_16_bit(values, colour_type=6)
    assert decode(source).tolist() == [[[255, 0x80, 0x12], WHITE]]


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


@pytest.mark.parametrize("name", ["photo.heic", "photo.jpg"])
def test_decode__heic(name: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = np.ascontiguousarray(STORED_FROM_UPRIGHT[6](quarters(64, 96)))
    file = pillow_heif.from_pillow(Image.fromarray(stored))
    file.save(tmp_path / name, quality=100, chroma=444, exif=exif.tobytes())
    # Edges blur: HEVC's blocks are larger than JPEG's.
    inside = np.ix_(range(4, 96, 8), range(4, 64, 8))
    decoded = decode(tmp_path / name)
    np.testing.assert_allclose(decoded.astype(int)[inside], quarters(64, 96)[inside], atol=12)
    assert probe(tmp_path / name) == ImageProbe("HEIF", 64, 96, "RGB")


def test_decode__heic_from_several_threads() -> None:
    sources = []
    for shift in range(6):
        file = io.BytesIO()
        picture = Image.fromarray(np.roll(quarters(64, 96), 8 * shift, axis=0))
        pillow_heif.from_pillow(picture).save(file, quality=90)
        sources.append(file.getvalue())
    alone = [decode(source) for source in sources]
    with ThreadPoolExecutor(6) as pool:
        for one, other in zip(alone, pool.map(decode, sources), strict=True):
            np.testing.assert_array_equal(one, other)


def test_decode__heic_package_is_loaded_for_such_files_only() -> None:
    code = (
        "import sys, io\nfrom PIL import Image\nfrom bricksight.images import decode\n"
        "file = io.BytesIO(); Image.new('RGB', (8, 8)).save(file, 'PNG'); decode(file.getvalue())\n"
        "sys.exit('pi_heif' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


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

"""Table of supported image formats: file signature and Pillow reader.

The format is detected from the first bytes of the file, never from its name, and the reader is
called directly. ``PIL.Image.open`` is not used because it warns on stderr about large images and
about ordinary phone photos that contain several pictures.
"""

import importlib
from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple

from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.PpmImagePlugin import PpmImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from bricksight.errors import ImageError

HEAD_BYTES = 4096
"""Number of bytes at the start of a file that are used to detect its format."""


JPEG_START = b"\xff\xd8\xff"


class Format(NamedTuple):
    """An image format.

    Attributes:
        name: Pillow's name of the format.
        signatures: (offset, bytes) pairs; a file with any of them has this format.
        brands: Brands of an ISO base media file (ISO/IEC 14496-12); a file with any of them has
            this format.
        reader: Function that opens a file as a Pillow image without decoding the pixels.
        may_warn: Function of the first bytes: whether the reader may issue warnings.
    """

    name: str
    signatures: tuple[tuple[int, bytes], ...]
    reader: Callable[[BinaryIO], ImageFile]
    may_warn: Callable[[bytes], bool] = lambda head: False
    brands: frozenset[bytes] = frozenset()


class _JpegWithoutExif(JpegImageFile):
    """Pillow's JPEG reader without its EXIF parsing, which warns about damaged entries."""

    def getexif(self) -> Image.Exif:
        return Image.Exif()


def _open_avif(file: BinaryIO) -> ImageFile:
    try:
        plugin: Any = importlib.import_module("PIL.AvifImagePlugin")
    except ImportError as error:
        raise ImageError(
            "unsupported: AVIF needs Pillow 11.3 or newer. Upgrade it: pip install -U pillow"
        ) from error
    picture: ImageFile = plugin.AvifImageFile(file)
    return picture


def _open_heif(file: BinaryIO) -> ImageFile:
    try:
        package: Any = importlib.import_module("pi_heif")
    except ImportError as error:
        raise ImageError(
            "unsupported: HEIC and HEIF need the package pi-heif, which cannot be "
            f"imported ({error}). Install it: pip install pi-heif"
        ) from error
    picture: ImageFile = package.HeifImageFile(file)
    return picture


FORMATS = (
    Format("JPEG", ((0, JPEG_START),), _JpegWithoutExif),
    Format("PNG", ((0, b"\x89PNG\r\n\x1a\n"),), PngImageFile, lambda head: b"acTL" in head),
    Format("WEBP", ((8, b"WEBP"),), WebPImageFile),
    Format("GIF", ((0, b"GIF87a"), (0, b"GIF89a")), GifImageFile, lambda head: True),
    Format(
        "TIFF",
        ((0, b"II*\0"), (0, b"MM\0*"), (0, b"II+\0"), (0, b"MM\0+")),
        TiffImageFile,
        lambda head: True,
    ),
    Format("BMP", ((0, b"BM"),), BmpImageFile),
    Format("PPM", tuple((0, b"P%d" % kind) for kind in range(1, 7)), PpmImageFile),
    # Before HEIF, because AVIF files may list general HEIF brands too.
    Format("AVIF", (), _open_avif, lambda head: True, frozenset({b"avif", b"avis"})),
    Format(
        "HEIF",
        (),
        _open_heif,
        brands=frozenset(
            {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
            | {b"mif1", b"mif2", b"msf1", b"jpeg", b"avci"}
        ),
    ),
)

_KNOWN_BUT_NOT_READ = {
    "JPEG XL": ((0, b"\xff\x0a"), (4, b"JXL ")),
    "JPEG 2000": ((4, b"jP  "), (0, b"\xff\x4f\xff\x51")),
    "Photoshop": ((0, b"8BPS"),),
    "PDF": ((0, b"%PDF"),),
    "SVG": ((0, b"<svg"),),
    "ICO": ((0, b"\0\0\1\0"),),
}


def find_format(head: bytes) -> Format:
    """Detect the format of a file from its first bytes.

    Raises:
        ImageError: The file is empty, not an image, or of an unsupported format.
    """
    if not head:
        raise ImageError("empty: the file holds no bytes")
    brands = _brands(head)
    for picture_format in FORMATS:
        if _matches(head, picture_format.signatures) or picture_format.brands & brands:
            return picture_format
    for name, signatures in _KNOWN_BUT_NOT_READ.items():
        if _matches(head, signatures):
            raise ImageError(f"unsupported: the format is {name}. Save it as JPEG or PNG")
    raise ImageError(f"not an image: the file starts with {_shown(head[:12])}")


def _shown(head: bytes) -> str:
    """Format bytes for a message: as text if they are printable, else in hexadecimal."""
    text = " ".join(head.decode("ascii", "replace").split())
    is_text = head.isascii() and text.isprintable() and text
    return f'"{text}"' if is_text else f"the bytes {head.hex(' ')}"


def _brands(head: bytes) -> frozenset[bytes]:
    """Return the brands of an ISO base media file; empty for other files."""
    if head[4:8] != b"ftyp":
        return frozenset()
    end = min(int.from_bytes(head[:4], "big"), len(head))
    # Layout: major brand, minor version, compatible brands.
    return frozenset({head[8:12], *(head[at : at + 4] for at in range(16, end, 4))})


def _matches(head: bytes, signatures: tuple[tuple[int, bytes], ...]) -> bool:
    return any(head.startswith(signature, offset) for offset, signature in signatures)

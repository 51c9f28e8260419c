"""Convert every Pillow mode to RGB with 8 bits per channel."""

import numpy as np
from PIL import Image

from bricksight.errors import ImageError
from bricksight.images.reading import sixteen_bits

_BITS_TAG = 258
_PHOTOMETRIC_TAG = 262
_WHITE_IS_ZERO = 0


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert a loaded image to RGB; transparent areas become white.

    Of 16-bit grey, the upper 8 of the used bits are kept (see ``sixteen_bits``). CMYK is converted
    without a colour profile. Colour profiles (ICC) are ignored: every image is treated as sRGB,
    as in the training of the pretrained backbones.

    Raises:
        ImageError: The mode does not define which value is white, as 32-bit or floating-point grey.
    """
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I") and _is_16_bit(image):
        return _grey_from_16_bit(image).convert("RGB")
    if image.mode in ("I", "F"):
        kind = "floating-point" if image.mode == "F" else "32-bit"
        raise ImageError(
            f"unsupported: {kind} grey does not define which value is white. "
            "Save it with 8 bits per channel"
        )
    try:
        return _on_white(image) if _has_alpha(image) else image.convert("RGB")
    except ValueError as error:
        raise ImageError(
            f"unsupported: pixel mode {image.mode!r}. Save the photo as JPEG or PNG"
        ) from error


def used_bits(image: Image.Image) -> int:
    """Return how many bits per value a grey image uses: 12 or 16 for 16-bit grey, else 8.

    A 16-bit file that declares its bit depth is counted as 8, because nothing has to be inferred.
    """
    if not image.mode.startswith("I") or not _is_16_bit(image):
        return 8
    return (
        sixteen_bits.used_bits(np.asarray(image))
        if _num_bits(image) == sixteen_bits.SIXTEEN_BITS
        else 8
    )


def _has_alpha(image: Image.Image) -> bool:
    return image.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in image.info


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode != "RGBA":  # convert() would copy all pixels
        # Pillow has no direct way from premultiplied grey to RGBA.
        image = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
    page = Image.new("RGB", image.size, "white")
    page.paste(image, mask=image)
    return page


def _is_16_bit(image: Image.Image) -> bool:
    # Pillow before 11 opens 16-bit PNG with mode "I"; every version does so for 16-bit PGM.
    return image.mode.startswith("I;16") or getattr(image, "format", None) in ("PNG", "PPM")


def _num_bits(image: Image.Image) -> int:
    tags = getattr(image, "tag_v2", {})
    return int(tags.get(_BITS_TAG, (sixteen_bits.SIXTEEN_BITS,))[0])


def _grey_from_16_bit(image: Image.Image) -> Image.Image:
    values = np.asarray(image)
    num_bits = _num_bits(image)
    if num_bits == sixteen_bits.SIXTEEN_BITS:
        num_bits = sixteen_bits.used_bits(values)
    grey = sixteen_bits.upper_8_bits(values, num_bits)
    if getattr(image, "tag_v2", {}).get(_PHOTOMETRIC_TAG) == _WHITE_IS_ZERO:
        grey = 255 - grey
    if "transparency" in image.info:  # a PNG may declare one grey value transparent
        grey[values == image.info["transparency"]] = 255
    return Image.fromarray(grey)

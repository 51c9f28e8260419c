"""Any of Pillow's pixel modes to RGB, 8 bits a channel."""

import numpy as np
from PIL import Image

from bricksight.errors import ImageError
from bricksight.images.reading import sixteen_bits

_BITS_TAG = 258
_PHOTOMETRIC_TAG = 262
_WHITE_IS_ZERO = 0


def to_rgb(image: Image.Image) -> Image.Image:
    """Return the loaded picture as RGB, as it looks on a white page.

    Transparent parts are composited on white, 16-bit grey keeps the upper 8 of the bits that it
    uses (see ``_sixteen_bits``), CMYK is converted by the plain formula. Colour profiles (ICC) are
    ignored: every picture is taken as sRGB, which is what the pretrained networks saw.

    Raises:
        ImageError: the pixels have no defined white, as 32-bit and floating-point grey.
    """
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I") and _is_16_bit(image):
        return _grey_from_16_bit(image).convert("RGB")
    if image.mode in ("I", "F"):
        kind = "floating-point" if image.mode == "F" else "32-bit"
        raise ImageError(f"unsupported: {kind} grey has no defined white; save it with 8 bits")
    try:
        return _on_white(image) if _has_alpha(image) else image.convert("RGB")
    except ValueError as error:
        raise ImageError(f"unsupported: pixels of mode {image.mode!r}") from error


def used_bits(image: Image.Image) -> int:
    """Return 8; of grey of 16 bits that does not say how many of them it uses, 12 or 16."""
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
    if image.mode != "RGBA":  # a conversion would copy all the pixels
        # Pillow has no direct way from premultiplied grey to RGBA.
        image = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
    page = Image.new("RGB", image.size, "white")
    page.paste(image, mask=image)
    return page


def _is_16_bit(image: Image.Image) -> bool:
    # Pillow before 11 reads 16-bit PNG as mode "I", and every version does so for 16-bit PGM.
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
    if "transparency" in image.info:  # a PNG may name one grey that is transparent
        grey[values == image.info["transparency"]] = 255
    return Image.fromarray(grey)

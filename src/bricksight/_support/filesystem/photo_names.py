"""File name extensions of photos."""

PHOTO_FORMATS = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"), "JPEG"),
    **dict.fromkeys((".png", ".apng"), "PNG"),
    ".webp": "WEBP",
    ".bmp": "BMP",
    ".gif": "GIF",
    **dict.fromkeys((".heic", ".heif", ".hif"), "HEIF"),
    ".avif": "AVIF",
    **dict.fromkeys((".tif", ".tiff"), "TIFF"),
    **dict.fromkeys((".pbm", ".pgm", ".pnm", ".ppm"), "PPM"),
}
"""Extension in lower case → image format.

These are the extensions that Pillow knows for the formats that ``images`` can decode.
"""

PHOTO_EXTENSIONS = frozenset(PHOTO_FORMATS)
"""Extensions of photos in lower case; names are compared without regard to case."""

RENDERS_FILE = "synth.jsonl"
"""What tells a folder of renders from one of photos: whatever renders one leaves it there."""

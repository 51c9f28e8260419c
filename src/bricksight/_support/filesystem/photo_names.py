"""Which files are taken for photos, by the ending of their names."""

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
"""What a photo's name may end with, in lower case → the format that it stands for.

These are the endings that Pillow knows for the formats that ``images`` reads.
"""

PHOTO_EXTENSIONS = frozenset(PHOTO_FORMATS)
"""What a photo's name may end with, in lower case; any case is accepted."""

RENDERS_FILE = "synth.jsonl"
"""What tells a folder of renders from one of photos: whatever renders one leaves it there."""

"""Decode image files with TensorFlow operations, with the same pixels as ``images.decode``.

Files that TensorFlow would decode differently are refused with the reason.
"""

from typing import Any

from bricksight._support.optional import require_tensorflow

FORMATS = ("JPEG", "PNG", "BMP", "GIF")
"""Supported formats; other files are refused."""

_JPEG_REDUCTIONS = (2, 4, 8)
_GIF_HEAD = 1 << 16
"""Number of bytes at the start of a GIF that are searched for the first frame."""

_EXIF_WITHIN = 1 << 18
"""Number of bytes at the start of a file that are searched for the EXIF block."""

_WHITE = 255
_SIXTEEN_BITS = 16
_ORIENTATION_TAG = 0x0112
_EXIF_ENTRIES = 1 << 10
"""Most entries of the first EXIF table that are read; cameras write a few dozen."""


def decode_photo(content: Any, min_size: int) -> Any:
    """Decode a file to float32 (height, width, 3), RGB, whole numbers from 0 to 255.

    Args:
        content: The bytes of a JPEG, PNG, BMP or GIF file, a scalar string tensor.
        min_size: A JPEG is decoded at a reduced scale, as in ``images.decode``.

    The graph raises ``InvalidArgumentError`` for other formats, damaged files, a PNG with less than
    8 bits per channel, a GIF whose first frame has its own palette and a transparent colour, and a
    BMP that has neither 8 bits with a palette nor 24 or 32 bits.
    """
    tf = require_tensorflow()
    head = tf.strings.substr(content, 0, 4)
    is_jpeg = tf.io.is_jpeg(content)
    is_png = tf.equal(head, b"\x89PNG")
    is_gif = tf.equal(head, b"GIF8")
    is_bmp = tf.equal(tf.strings.substr(content, 0, 2), b"BM")
    kinds = tf.stack([is_jpeg, is_png, is_gif, is_bmp, True])
    kind = tf.argmax(kinds, output_type=tf.int32)
    readers = [
        lambda: _jpeg(content, min_size),
        *(lambda read=read: read(content) for read in _READERS),
    ]
    pixels = tf.switch_case(kind, readers)
    orientation = tf.where(tf.logical_or(is_jpeg, is_png), _orientation(content), 1)
    return tf.cast(_rotate_upright(pixels, orientation), tf.float32)


def _jpeg(content: Any, min_size: int) -> Any:
    tf = require_tensorflow()

    def at(ratio: int) -> Any:
        # The default method is faster, but its pixels differ by up to 8 of 255.
        return tf.io.decode_jpeg(content, channels=3, ratio=ratio, dct_method="INTEGER_ACCURATE")

    times = tf.reduce_min(tf.image.extract_jpeg_shape(content)[:2]) // min_size
    choice = tf.reduce_sum(tf.cast(times >= _JPEG_REDUCTIONS, tf.int32))
    return tf.switch_case(
        choice, [lambda ratio=ratio: at(ratio) for ratio in (1, *_JPEG_REDUCTIONS)]
    )


def _png(content: Any) -> Any:
    """Decode a PNG, transparent areas white; see ``images.reading.sixteen_bits`` for 16 bits."""
    tf = require_tensorflow()
    bits = tf.cast(_bytes(content, 25)[24], tf.int32)
    reason = "The PNG has less than 8 bits a pixel, which TensorFlow misreads. Save it with 8."
    with _raise_unless(bits >= 8, reason):
        values = tf.io.decode_png(content, channels=4, dtype=tf.uint16)
    values = tf.cast(values, tf.int32)
    is_16_bit = bits == _SIXTEEN_BITS
    is_12_bit = tf.reduce_max(values[..., :3]) < 1 << 12
    is_12_bit_alpha = tf.logical_and(is_12_bit, tf.reduce_max(values[..., 3]) < 1 << 12)
    # 257 is the factor by which TensorFlow converts 8 bits to 16.
    by = [
        tf.where(is_16_bit, tf.where(is_12, 16, 256), 257) for is_12 in (is_12_bit, is_12_bit_alpha)
    ]
    colour, alpha = values[..., :3] // by[0], values[..., 3:] // by[1]
    blend = colour * alpha + _WHITE * (_WHITE - alpha) + 128  # rounded as by Pillow
    return tf.cast((blend // 256 + blend) // 256, tf.uint8)


def _gif(content: Any) -> Any:
    """Decode the first frame of a GIF, transparent areas white.

    TensorFlow would make them black. So the file is changed before it is decoded: the transparent
    colour is white in the palette, and the transparency flag is cleared.
    """
    tf = require_tensorflow()
    size = tf.strings.length(content)
    head = tf.cast(_bytes(content, _GIF_HEAD), tf.int32)
    num_colours = tf.where(head[10] >= 0x80, tf.bitwise.left_shift(2, head[10] % 8), 0)
    at = _gif_control(head, 13 + 3 * num_colours)
    flags, place = head[at + 3], head[at + 6]
    is_transparent = tf.logical_and(head[at] == ord("!"), flags % 2 == 1)
    is_named = place < num_colours
    entry = tf.minimum(13 + tf.where(is_named, 3 * place, 0), size)
    after = tf.minimum(entry + tf.where(is_named, 3, 0), size)
    control = tf.clip_by_value(at, after - 3, size - 4)
    is_known = tf.logical_and(head[at + 8] == ord(","), head[at + 17] < 0x80)
    reason = "The GIF has a transparent colour and a palette of its first frame. Save it as PNG."
    parts = [
        tf.strings.substr(content, 0, entry),
        tf.where(is_named, b"\xff\xff\xff", b""),
        tf.strings.substr(content, after, control + 3 - after),
        tf.gather([bytes([value]) for value in range(256)], flags - flags % 2),
        tf.strings.substr(content, control + 4, size),
    ]
    with _raise_unless(tf.logical_or(tf.logical_not(is_transparent), is_known), reason):
        return tf.io.decode_gif(tf.where(is_transparent, tf.strings.join(parts), content))[0]


def _gif_control(head: Any, start: Any) -> Any:
    """Return the position of the graphic control extension before the first frame, if any.

    Other extensions are skipped; they consist of blocks of at most 255 bytes (GIF89a, sections 15,
    23 to 26).
    """
    tf = require_tensorflow()
    last = tf.size(head) - 32

    def is_passed(place: Any, in_blocks: Any) -> Any:
        is_other = tf.logical_and(head[place] == ord("!"), head[place + 1] != 0xF9)
        return tf.logical_and(tf.logical_or(in_blocks, is_other), place < last)

    def step(place: Any, in_blocks: Any) -> tuple[Any, Any]:
        after = place + tf.where(in_blocks, 1 + head[place], 2)
        goes_on = tf.logical_or(tf.logical_not(in_blocks), head[place] > 0)
        return tf.minimum(after, last), goes_on

    found, _ = tf.while_loop(is_passed, step, [tf.minimum(start, last), False])
    return found


def _bmp(content: Any) -> Any:
    tf = require_tensorflow()
    head = tf.cast(_bytes(content, 54 + 4 * 256 + 128), tf.int32)

    def number(at: int, size: int) -> Any:
        return tf.reduce_sum(head[at : at + size] * [1 << 8 * place for place in range(size)])

    bits, compression = number(28, 2), number(30, 4)
    # Compression 3 means colour masks; for 32 bits they usually have the standard order.
    plain = tf.logical_or(compression == 0, tf.logical_and(bits == 32, compression == 3))
    readable = tf.logical_and(tf.reduce_any(bits == [8, 24, 32]), plain)
    reason = "The BMP is not uncompressed with 8, 24 or 32 bits per pixel. Save it as PNG."
    with _raise_unless(readable, reason):
        pixels = tf.io.decode_bmp(content)

    def by_palette() -> Any:
        start = 14 + number(14, 4)
        table = tf.reshape(tf.pad(head, [[0, 4 * 256]])[start : start + 4 * 256], (256, 4))
        return tf.cast(tf.gather(table[:, 2::-1], tf.cast(pixels[..., 0], tf.int32)), tf.uint8)

    return tf.cond(bits == 8, by_palette, lambda: pixels[..., :3])


def _no_photo(content: Any) -> Any:
    tf = require_tensorflow()
    with _raise_unless(False, f"The file is not a {', '.join(FORMATS[:-1])} or {FORMATS[-1]}."):
        return tf.io.decode_jpeg(content)


_READERS = (_png, _gif, _bmp, _no_photo)


def _orientation(content: Any) -> Any:
    """Return the EXIF orientation of a JPEG or PNG, 1 to 8; see ``images.reading.orientation``."""
    tf = require_tensorflow()
    mark = tf.where(tf.io.is_jpeg(content), b"Exif\0\0", b"eXIf")
    start = tf.strings.substr([content], 0, _EXIF_WITHIN)
    pieces = tf.raw_ops.StringSplitV2(input=start, sep=mark).values
    block = tf.concat([pieces, [b"", b""]], axis=0)[1]
    order = tf.strings.substr(block, 0, 4)
    is_little = tf.equal(order, b"II*\0")

    def numbers(start: Any, dtype: Any, num_bytes: int) -> Any:
        start = tf.clip_by_value(start, 0, tf.strings.length(block))
        part = tf.strings.substr(block, start, num_bytes)
        both = [
            tf.io.decode_raw(part, dtype, little_endian=little, fixed_length=num_bytes)
            for little in (True, False)
        ]
        return tf.cast(tf.where(is_little, *both), tf.int32)

    table = numbers(numbers(4, tf.int32, 4)[0], tf.uint16, 2 + _EXIF_ENTRIES * 12)
    entries = tf.reshape(table[1:], (_EXIF_ENTRIES, 6))
    fits = tf.logical_and(tf.range(_EXIF_ENTRIES) < table[0], entries[:, 0] == _ORIENTATION_TAG)
    value = _value(entries[tf.argmax(fits)], is_little)
    is_block = tf.logical_or(is_little, tf.equal(order, b"MM\0*"))
    is_known = tf.logical_and(is_block, tf.reduce_any(fits))
    return tf.where(tf.logical_and(is_known, tf.reduce_any(value == tf.range(1, 9))), value, 1)


def _value(entry: Any, is_little: Any) -> Any:
    """Return the integer value of an EXIF entry, 0 if it is not an integer.

    Args:
        entry: int32 (6,), words of 16 bits: tag, type, count (2 words), value (2 words).
        is_little: Whether the byte order is little-endian.
    """
    tf = require_tensorflow()
    first, second = entry[4], entry[5]
    low, high = tf.where(is_little, first, second), tf.where(is_little, second, first)
    byte, long = tf.where(is_little, first % 256, first // 256), tf.where(high == 0, low, 0)
    values = [byte, byte - ord("0"), first, long, byte, first, long]
    is_type = entry[1] == [1, 2, 3, 4, 6, 8, 9]
    return tf.reduce_sum(tf.where(is_type, tf.stack(values), 0))


def _rotate_upright(pixels: Any, orientation: Any) -> Any:
    """Rotate or mirror an image by its EXIF orientation (EXIF 2.3, table 6)."""
    tf = require_tensorflow()
    order = tf.where(orientation >= 5, (1, 0, 2), (0, 1, 2))
    up_down = tf.reduce_any(orientation == [3, 4, 7, 8])
    left_right = tf.reduce_any(orientation == [2, 3, 6, 7])
    return tf.raw_ops.Reverse(
        tensor=tf.transpose(pixels, order), dims=tf.stack([up_down, left_right, False])
    )


def _raise_unless(condition: Any, reason: str) -> Any:
    """Return a context in which operations fail with ``reason`` unless ``condition`` holds."""
    tf = require_tensorflow()
    # ``tf.debugging.Assert`` adds a branch, which makes loading the model slower.
    return tf.control_dependencies([tf.raw_ops.Assert(condition=condition, data=[reason])])


def _bytes(content: Any, most: int) -> Any:
    """Return the first ``most`` bytes of a file, padded with 0: uint8 (most,)."""
    tf = require_tensorflow()
    return tf.io.decode_raw(tf.strings.substr(content, 0, most), tf.uint8, fixed_length=most)

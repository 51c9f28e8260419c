"""Photos from the bytes of their files by TensorFlow's operations, as ``images`` reads them.

What these operations would read otherwise than ``images`` does is refused with the reason.
"""

from typing import Any

from bricksight._optional import require_tensorflow

FORMATS = ("JPEG", "PNG", "BMP", "GIF")
"""What is read; anything else is refused."""

_JPEG_REDUCTIONS = (8, 4, 2)
_EXIF_WITHIN = 1 << 18
"""How many of a file's first bytes are searched for its EXIF block."""

_WHITE = 255
_SIXTEEN_BITS = 16
_ORIENTATION_TAG = 0x0112
_INTEGER_TYPES = (1, 3, 4, 6, 8, 9)


def decoded(content: Any, min_size: int) -> Any:
    """Returns the pixels of a file as float32 (height, width, 3), RGB, 0 to 255, whole numbers.

    Args:
        content: the bytes of a JPEG, PNG, BMP or GIF file, a scalar string.
        min_size: a JPEG is reduced as ``images.decode`` does.

    The graph raises ``InvalidArgumentError`` for other files, for what is damaged, for a PNG of
    less than 8 bits a pixel, for a GIF with a transparent colour in a palette of its first frame,
    and for a BMP of another kind than 8 bits with a palette, 24 or 32 bits.
    """
    tf = require_tensorflow()
    head = tf.strings.substr(content, 0, 4)
    is_png = tf.equal(head, b"\x89PNG")
    is_gif = tf.equal(head, b"GIF8")
    is_bmp = tf.equal(tf.strings.substr(content, 0, 2), b"BM")
    pixels = tf.case(
        [
            (tf.io.is_jpeg(content), lambda: _jpeg(content, min_size)),
            (is_png, lambda: _png(content)),
            (is_gif, lambda: _gif(content)),
            (is_bmp, lambda: _bmp(content)),
        ],
        default=lambda: _refused(f"The photo is no {', '.join(FORMATS[:-1])} or {FORMATS[-1]}."),
    )
    upright = tf.logical_or(is_gif, is_bmp)
    orientation = tf.cond(upright, lambda: 1, lambda: _orientation(content))
    return tf.cast(_turned(pixels, orientation), tf.float32)


def _refused(reason: str) -> Any:
    tf = require_tensorflow()
    with tf.control_dependencies([tf.debugging.Assert(False, [reason])]):
        return tf.zeros((1, 1, 3), tf.uint8)


def _jpeg(content: Any, min_size: int) -> Any:
    tf = require_tensorflow()

    def at(ratio: int) -> Any:
        # Its default way of decoding is faster, and off by up to 8 of 255.
        return tf.io.decode_jpeg(content, channels=3, ratio=ratio, dct_method="INTEGER_ACCURATE")

    times = tf.reduce_min(tf.image.extract_jpeg_shape(content)[:2]) // min_size
    cases = [(times >= ratio, lambda ratio=ratio: at(ratio)) for ratio in _JPEG_REDUCTIONS]
    return tf.case(cases, default=lambda: at(1))


def _png(content: Any) -> Any:
    """Returns a PNG on white; see ``images._sixteen_bits`` for 16 bits a channel."""
    tf = require_tensorflow()
    bits = tf.cast(tf.pad(_bytes(content, 25), [[0, 25]])[24], tf.int32)

    def of_16_bits() -> Any:
        values = tf.cast(tf.io.decode_png(content, channels=4, dtype=tf.uint16), tf.int32)
        colour, alpha = values[..., :3], values[..., 3:]
        is_12_bit = tf.reduce_max(colour) < 1 << 12
        colour = tf.where(is_12_bit, colour // 16, colour // 256)
        is_12_bit = tf.logical_and(is_12_bit, tf.reduce_max(alpha) < 1 << 12)
        return tf.concat([colour, tf.where(is_12_bit, alpha // 16, alpha // 256)], axis=-1)

    def of_8_bits() -> Any:
        return tf.cast(tf.io.decode_png(content, channels=4), tf.int32)

    reason = "The PNG has less than 8 bits a pixel, which TensorFlow misreads. Save it with 8."
    with tf.control_dependencies([tf.debugging.Assert(bits >= 8, [reason])]):
        content = tf.identity(content)
    values = tf.cond(bits == _SIXTEEN_BITS, of_16_bits, of_8_bits)
    colour, alpha = values[..., :3], values[..., 3:]
    blend = colour * alpha + _WHITE * (_WHITE - alpha) + 128  # rounded as by Pillow
    return tf.cast((blend // 256 + blend) // 256, tf.uint8)


def _gif(content: Any) -> Any:
    """Returns the first frame, on white.

    TensorFlow makes a transparent colour black. So the file is changed before it is decoded: the
    palette names white in that place, and the flag of transparency is cleared.
    """
    tf = require_tensorflow()
    head = tf.cast(tf.pad(_bytes(content, 1 << 16), [[0, 32]]), tf.int32)
    num_colours = tf.where(head[10] >= 0x80, tf.bitwise.left_shift(2, head[10] % 8), 0)
    at = _gif_control(head, 13 + 3 * num_colours)
    flags, place = head[at + 3], head[at + 6]
    is_transparent = tf.logical_and(head[at] == ord("!"), flags % 2 == 1)
    is_named = place < num_colours
    entry = 13 + tf.where(is_named, 3 * place, 0)
    after = entry + tf.where(is_named, 3, 0)
    reason = "The GIF has a transparent colour and a palette of its first frame. Save it as PNG."
    is_known = tf.logical_and(head[at + 8] == ord(","), head[at + 17] < 0x80)
    readable = tf.logical_or(tf.logical_not(is_transparent), is_known)

    def on_white() -> Any:
        bytes_of = tf.constant([bytes([value]) for value in range(256)])
        parts = [
            tf.strings.substr(content, 0, entry),
            tf.where(is_named, b"\xff\xff\xff", b""),
            tf.strings.substr(content, after, at + 3 - after),
            bytes_of[flags - 1],
            tf.strings.substr(content, at + 4, tf.strings.length(content)),
        ]
        return tf.strings.join(parts)

    with tf.control_dependencies([tf.debugging.Assert(readable, [reason])]):
        return tf.io.decode_gif(tf.cond(is_transparent, on_white, lambda: content))[0]


def _gif_control(head: Any, start: Any) -> Any:
    """Returns where the graphic control extension before the first frame is, or what is there.

    Extensions of other kinds are passed over: GIF89a, sections 15, 23 to 26.
    """
    tf = require_tensorflow()
    last = tf.size(head) - 32

    def after_blocks(place: Any) -> Any:
        (end,) = tf.while_loop(
            lambda place: tf.logical_and(head[place] > 0, place < last),
            lambda place: [tf.minimum(place + 1 + head[place], last)],
            [place],
        )
        return tf.minimum(end + 1, last)

    def is_other(place: Any) -> Any:
        is_extension = tf.logical_and(head[place] == ord("!"), place < last)
        return tf.logical_and(is_extension, head[place + 1] != 0xF9)

    start = tf.minimum(start, last)
    (found,) = tf.while_loop(is_other, lambda place: [after_blocks(place + 2)], [start])
    return found


def _bmp(content: Any) -> Any:
    tf = require_tensorflow()
    head = tf.cast(_bytes(content, 54 + 4 * 256 + 128), tf.int32)

    def number(at: int, size: int) -> Any:
        return tf.reduce_sum(head[at : at + size] * [1 << 8 * place for place in range(size)])

    bits, compression = number(28, 2), number(30, 4)
    # 3: the colours are named by masks, those of 32 bits mostly in the plain order.
    plain = tf.logical_or(compression == 0, tf.logical_and(bits == 32, compression == 3))
    readable = tf.logical_and(tf.reduce_any(bits == [8, 24, 32]), plain)
    reason = "The BMP has another kind of pixels than 8, 24 or 32 plain bits. Save it as PNG."

    def by_palette() -> Any:
        start = 14 + number(14, 4)
        table = tf.reshape(tf.pad(head, [[0, 4 * 256]])[start : start + 4 * 256], (256, 4))
        indices = tf.io.decode_bmp(content)[..., 0]
        return tf.cast(tf.gather(table[:, 2::-1], tf.cast(indices, tf.int32)), tf.uint8)

    with tf.control_dependencies([tf.debugging.Assert(readable, [reason])]):
        return tf.case(
            [
                (bits == 8, by_palette),
                (bits == 24, lambda: tf.io.decode_bmp(content, channels=3)),
            ],
            default=lambda: tf.io.decode_bmp(content, channels=4)[..., :3],
        )


def _orientation(content: Any) -> Any:
    """Returns the EXIF orientation of a JPEG or PNG, 1 to 8; see ``images._orientation``."""
    tf = require_tensorflow()
    head = _bytes(content, _EXIF_WITHIN)
    marks = [mark + order for mark in (b"Exif\0\0", b"eXIf") for order in (b"II*\0", b"MM\0*")]
    ends = tf.concat([_places(head, mark) + len(mark) for mark in marks], axis=0)
    return tf.cond(
        tf.size(ends) > 0,
        lambda: _orientation_at(tf.cast(head, tf.int32), tf.reduce_min(ends) - 4),
        lambda: 1,
    )


def _orientation_at(head: Any, start: Any) -> Any:
    tf = require_tensorflow()
    block = tf.pad(head[start:], [[0, 16]])
    is_little = block[0] == ord("I")

    def number(places: Any, size: int) -> Any:
        values = tf.gather(block, tf.minimum(places[:, None] + tf.range(size), tf.size(block) - 1))
        weights = tf.constant([1 << 8 * place for place in range(size)])
        ordered = tf.where(is_little, values, values[:, ::-1])
        return tf.reduce_sum(ordered * weights, axis=1)

    limit = tf.size(block) - 14
    table = tf.clip_by_value(number(tf.constant([4]), 4)[0], 8, limit)
    num_entries = tf.minimum(number(table[None], 2)[0], (limit - table) // 12)
    entries = table + 2 + 12 * tf.range(num_entries)
    entries = tf.boolean_mask(entries, number(entries, 2) == _ORIENTATION_TAG)[:1]

    def value() -> Any:
        kind = number(entries + 2, 2)[0]
        by_size = [block[entries[0] + 8], number(entries + 8, 2)[0], number(entries + 8, 4)[0]]
        is_text = kind == 2
        size = tf.gather([0, 0, 0, 1, 2, 0, 0, 0, 1, 2], tf.clip_by_value(kind, 0, 9))
        found = tf.gather(tf.stack(by_size), size) - tf.where(is_text, ord("0"), 0)
        known = tf.logical_or(is_text, tf.reduce_any(kind == _INTEGER_TYPES))
        return tf.where(tf.logical_and(known, tf.logical_and(found >= 1, found <= 8)), found, 1)

    return tf.cond(tf.size(entries) > 0, value, lambda: 1)


def _turned(pixels: Any, orientation: Any) -> Any:
    """Returns the picture as it is meant to be seen: EXIF 2.3, table 6."""
    tf = require_tensorflow()
    on_its_side = orientation >= 5
    pixels = tf.cond(on_its_side, lambda: tf.transpose(pixels, (1, 0, 2)), lambda: pixels)
    left_right = tf.reduce_any(orientation == [2, 3, 6, 7])
    up_down = tf.reduce_any(orientation == [3, 4, 7, 8])
    pixels = tf.cond(left_right, lambda: pixels[:, ::-1], lambda: pixels)
    return tf.cond(up_down, lambda: pixels[::-1], lambda: pixels)


def _bytes(content: Any, most: int) -> Any:
    tf = require_tensorflow()
    return tf.io.decode_raw(tf.strings.substr(content, 0, most), tf.uint8)


def _places(data: Any, mark: bytes) -> Any:
    """Returns where the mark begins: int32 (any,)."""
    tf = require_tensorflow()
    padded = tf.pad(data, [[0, len(mark)]])
    num = tf.size(data)
    same = [padded[place : num + place] == value for place, value in enumerate(mark)]
    return tf.cast(tf.where(tf.reduce_all(tf.stack(same), axis=0))[:, 0], tf.int32)

"""Image files, byte by byte, that Pillow and other writers would refuse to write, or would write differently."""

import struct
import zlib

import numpy as np

_TYPES = {"H": 3, "I": 4}


def tiff(pixels, photometric=None, extra=(), sample_format=None, planar=False, big_endian=False, big=False, tile=None,
         bits=None, **tags):  # fmt: skip
    """An uncompressed TIFF (``big``: BigTIFF) with one strip per plane, or with square tiles of ``tile`` pixels.

    Args:
        pixels: [H, W] or [H, W, bands], of any dtype.
        extra: the meaning of each band beyond the colour's (0 none, 1 associated alpha, 2 unassociated alpha).
        bits: bits per sample, as in the tag; ``pixels`` are then the bytes to write, [H, row].
        tags: further tags, by number, such as ``t262=1``.
    """
    order = ">" if big_endian else "<"
    array = np.asarray(pixels)
    array = array if array.ndim == 3 else array[..., None]
    height, width, bands = array.shape
    depth = bits or array.dtype.itemsize * 8
    width = width * 8 // bits if bits else width
    planes = [array[..., i : i + 1] for i in range(bands)] if planar else [array]
    blocks = []
    for plane in planes:
        plane = plane.astype(plane.dtype.newbyteorder(order))
        if tile is None:
            blocks.append(plane.tobytes())
        else:
            full = np.zeros((-(-height // tile) * tile, -(-width // tile) * tile, plane.shape[2]), plane.dtype)
            full[:height, :width] = plane
            blocks += [
                full[y : y + tile, x : x + tile].tobytes()
                for y in range(0, full.shape[0], tile)
                for x in range(0, full.shape[1], tile)
            ]
    start = 16 if big else 8
    at, offsets = start, []
    for block in blocks:
        offsets.append(at)
        at += len(block)
    photometric = (2 if bands - len(extra) == 3 else 1) if photometric is None else photometric
    fields = {
        256: ("H", [width]),
        257: ("H", [height]),
        258: ("H", [depth] * bands),
        259: ("H", [1]),
        262: ("H", [photometric]),
        277: ("H", [bands]),
        284: ("H", [2 if planar else 1]),
    }
    if tile is None:
        fields |= {273: ("I", offsets), 278: ("H", [height]), 279: ("I", [len(b) for b in blocks])}
    else:
        fields |= {322: ("H", [tile]), 323: ("H", [tile]), 324: ("I", offsets), 325: ("I", [len(b) for b in blocks])}
    fields |= {338: ("H", list(extra))} if extra else {}
    fields |= {339: ("H", [sample_format] * bands)} if sample_format else {}
    fields |= {int(name[1:]): ("H", value if isinstance(value, list) else [value]) for name, value in tags.items()}
    room, wide = (8, "Q") if big else (4, "I")
    directory, beyond = b"", b""
    for tag, (code, values) in sorted(fields.items()):
        raw = struct.pack(f"{order}{len(values)}{code}", *values)
        if len(raw) > room:
            raw, beyond = struct.pack(f"{order}{wide}", at + len(beyond)), beyond + raw
        directory += struct.pack(f"{order}HH{wide}", tag, _TYPES[code], len(values)) + raw.ljust(room, b"\0")
    end = at + len(beyond)
    first = struct.pack(f"{order}HHHQ", 43, 8, 0, end) if big else struct.pack(f"{order}HI", 42, end)
    count = struct.pack(f"{order}{'Q' if big else 'H'}", len(fields))
    mark = b"MM" if big_endian else b"II"
    return mark + first + b"".join(blocks) + beyond + count + directory + bytes(room)


def png(samples, colour, depth=8, **chunks):
    """A PNG from its samples, [H, W] or [H, W, bands], of ``colour`` (0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGBA).

    Args:
        chunks: further chunks before the pixels, by name, such as ``PLTE=b"..."``.
    """
    array = np.asarray(samples)
    rows = array.reshape(len(array), -1)
    if depth == 16:
        lines = [row.astype(">u2").tobytes() for row in rows]
    else:
        unpacked = ((rows[..., None] >> np.arange(depth - 1, -1, -1)) & 1).reshape(len(rows), -1).astype(np.uint8)
        lines = [np.packbits(row).tobytes() for row in unpacked]
    head = struct.pack(">IIBBBBB", array.shape[1], array.shape[0], depth, colour, 0, 0, 0)
    body = b"".join(chunk(name, content) for name, content in chunks.items())
    pixels = zlib.compress(b"".join(b"\0" + line for line in lines))
    return b"\x89PNG\r\n\x1a\n" + chunk("IHDR", head) + body + chunk("IDAT", pixels) + chunk("IEND", b"")


def chunk(name, content):
    """A PNG's chunk with its checksum."""
    kind = name.encode()
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def pnm(samples, maxval, plain=False):
    """A PGM or PPM from samples [H, W] or [H, W, 3], in binary or (``plain``) in text."""
    array = np.asarray(samples)
    kind = {(2, False): 5, (3, False): 6, (2, True): 2, (3, True): 3}[array.ndim, plain]
    head = f"P{kind}\n{array.shape[1]} {array.shape[0]}\n{maxval}\n".encode()
    return head + (" ".join(map(str, array.ravel())).encode() if plain else array.astype(
        ">u2" if maxval > 255 else "u1").tobytes())  # fmt: skip

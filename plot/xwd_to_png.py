#!/usr/bin/env python3
"""Writes what an X server shows, a file of Xvfb's -fbdir (X11's XWD, version 7), as a PNG."""

import struct
import sys
import zlib

HEADER = struct.Struct(">25I")
BITS = 8


class BadPicture(Exception):
    """The file is not an XWD of 24-bit colours."""


def read_xwd(data):
    """Width, height and the rows of an XWD, three bytes a pixel: red, green, blue."""
    if len(data) < HEADER.size:
        raise BadPicture("shorter than its header")
    fields = HEADER.unpack_from(data)
    header_bytes, version, form, depth, width, height = fields[:6]
    little, bits, stride, colours = fields[7] == 0, fields[11], fields[12], fields[19]
    if version != 7 or form != 2 or depth != 24 or bits != 32:
        raise BadPicture("no XWD of 24-bit colours in pixels of 32 bits")
    begin = header_bytes + colours * 12
    if len(data) < begin + stride * height or stride < width * 4:
        raise BadPicture("shorter than its picture")
    rows = []
    for y in range(height):
        row = data[begin + y * stride:begin + y * stride + width * 4]
        pixels = bytearray(width * 3)
        for colour in range(3):
            pixels[colour::3] = row[(2 - colour if little else 1 + colour)::4]
        rows.append(bytes(pixels))
    return width, height, rows


def _chunk(kind, data):
    return (struct.pack(">I", len(data)) + kind + data
            + struct.pack(">I", zlib.crc32(kind + data)))


def _filtered(row, above):
    """The row as PNG's filter none, sub or up has it: the one with the smallest differences."""
    left = bytes(3) + row[:-3]
    candidates = [bytes([0]) + row,
                  bytes([1]) + bytes((a - b) & 255 for a, b in zip(row, left)),
                  bytes([2]) + bytes((a - b) & 255 for a, b in zip(row, above))]
    return min(candidates, key=lambda line: sum(min(byte, 256 - byte) for byte in line[1:]))


def write_png(width, height, rows):
    """The bytes of a PNG of these rows."""
    above = bytes(width * 3)
    lines = []
    for row in rows:
        lines.append(_filtered(row, above))
        above = row
    return (b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, BITS,
                                                               2, 0, 0, 0))
            + _chunk(b"IDAT", zlib.compress(b"".join(lines), 9)) + _chunk(b"IEND", b""))


def main(arguments):
    """Reads arguments[1], writes arguments[2]; an exit code."""
    if len(arguments) != 3:
        print(f"{arguments[0]}: takes two names: of the XWD file and of the PNG", file=sys.stderr)
        return 2
    try:
        with open(arguments[1], "rb") as file:
            picture = read_xwd(file.read())
        with open(arguments[2], "wb") as file:
            file.write(write_png(*picture))
    except (OSError, BadPicture) as error:
        print(f"{arguments[0]}: {arguments[1]}: {error}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))

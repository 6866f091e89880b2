"""An X server's picture becomes a PNG that has the same pixels."""

import os
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib

import plot_path  # puts plot/ on the path
import xwd_to_png

WIDTH, HEIGHT, COLOURS = 5, 3, 2


def pixel(x, y):
    """The colour that the test's picture has there."""
    return bytes([40 * x, 80 * y, (x * y * 37) % 256])


def xwd(little=True, **changes):
    """An XWD of that picture, its rows longer than they need to be; `changes` by number."""
    stride = WIDTH * 4 + 8
    fields = [100 + 8, 7, 2, 24, WIDTH, HEIGHT, 0, 0 if little else 1, 32, 0, 32, 32, stride, 4,
              0xff0000, 0xff00, 0xff, 8, 256, COLOURS, WIDTH, HEIGHT, 0, 0, 0]
    for number, value in changes.items():
        fields[int(number[1:])] = value
    rows = b""
    for y in range(HEIGHT):
        for x in range(WIDTH):
            red, green, blue = pixel(x, y)
            rows += bytes([blue, green, red, 99] if little else [99, red, green, blue])
        rows += bytes(8)
    return struct.pack(">25I", *fields) + b"name\0\0\0\0" + bytes(12 * COLOURS) + rows


def read_png(data):
    """Width, height and rows of a PNG of filters none, sub and up."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, packed = 8, b""
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length:at + 12 + length])[0] == \
            zlib.crc32(kind + body)
        if kind == b"IHDR":
            width, height = struct.unpack(">II", body[:8])
        if kind == b"IDAT":
            packed += body
        at += 12 + length
    lines, rows, above = zlib.decompress(packed), [], bytes(width * 3)
    for y in range(height):
        line = lines[y * (width * 3 + 1):(y + 1) * (width * 3 + 1)]
        row = bytearray(line[1:])
        for i in range(width * 3):
            left = row[i - 3] if i >= 3 else 0
            row[i] = (row[i] + {0: 0, 1: left, 2: above[i]}[line[0]]) & 255
        rows.append(bytes(row))
        above = row
    return width, height, rows


class Pictures(unittest.TestCase):
    """What goes in comes out."""

    def test_pixels_are_the_servers(self):
        want = [b"".join(pixel(x, y) for x in range(WIDTH)) for y in range(HEIGHT)]
        for little in (True, False):
            png = xwd_to_png.write_png(*xwd_to_png.read_xwd(xwd(little)))
            self.assertEqual(read_png(png), (WIDTH, HEIGHT, want))

    def test_what_is_no_picture_is_refused(self):
        for data in (b"", xwd()[:-1], xwd(_1=6), xwd(_3=16), xwd(_11=24), xwd(_12=4)):
            with self.assertRaises(xwd_to_png.BadPicture):
                xwd_to_png.read_xwd(data)

    def test_the_program_writes_a_file_or_says_why_not(self):
        with tempfile.TemporaryDirectory() as folder:
            source, target = os.path.join(folder, "shown"), os.path.join(folder, "shown.png")
            command = [sys.executable, xwd_to_png.__file__, source, target]
            missing = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
            self.assertEqual(missing.returncode, 3)
            self.assertIn(source, missing.stderr)
            with open(source, "wb") as file:
                file.write(xwd())
            self.assertEqual(subprocess.run(command, check=False).returncode, 0)
            with open(target, "rb") as file:
                self.assertEqual(read_png(file.read())[:2], (WIDTH, HEIGHT))


if __name__ == "__main__":
    unittest.main()

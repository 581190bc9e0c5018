#!/usr/bin/env python3
"""Writes a small stack of PNG slices and their masks: dark balls in a bright, noisy volume.

    make_stack.py FOLDER

FOLDER/images and FOLDER/masks, 40 slices of 128 x 64 pixels; prints the number of balls. No package is needed.
"""

import random
import struct
import sys
import zlib
from pathlib import Path

DEPTH, HEIGHT, WIDTH = 40, 64, 128
RADIUS = 9
CENTRES = [(DEPTH // 2, y, x) for x in range(16, WIDTH, 32) for y in (16, 48)]


def png(rows):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def main():
    folder = Path(sys.argv[1])
    noise = random.Random(1)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for z in range(DEPTH):
        inside = [[any((z - c[0]) ** 2 + (y - c[1]) ** 2 + (x - c[2]) ** 2 <= RADIUS**2 for c in CENTRES)
                   for x in range(WIDTH)] for y in range(HEIGHT)]
        images = [[min(255, max(0, int(noise.gauss(90 if is_inside else 160, 25)))) for is_inside in row] for row in inside]
        # Not in the order of the text: slice_10 comes after slice_9.
        (folder / "images" / f"slice_{z}.png").write_bytes(png(images))
        (folder / "masks" / f"slice_{z}.png").write_bytes(png([[255 * is_inside for is_inside in row] for row in inside]))
    print(len(CENTRES))


if __name__ == "__main__":
    main()

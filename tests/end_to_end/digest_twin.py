"""Compares `organon digest` with the Python printed in docs/formats/digest.md.

    digest_twin.py ORGANON DIGEST_MD

The datasets are N5 with raw blocks, written here: nothing of organon takes part but the digest.
"""

import itertools
import json
import re
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy


def write_n5(folder, voxels, chunk):
    """A dataset of raw blocks; all-zero blocks are left out, as writers may."""
    folder.mkdir(parents=True)
    (folder.parent / "attributes.json").write_text('{"n5": "2.5.1"}')
    attributes = {"dimensions": voxels.shape[::-1], "blockSize": chunk[::-1], "dataType": voxels.dtype.name,
                  "compression": {"type": "raw"}}
    (folder / "attributes.json").write_text(json.dumps(attributes))
    for position in itertools.product(*(range(-(-n // c)) for n, c in zip(voxels.shape, chunk))):
        block = voxels[tuple(slice(p * c, (p + 1) * c) for p, c in zip(position, chunk))]
        if not block.any():
            continue
        path = folder.joinpath(*map(str, position[::-1]))
        path.parent.mkdir(parents=True, exist_ok=True)
        header = struct.pack(">HHIII", 0, 3, *block.shape[::-1])
        path.write_bytes(header + block.astype(block.dtype.newbyteorder(">")).tobytes())


def main(organon, digest_md):
    code = re.search(r"```python\n(.*?)```", Path(digest_md).read_text(), re.S).group(1)
    lines = [line for line in code.splitlines() if line.strip()]
    assert len(lines) <= 10, f"{len(lines)} lines"
    printed = {}
    exec(code, printed)  # defines digest()
    digest = printed["digest"]
    random = numpy.random.default_rng(1)

    with tempfile.TemporaryDirectory() as folder:
        def of_organon(voxels, chunk):
            of_organon.number += 1
            dataset = Path(folder) / "x.n5" / str(of_organon.number)
            write_n5(dataset, voxels, chunk)
            result = subprocess.run([organon, "digest", str(dataset)], check=True, capture_output=True, text=True)
            return result.stdout.split()[0]

        of_organon.number = 0
        for name in ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64"]:
            voxels = random.integers(0, 100, (67, 5, 130)).astype(name)
            voxels[:20] = 0
            expected = digest(voxels)
            assert of_organon(voxels, (16, 5, 40)) == expected, name
            assert of_organon(voxels, (67, 2, 130)) == expected, name
            voxels[40, 2, 100] += 1
            changed = digest(voxels)
            assert changed != expected, name
            assert of_organon(voxels, (16, 5, 40)) == changed, name
    stated = re.search(r"`numpy.zeros\(\(3, 4, 5\), numpy.uint8\)` it is\s+`(\w+)`", Path(digest_md).read_text())
    assert digest(numpy.zeros((3, 4, 5), numpy.uint8)) == stated.group(1)


main(*sys.argv[1:])

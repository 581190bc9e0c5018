"""What `organon export` writes, read by other people's packages.

    volumes_twin.py ORGANON

numpy and tifffile must be there; nrrd and SimpleITK are used where they are.
"""

import gzip
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import tifffile

VOXEL_SIZE = (8.0, 4.0, 5.0)
TYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"]


def run(organon, *arguments):
    subprocess.run([organon, *map(str, arguments), "--no-fsync"], check=True, stderr=subprocess.DEVNULL)


def optional(name):
    try:
        return __import__(name)
    except ImportError:
        return None


def write_nrrd(path, volume):
    names = {"f": "float", "d": "double"}
    kind = names.get(volume.dtype.char, volume.dtype.name)
    z, y, x = volume.shape
    header = (f"NRRD0004\ntype: {kind}\ndimension: 3\nsizes: {x} {y} {z}\nspacings: 5 4 8\nunits: \"nm\" \"nm\" \"nm\"\n"
              "endian: little\nencoding: raw\n\n")
    path.write_bytes(header.encode() + volume.tobytes())


def read_nrrd(path, dtype):
    header, voxels = path.read_bytes().split(b"\n\n", 1)
    fields = dict(line.split(": ", 1) for line in header.decode().splitlines() if ": " in line)
    assert fields["space directions"] == "(5,0,0) (0,4,0) (0,0,8)", fields
    assert fields["space units"] == '"nm" "nm" "nm"', fields
    if fields["encoding"] == "gzip":
        voxels = gzip.decompress(voxels)
    shape = tuple(int(n) for n in reversed(fields["sizes"].split()))
    return np.frombuffer(voxels, np.dtype(dtype)).reshape(shape)


def check_tiff(path, volume):
    with tifffile.TiffFile(path) as tiff:
        np.testing.assert_array_equal(tiff.asarray(key=slice(None)), volume)
        assert len(tiff.pages) == len(volume) and tiff.is_bigtiff
        metadata = tiff.imagej_metadata
        assert metadata["unit"] == "nm" and metadata["spacing"] == 8 and metadata["images"] == len(volume), metadata
        x, y = (tiff.pages[0].tags[name].value for name in ("XResolution", "YResolution"))
        assert np.isclose(x[1] / x[0], 5) and np.isclose(y[1] / y[0], 4), (x, y)


def check_type(organon, folder, dtype):
    rng = np.random.default_rng(5)
    if dtype[0] == "f":
        volume = rng.normal(size=(6, 70, 90)).astype(dtype)
    else:
        limits = np.iinfo(dtype)
        volume = rng.integers(limits.min, limits.max, (6, 70, 90), dtype, endpoint=True)
    write_nrrd(folder / "in.nrrd", volume)
    dataset = folder / "cell.zarr" / "raw"
    run(organon, "import", folder / "in.nrrd", dataset, "--chunk-shape", "4,32,32", "--role",
        "raw" if dtype[0] == "f" else "labels")
    for compression in ("deflate", "none"):
        out = folder / compression
        for name in ("slices", "volume.tif", "volume.nrrd"):
            run(organon, "export", dataset, out / name, "--compression", compression)
        files = sorted((out / "slices").glob("*.tif"))
        np.testing.assert_array_equal(np.stack([tifffile.imread(file) for file in files]), volume)
        check_tiff(out / "volume.tif", volume)
        np.testing.assert_array_equal(read_nrrd(out / "volume.nrrd", dtype), volume)
        if nrrd := optional("nrrd"):
            voxels, header = nrrd.read(str(out / "volume.nrrd"))
            np.testing.assert_array_equal(voxels.transpose(2, 1, 0), volume)
            np.testing.assert_array_equal(np.diag(header["space directions"]), VOXEL_SIZE[::-1])
        if sitk := optional("SimpleITK"):
            image = sitk.ReadImage(str(out / "volume.nrrd"))
            np.testing.assert_array_equal(sitk.GetArrayFromImage(image), volume)
            assert image.GetSpacing() == VOXEL_SIZE[::-1], image.GetSpacing()
            if volume.dtype.itemsize < 8:  # of TIFF, ITK reads no wider ones
                image = sitk.ReadImage([str(file) for file in files])
                np.testing.assert_array_equal(sitk.GetArrayFromImage(image), volume)


def main():
    for dtype in TYPES:
        with tempfile.TemporaryDirectory() as folder:
            check_type(sys.argv[1], Path(folder), dtype)
    packages = [name for name in ("tifffile", "nrrd", "SimpleITK") if optional(name)]
    print(f"{len(TYPES)} types, read by {', '.join(packages)}")


main()

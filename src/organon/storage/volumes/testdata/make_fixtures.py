#!/usr/bin/env python3
"""Writes the fixtures of this folder with other people's packages: see README.md for their versions.

    python3 make_fixtures.py FOLDER

Every volume has the shape 5, 6, 7 (z, y, x) and the voxels of `volume()`, which volumes_test.cc computes too.
"""

import sys
from pathlib import Path

import h5py
import mrcfile
import nibabel
import nrrd
import numpy as np
import SimpleITK as sitk
import tifffile

SHAPE = (5, 6, 7)
FACTOR = {1: 1, 2: 300, 4: 20_000_000, 8: 2**55}


def volume(dtype):
    dtype = np.dtype(dtype)
    z, y, x = np.indices(SHAPE)
    value = (31 * z + 7 * y + 3 * x) % 97
    if dtype.kind == "f":
        return (value * 0.5 - 10).astype(dtype)
    if dtype.kind == "i":
        value = value - 48
    return (value.astype(object) * FACTOR[dtype.itemsize]).astype(dtype)


def write_mrc(folder):
    for name, dtype in {"int8": "i1", "int16": "<i2", "float32": "<f4", "uint16": "<u2", "int16_big": ">i2",
                        "float32_big": ">f4", "float16": "<f2"}.items():
        with mrcfile.new(folder / f"{name}.mrc", overwrite=True) as mrc:
            mrc.set_data(volume(dtype))
            mrc.voxel_size = (50, 40, 80)  # x, y, z in Angstrom
            mrc.header.origin = (-200, 400, 800)
            if name == "uint16":
                mrc.set_extended_header(np.arange(256, dtype="u1"))
    with mrcfile.new(folder / "int16_gzip.mrc.gz", compression="gzip", overwrite=True) as mrc:
        mrc.set_data(volume("<i2"))
        mrc.voxel_size = (50, 40, 80)


def write_hdf5(folder):
    with h5py.File(folder / "types.h5", "w", libver=("v110", "v110")) as file:
        for name in ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"]:
            file.create_dataset(f"little/{name}", data=volume("<" + name), chunks=(2, 4, 7), compression="gzip",
                                shuffle=True)
        file["big/u2"] = volume(">u2")
        file["big/f8"] = volume(">f8")
    with h5py.File(folder / "layouts.h5", "w", libver=("v110", "v110")) as file:
        raw = file.create_dataset("volumes/raw", data=volume("u1"), chunks=(2, 3, 4), compression="lzf")
        raw.attrs["resolution"] = (8.0, 4.0, 5.0)
        raw.attrs["offset"] = (76.0, 38.0, -22.5)
        file.create_dataset("volumes/lzf16", data=volume("<u2"), chunks=(5, 6, 7), compression="lzf", shuffle=True)
        file.create_dataset("volumes/constant", data=np.full(SHAPE, 7, "u4"), chunks=(5, 6, 7), compression="lzf")
        um = file.create_dataset("volumes/um", data=volume("u1"), fletcher32=True, chunks=(1, 6, 7))
        um.attrs["element_size_um"] = np.array([0.008, 0.004, 0.005], "f4")
        unit = file.create_dataset("volumes/unit", data=volume("u1"))
        unit.attrs["resolution"] = (0.008, 0.004, 0.005)
        unit.attrs["units"] = ["um", "um", "um"]
        file["masks/bool"] = volume("u1") > 40
        file["odd/half"] = volume("f2")
        file["odd/rank4"] = np.zeros((2, 3, 4, 5), "u1")
        file["odd/compound"] = np.zeros(SHAPE, [("a", "u1"), ("b", "f4")])
        file.create_dataset("odd/scaleoffset", data=volume("i4"), scaleoffset=0)
        file.create_dataset("odd/missing", SHAPE, "u2", chunks=(2, 3, 4), fillvalue=9)
    with h5py.File(folder / "one.h5", "w", libver=("v110", "v110")) as file:
        file["only"] = volume("u1")


def write_nifti(folder):
    affine = np.diag([5.0, 4.0, 8.0, 1.0])
    affine[:3, 3] = (-20, 40, 80)

    def image(kind, dtype, unit, matrix=affine, **header):
        made = kind(volume(dtype).transpose(2, 1, 0), matrix, dtype=np.dtype(dtype))
        made.header.set_xyzt_units(unit)
        for key, value in header.items():
            made.header[key] = value
        return made

    nibabel.save(image(nibabel.Nifti1Image, "u1", "micron"), folder / "uint8.nii.gz")
    nibabel.save(image(nibabel.Nifti1Image, "f4", "mm"), folder / "float32.nii")
    nibabel.save(image(nibabel.Nifti2Image, "i8", "micron"), folder / "int64_2.nii")
    nibabel.save(image(nibabel.Nifti1Image, "i2", "micron", np.diag([-5.0, 4.0, 8.0, 1.0])), folder / "mirrored.nii")
    for version, kind, header_kind in [(1, nibabel.Nifti1Image, nibabel.Nifti1Header),
                                       (2, nibabel.Nifti2Image, nibabel.Nifti2Header)]:
        header = header_kind(endianness=">")
        header.set_data_dtype(">u2")
        header.set_xyzt_units("micron")
        made = kind(volume(">u2").transpose(2, 1, 0), affine, header)
        nibabel.save(made, folder / f"uint16_big_{version}.nii")


def write_nrrd(folder):
    header = {"space dimension": 3, "space directions": np.diag([5.0, 4.0, 8.0]), "space units": ["nm"] * 3,
              "space origin": np.array([-20.0, 40.0, 80.0])}
    nrrd.write(str(folder / "uint16.nrrd"), volume("<u2").transpose(2, 1, 0), {**header, "encoding": "raw"})
    nrrd.write(str(folder / "float64_gzip.nrrd"), volume("<f8").transpose(2, 1, 0), {**header, "encoding": "gzip"})
    nrrd.write(str(folder / "int32_big.nrrd"), volume(">i4").transpose(2, 1, 0),
               {"encoding": "gzip", "endian": "big", "spacings": [5e-3, 4e-3, 8e-3], "units": ["um"] * 3})
    nrrd.write(str(folder / "detached.nhdr"), volume("u1").transpose(2, 1, 0),
               {"encoding": "raw", "spacings": [5.0, 4.0, 8.0]}, detached_header=True)
    image = sitk.GetImageFromArray(volume("i2"))
    image.SetSpacing((5, 4, 8))
    image.SetOrigin((-20, 40, 80))
    sitk.WriteImage(image, str(folder / "itk.nrrd"), True)


def write_metaimage(folder):
    for name, dtype, compressed in [("uint8_compressed.mha", "u1", True), ("int64.mha", "i8", False),
                                    ("float32.mhd", "f4", False), ("uint16_compressed.mhd", "u2", True)]:
        image = sitk.GetImageFromArray(volume(dtype))
        image.SetSpacing((5, 4, 8))
        image.SetOrigin((-20, 40, 80))
        sitk.WriteImage(image, str(folder / name), compressed)


def write_tiff(folder):
    tifffile.imwrite(folder / "imagej.tif", volume("u2"), imagej=True, resolution=(1 / 0.005, 1 / 0.004),
                     metadata={"spacing": 0.008, "unit": "um", "axes": "ZYX"})
    tifffile.imwrite(folder / "ome_big.ome.tif", volume("f4"), bigtiff=True, ome=True, compression="zlib",
                     metadata={"axes": "ZYX", "PhysicalSizeX": 5, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 0.004,
                               "PhysicalSizeYUnit": "µm", "PhysicalSizeZ": 8, "PhysicalSizeZUnit": "nm"})
    tifffile.imwrite(folder / "int64_big_endian.tif", volume("i8"), byteorder=">", metadata=None)


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for write in [write_mrc, write_hdf5, write_nifti, write_nrrd, write_metaimage, write_tiff]:
        write(folder)
    for package in [h5py, mrcfile, nibabel, nrrd, np, tifffile]:
        print(package.__name__, package.__version__)
    print("SimpleITK", sitk.Version.VersionString(), "HDF5", h5py.version.hdf5_version)


main()

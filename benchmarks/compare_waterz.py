#!/usr/bin/env python3
"""Compares the objects of organon's agglomeration with waterz, given the same fragments and affinities of 256 levels.

    PEERS/bin/python benchmarks/compare_waterz.py --program out/build/release/benchmarks/agglomerate

PEERS: an environment with waterz 0.10.1, numpy and scipy; waterz compiles its scoring functions when they are first
used, which wants g++ and boost's headers (Debian: libboost-dev). Volumes are random cells whose interfaces all have another
quantile, so that no tie decides. The mode is the paper's: the level of a face is that of its voxel of higher index, all
faces count from the start.

waterz's HistogramQuantileAffinity is compared. Its QuantileAffinity takes, until an interface is first merged, the value at
the place of the quantile in the order in which faces were met, not in order of value: no quantile, and not compared.
"""

import argparse
import pathlib
import subprocess
import tempfile

import numpy as np
from scipy import ndimage

SHAPE = (24, 26, 28)
VOLUMES_PER_QUANTILE = 4


def random_cells(random, number):
    seeds = random.uniform(0, 1, (number, 3)) * SHAPE
    grid = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), -1)
    return (((grid[..., None, :] - seeds) ** 2).sum(-1).argmin(-1) + 1).astype(np.uint64)


def smooth_levels(random):
    noise = ndimage.gaussian_filter(random.standard_normal(SHAPE), 4)
    return np.clip((noise - noise.min()) / np.ptp(noise) * 255, 0, 255).astype(np.uint8)


def has_no_ties(fragments, levels, quantile):
    faces = {}
    for axis in range(3):
        first = tuple(slice(0, -1) if i == axis else slice(None) for i in range(3))
        later = tuple(slice(1, None) if i == axis else slice(None) for i in range(3))
        a, b, level = fragments[first].ravel(), fragments[later].ravel(), levels[later].ravel()
        differ = a != b
        for pair in zip(np.minimum(a, b)[differ], np.maximum(a, b)[differ], level[differ]):
            faces.setdefault(pair[:2], []).append(pair[2])
    values = [sorted(f)[min(quantile * len(f) // 100, len(f) - 1)] for f in faces.values()]
    return len(set(values)) == len(values)


def is_same(a, b):
    pairs = np.unique(np.stack([a.ravel().astype(np.int64), b.ravel().astype(np.int64)]), axis=1).shape[1]
    return pairs == len(np.unique(a)) == len(np.unique(b))


def main():
    import waterz

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    options = parser.parse_args()
    random = np.random.default_rng(1)
    cuts = range(5, 250, 10)
    equal = compared = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for quantile in (25, 50, 75):
            scoring = f"OneMinus<HistogramQuantileAffinity<RegionGraphType, {quantile}, ScoreValue, 256, false>>"
            found = 0
            while found < VOLUMES_PER_QUANTILE:
                fragments, levels = random_cells(random, random.integers(6, 12)), smooth_levels(random)
                if not has_no_ties(fragments, levels, quantile):
                    continue
                found += 1
                fragments.astype(np.uint32).tofile(folder / "fragments")
                levels.tofile(folder / "levels")
                # Merges at levels >= cut: in waterz a level is the middle of its bin of 1 / 256.
                descending = list(cuts)[::-1]
                theirs = waterz.agglomerate(np.stack([levels.astype(np.float32) / 255] * 3),
                                            [1 - cut / 256 for cut in descending], fragments=fragments.copy(),
                                            scoring_function=scoring)
                for cut, other in zip(descending, theirs):
                    subprocess.run([options.program, folder / "fragments", "--shape", ",".join(map(str, SHAPE)), "--levels",
                                    folder / "levels", "--face", "later", "--quantile", str(quantile), "--repeats", "1",
                                    "--threshold", str(1 - (cut - 0.5) / 255), "--result", folder / "objects"],
                                   check=True, stdout=subprocess.DEVNULL)
                    own = np.fromfile(folder / "objects", np.uint32).reshape(SHAPE)
                    equal += is_same(own, other)
                    compared += 1
    print(f"{equal} of {compared} segmentations are equal")
    raise SystemExit(equal != compared)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Measures organon's voxel kernels beside Python packages that do the same: speed per core, and every result.

    benchmarks/compare_peers.py --venv /tmp/peers --programs out/build/release/benchmarks --data ../shared/data \\
        --prediction out/epfl/epfl.n5/predictions/mito --table /tmp/peers.md

--venv makes a virtual environment with the versions of PACKAGES below where it does not exist, and runs in it. waterz
comes as a wheel; where pip has to build it, it wants a compiler and boost's headers. A row whose program or package is
missing is skipped and says so.

Volumes (kept as raw files in --work), tiled by mirroring to a cube of --edge where they are smaller:
  prediction   --prediction: a network's output (N5, uint8, gzip). Without it 128 tanh(distance / 50 nm) + 127 of the
               EPFL masks plus noise stands in, and the table says so
  cut          prediction >= 127: objects with rough edges
  objects      masks of mitochondria (EPFL)
  texture      raw voxels >= 128 (FIB-25): as many runs as EM has
  bodies, supervoxels   neurons and their fragments (FIB-25): every voxel has an id; bodies64: as uint64
  raw          grey values (EPFL)

Both sides have one thread and take turns, --rounds times two calls each; the fastest call counts, in processor seconds.
Both take the memory of their result within that time, except where the table says that they work in place. The programs
get raw files; reading and writing these is not in the time.
"""

import argparse
import contextlib
import gzip
import importlib
import io
import json
import os
import pathlib
import platform
import struct
import subprocess
import sys
import time
import venv

PACKAGES = ["numpy==2.4.6", "scipy==1.17.1", "scikit-image==0.26.0", "connected-components-3d==4.1.1", "edt==3.1.2",
            "fill-voids==2.1.2", "h5py==3.16.0", "pillow==13.0.0"]
OPTIONAL_PACKAGES = ["waterz==0.10.1", "tinybrain==1.7.0"]
CALLS_PER_ROUND = 2


def enter_environment(folder: pathlib.Path) -> None:
    """Goes on in the virtual environment, which is made where it is missing."""
    python = folder / "bin" / "python"
    if pathlib.Path(sys.prefix).resolve() == folder.resolve():
        return
    finished = folder / "organon_peers"
    wanted = "\n".join(PACKAGES + OPTIONAL_PACKAGES)
    if not finished.exists() or finished.read_text() != wanted:
        venv.create(folder, with_pip=True)
        install = [python, "-m", "pip", "install", "--quiet"]
        subprocess.run([*install, *PACKAGES], check=True)
        for package in OPTIONAL_PACKAGES:
            if subprocess.run([*install, package]).returncode != 0:
                print(f"{package} cannot be installed here; its row is skipped", file=sys.stderr)
        finished.write_text(wanted)
    os.execv(python, [str(python), *sys.argv])


# ---- volumes


def tiled(volume, shape):
    pad = [(0, max(0, want - have)) for want, have in zip(shape, volume.shape)]
    return np.ascontiguousarray(np.pad(volume, pad, mode="symmetric")[tuple(slice(0, n) for n in shape)])


def read_slices(folder: pathlib.Path):
    from PIL import Image

    files = sorted(folder.glob("*.png"))
    if not files:
        raise FileNotFoundError(f"no slices in {folder}")
    return np.stack([np.asarray(Image.open(file)) for file in files])


def read_n5(dataset: pathlib.Path):
    attributes = json.loads((dataset / "attributes.json").read_text())
    if (attributes["dataType"], attributes["compression"]["type"]) != ("uint8", "gzip"):
        raise SystemExit(f"{dataset}: expected uint8 in gzip chunks")
    block = attributes["blockSize"]
    volume = np.zeros(attributes["dimensions"][::-1], np.uint8)
    for file in dataset.glob("[0-9]*/[0-9]*/[0-9]*"):
        x, y, z = (int(part) * size for part, size in zip(file.relative_to(dataset).parts, block))
        content = file.read_bytes()
        shape = struct.unpack(">3I", content[4:16])[::-1]
        chunk = np.frombuffer(gzip.decompress(content[16:]), np.uint8).reshape(shape)
        volume[z : z + shape[0], y : y + shape[1], x : x + shape[2]] = chunk
    return volume


def imitated_prediction(masks, voxel_nm: float = 5, noise: float = 12):
    from scipy import ndimage

    inside = ndimage.distance_transform_edt(masks).astype(np.float32)
    outside = ndimage.distance_transform_edt(~masks).astype(np.float32)
    prediction = 128 * np.tanh(np.where(masks, inside - 0.5, 0.5 - outside) * voxel_nm / 50) + 127
    # Noise with the grain of a network's output (a few voxels), strongest where the network is undecided.
    random = np.random.default_rng(1)
    grain = ndimage.gaussian_filter(random.standard_normal(prediction.shape, dtype=np.float32), 1.5)
    grain *= noise / grain.std() * (1 - (prediction - 127) ** 2 / 128**2 * 0.9)
    return np.clip(np.rint(prediction + grain), 0, 255).astype(np.uint8)


class Volumes:
    def __init__(self, options):
        self.data = options.data
        self.prediction_path = options.prediction
        self.work = options.work
        self.shape = (options.edge,) * 3
        self.kept = None, None

    def get(self, name: str):
        """The volume, and the raw file that holds it."""
        path = self.work / f"{name}.raw"
        if self.kept[0] != name:
            self.kept = None, None  # One at a time: they are large.
            volume = np.ascontiguousarray(getattr(self, name)())
            volume.tofile(path)
            self.kept = name, volume
        return self.kept[1], path

    def epfl_masks(self):
        return read_slices(self.data / "epfl-hippocampus-fibsem" / "masks") > 127

    def fib25(self, file: str):
        import h5py

        packed = self.data / "fib25-neuroproof" / "training_sample2" / file
        return h5py.File(io.BytesIO(gzip.decompress(packed.read_bytes())))

    def fib25_raw(self):
        return read_slices(self.data / "fib25-neuroproof" / "training_sample2" / "grayscale_maps")

    def fib25_bodies(self):
        content = self.fib25("groundtruth.h5.gz")
        supervoxels, pairs = content["stack"][:], content["transforms"][:]
        pairs = pairs[pairs[:, 0] <= supervoxels.max()]
        body_of = np.arange(supervoxels.max() + 1)
        body_of[pairs[:, 0]] = pairs[:, 1]
        return body_of[supervoxels].astype(np.uint32)

    def fib25_fragments(self):
        return self.fib25("oversegmented_stack_labels.h5.gz")["stack"][:].astype(np.uint32)

    def prediction(self):
        if self.prediction_path is None:
            return tiled(imitated_prediction(self.epfl_masks()), self.shape)
        return tiled(read_n5(self.prediction_path), self.shape)

    def cut(self):
        return (self.prediction() >= 127).astype(np.uint8)

    def objects(self):
        return tiled(self.epfl_masks().astype(np.uint8), self.shape)

    def texture(self):
        return tiled((self.fib25_raw() >= 128).astype(np.uint8), self.shape)

    def bodies(self):
        return tiled(self.fib25_bodies(), self.shape)

    def bodies64(self):
        return self.bodies().astype(np.uint64)

    def raw(self):
        return tiled(read_slices(self.data / "epfl-hippocampus-fibsem" / "images"), self.shape)

    def supervoxels(self):
        return tiled(self.fib25_fragments(), self.shape)

    def depth_in_bodies(self):
        """uint16, as the watershed takes: 16 times the distance to the body's surface, not mirrored."""
        import edt

        bodies = self.fib25_bodies()
        return np.where(bodies != 0, np.rint(16 * edt.edt(bodies, parallel=1)), 0).astype(np.uint16)


# ---- what is compared


def is_bijection(a, b) -> bool:
    """True where equal labels of a are equal labels of b and the other way round."""
    pairs = np.unique(a.astype(np.uint64) << np.uint64(32) | b.astype(np.uint64))
    first, second = pairs >> np.uint64(32), pairs & np.uint64(0xFFFFFFFF)
    return len(np.unique(first)) == len(pairs) == len(np.unique(second))


@contextlib.contextmanager
def silent_output():
    """Also of compiled code."""
    sys.stdout.flush()
    kept = os.dup(1)
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


class Row:
    """One kernel on one volume. `organon` and `peer` each return seconds and a result; `agreement` describes both."""

    programs: list
    package: str
    goal = 1.0
    unit, work_per_voxel = "Mvoxels/s", 1e-6

    def __init__(self, volume_name, programs_folder, volumes):
        self.volume_name, self.folder, self.volumes = volume_name, programs_folder, volumes

    def prepare(self):
        self.volume, self.path = self.volumes.get(self.volume_name)
        self.shape = ",".join(map(str, self.volume.shape))
        self.work = self.volume.size * self.work_per_voxel

    def call(self, *arguments, result=None, result_option="--result"):
        command = [self.folder / self.programs[0], self.path, "--shape", self.shape, "--repeats", str(CALLS_PER_ROUND),
                   *arguments]
        if result is None:
            return json.loads(subprocess.run(list(map(str, command)), check=True, capture_output=True).stdout)
        file = self.path.with_suffix(".result")
        command += [result_option, file]
        answer = json.loads(subprocess.run(list(map(str, command)), check=True, capture_output=True).stdout)
        values = np.fromfile(file, result).reshape(self.volume.shape)
        file.unlink()
        return answer, values

    def run_peer(self):
        return self.timed(self.peer)

    @staticmethod
    def timed(function):
        best = float("inf")
        for _ in range(CALLS_PER_ROUND):
            result = None
            start = time.process_time()
            result = function()
            best = min(best, time.process_time() - start)
        return best, result

    def rates(self, own_seconds, peer_seconds):
        return self.work / own_seconds, self.work / peer_seconds


class Smooth(Row):
    name, programs, package = "smooth (sigma 3 voxels) and threshold", ["smooth_threshold_label"], "scipy"
    goal_text = "500 Mvoxels/s"

    def organon(self):
        answer, labels = self.call("--voxel-size", "4,4,4", "--sigma", "12", "--threshold", "127", result=np.uint32)
        self.radius = answer["radius_zyx"]
        return answer["smooth_threshold_seconds"], labels != 0

    def smoothed(self, kind):
        from scipy import ndimage

        return ndimage.gaussian_filter(self.volume, 3.0, output=kind, mode="mirror", radius=self.radius)

    def peer(self):
        return self.smoothed(np.float32) >= np.float32(127)

    def agreement(self, own, peer):
        exact = self.smoothed(np.float64)
        flipped = own != (exact >= 127)
        furthest = float(np.abs(exact[flipped] - 127).max()) if flipped.any() else 0.0
        return f"{int(flipped.sum())} voxels flipped against float64, at most {furthest:.4f} grey levels off"

    def is_met(self, own_rate, ratio):
        return own_rate >= 500


class LabelMask(Row):
    name, programs, package = "label, 26 neighbours, mask", ["label_components"], "cc3d"
    goal = 1.5
    type_name = "mask"

    def organon(self):
        answer, labels = self.call("--type", self.type_name, result=np.uint32)
        return answer["seconds"], labels

    def peer(self):
        import cc3d

        return cc3d.connected_components(self.volume.view(bool), connectivity=26, binary_image=True)

    def agreement(self, own, peer):
        if np.array_equal(own, peer):
            return f"{own.max()} components, labels equal"
        return f"{own.max()} components, labels equal up to numbering" if is_bijection(own, peer) else "DIFFERENT"


class LabelIds(LabelMask):
    name, type_name = "label, 26 neighbours, equal ids", "uint32"

    def peer(self):
        import cc3d

        return cc3d.connected_components(self.volume, connectivity=26)


class Fill(Row):
    name, programs, package = "fill holes (in place)", ["fill_holes"], "fill_voids"
    goal = 1.3

    def organon(self):
        answer, filled = self.call("--type", "uint8", result=np.uint8)
        return answer["seconds"], filled

    def run_peer(self):
        import fill_voids

        best = float("inf")
        for _ in range(CALLS_PER_ROUND):
            copy = self.volume.copy().view(bool)
            start = time.process_time()
            filled = fill_voids.fill(copy, in_place=True)
            best = min(best, time.process_time() - start)
        return best, filled

    def agreement(self, own, peer):
        from scipy import ndimage

        num = int((own != self.volume).sum())
        if np.array_equal(own, peer.view(np.uint8)):
            return f"{num} voxels filled, equal"
        judge = ndimage.binary_fill_holes(self.volume)
        return (f"{num} voxels filled; {int((own != peer).sum())} unlike fill_voids; "
                f"unlike scipy: organon {int((own != judge).sum())}, fill_voids {int((peer != judge).sum())}")


class Distance(Row):
    name, programs, package = "distance of each object's voxels to its surface", ["distance_transform"], "edt"
    goal = 2.5

    def organon(self):
        answer, distance = self.call("--type", "uint32", "--voxel-size", "1,1,1", result=np.float32,
                                     result_option="--out")
        return answer["seconds"], distance

    def peer(self):
        import edt

        return edt.edt(self.volume, black_border=False, parallel=1)

    def agreement(self, own, peer):
        finite = np.isfinite(own) & np.isfinite(peer)
        return f"greatest difference {float(np.abs(own - peer)[finite].max()):.2g} voxels"


class Watershed(Row):
    name, programs, package = "watershed", ["watershed"], "skimage"
    goal = 10

    def organon(self):
        answer, labels = self.call(result=np.uint32)
        return answer["seconds"], labels

    def peer(self):
        from skimage.segmentation import watershed

        return watershed(-self.volume.astype(np.int32), mask=self.volume > 0, connectivity=1)

    def agreement(self, own, peer):
        return f"{own.max()} and {peer.max()} basins (the rules differ on plateaus)"


class Agglomerate(Row):
    """The region graph and all its merges; the fragments are those of FIB-25 as they are, the levels its raw voxels."""

    name, programs, package = "agglomerate by mean (region graph and merges)", ["agglomerate"], "waterz"
    goal_text = "5 million edges/s"

    def prepare(self):
        super().prepare()
        levels = self.volumes.fib25_raw()
        self.levels_path = self.path.with_suffix(".levels")
        levels.tofile(self.levels_path)
        self.fragments = self.volume.astype(np.uint64)
        self.affinities = np.ascontiguousarray(np.broadcast_to(levels.astype(np.float32) / 255, (3, *levels.shape)))

    def organon(self):
        answer, objects = self.call("--levels", self.levels_path, "--face", "later", "--statistic", "mean",
                                    "--threshold", "0.5", result=np.uint32)
        self.edges, self.merge_seconds = answer["edges"], answer["seconds"]
        return answer["graph_seconds"] + answer["seconds"], objects

    def agglomerated(self, threshold):
        import waterz

        with silent_output():
            return next(iter(waterz.agglomerate(self.affinities, [threshold], fragments=self.fragments.copy())))

    def peer(self):
        return self.agglomerated(1.01)

    def agreement(self, own, peer):
        same = is_bijection(own, self.agglomerated(0.5).astype(np.uint32))
        return (f"{self.edges} edges, merges alone {self.edges / self.merge_seconds / 1e6:.1f} million edges/s; objects "
                f"at 0.5 {'equal' if same else 'not equal'} (waterz adds up in floating point)")

    def is_met(self, own_rate, ratio):
        return self.edges / self.merge_seconds >= 5e6


class Downsample(Row):
    """The peer's arrays are Fortran ordered: the same bytes, axes turned round."""

    programs, package = ["downsample"], "tinybrain"
    kind = ""

    def organon(self):
        answer = self.call("--kind", self.kind)
        file = self.path.with_suffix(".result")
        self.call("--kind", self.kind, "--out", file)
        shape = tuple((n + 1) // 2 for n in self.volume.shape)
        values = np.fromfile(file, self.volume.dtype).reshape(shape)
        file.unlink()
        return answer["seconds"], values

    def peer(self):
        import tinybrain

        function = tinybrain.downsample_with_averaging if self.kind == "mean" else tinybrain.downsample_segmentation
        return function(self.volume.T[..., None], (2, 2, 2), num_mips=1)[0][..., 0].T

    def agreement(self, own, peer):
        same = own == peer
        if self.kind == "mean":
            return f"{same.mean():.1%} equal, at most {np.abs(own.astype(int) - peer).max()} off (we round half up)"
        return f"{same.mean():.2%} equal (of equally frequent ids we take the smallest)"


class DownsampleMean(Downsample):
    name, kind, goal = "mean of 2 x 2 x 2, uint8", "mean", 1.5


class DownsampleMode(Downsample):
    name, kind, goal = "mode of 2 x 2 x 2, uint64", "mode", 2.0


ROWS = {
    "smooth": [(Smooth, "prediction")],
    "label": [(LabelMask, "cut"), (LabelMask, "objects"), (LabelMask, "texture"), (LabelIds, "bodies"),
              (LabelIds, "supervoxels")],
    "fill": [(Fill, "cut"), (Fill, "objects"), (Fill, "texture")],
    "distance": [(Distance, "bodies")],
    "downsample": [(DownsampleMean, "raw"), (DownsampleMode, "bodies64")],
    "watershed": [(Watershed, "depth_in_bodies")],
    "agglomerate": [(Agglomerate, "fib25_fragments")],
}


def measure(row: Row, rounds: int) -> str:
    row.prepare()
    own_seconds = peer_seconds = float("inf")
    for _ in range(rounds):
        seconds, own = row.organon()
        own_seconds = min(own_seconds, seconds)
        seconds, peer = row.run_peer()
        peer_seconds = min(peer_seconds, seconds)
    own_rate, peer_rate = row.rates(own_seconds, peer_seconds)
    ratio = own_rate / peer_rate
    is_met = row.is_met(own_rate, ratio) if hasattr(row, "is_met") else ratio >= row.goal
    goal = getattr(row, "goal_text", f"{row.goal:g} times")
    shape = " x ".join(map(str, row.volume.shape))
    return (f"| {row.name} | {row.volume_name.replace('_', ' ')}, {shape} | {own_seconds:.3f} s, {own_rate:.0f} | "
            f"{row.package} {peer_seconds:.3f} s, {peer_rate:.0f} | **{ratio:.2f}** | {goal}: "
            f"{'met' if is_met else 'missed'} | {row.agreement(own, peer)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--venv", type=pathlib.Path, help="virtual environment of the peers, made where missing")
    parser.add_argument("--programs", type=pathlib.Path, default=pathlib.Path("out/build/release/benchmarks"))
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path(os.environ.get("ORGANON_DATA", "../shared/data")))
    parser.add_argument("--prediction", type=pathlib.Path, help="an N5 dataset that organon predict made")
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("/tmp/organon_peers"), help="for raw files")
    parser.add_argument("--edge", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", default=",".join(ROWS), help="some of " + ",".join(ROWS))
    parser.add_argument("--table", type=pathlib.Path, help="file for the table")
    options = parser.parse_args()
    if options.venv is not None:
        enter_environment(options.venv)
    global np
    import numpy as np

    options.work.mkdir(parents=True, exist_ok=True)
    volumes = Volumes(options)
    processor = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")),
                     platform.processor())
    lines = [f"One core of {processor}; processor seconds and Mvoxels per s, the fastest of "
             f"{options.rounds * CALLS_PER_ROUND} calls, in turns."
             + ("" if options.prediction else " The prediction is an imitation."), "",
             "| kernel | volume | organon | peer | ratio | goal | results |", "|---|---|---|---|---|---|---|"]
    print("\n".join(lines), flush=True)
    for group in options.rows.split(","):
        if group not in ROWS:
            raise SystemExit(f"--rows: expected some of {','.join(ROWS)}, found {group}")
        for kind, volume_name in ROWS[group]:
            missing = [p for p in kind.programs if not (options.programs / p).exists()]
            try:
                importlib.import_module(kind.package)
            except ImportError:
                missing.append(f"package {kind.package}")
            if missing:
                line = f"| {kind.name} | {volume_name} | skipped: {', '.join(missing)} missing | | | | |"
            else:
                line = measure(kind(volume_name, options.programs, volumes), options.rounds)
            print(line, flush=True)
            lines.append(line)
    if options.table is not None:
        options.table.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

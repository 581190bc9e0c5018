#!/usr/bin/python3
"""tools/paper_weights_to_torchscript: checkpoints of the paper's layout, written here and by TensorFlow, become modules that
compute what the paper's definition and TensorFlow do, and that organon predicts with.

    paper_weights_test.py ORGANON
"""

import contextlib
import importlib.machinery
import importlib.util
import io
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOOL = HERE.parents[1] / "tools" / "paper_weights_to_torchscript"
GOLDEN = HERE / "testdata" / "paper_checkpoint"
ORGANON = Path(sys.argv.pop(1)).resolve()

try:
    import numpy
    import tifffile
    import torch
except ImportError as error:
    print("SKIPPED:", error, file=sys.stderr)
    sys.exit(1 if os.environ.get("CI") == "true" else 77)

torch.set_num_threads(1)
loader = importlib.machinery.SourceFileLoader("paper_weights", str(TOOL))
tool = importlib.util.module_from_spec(importlib.util.spec_from_loader("paper_weights", loader))
loader.exec_module(tool)


# --- a writer of checkpoints -----------------------------------------------------------------------------------------


def crc32c_by_bits(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 & -(crc & 1))
    return crc ^ 0xFFFFFFFF


def varint(value):
    text = b""
    while value >= 0x80:
        text += bytes([value & 0x7F | 0x80])
        value >>= 7
    return text + bytes([value])


def field(number, value):
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    return varint(number << 3) + varint(value)


def sealed(block):
    """With the trailer of a table's block: not compressed, and the masked checksum."""
    crc = crc32c_by_bits(block + b"\0")
    return block + b"\0" + struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def block_of(pairs):
    text, before, restarts = b"", b"", []
    for i, (key, value) in enumerate(pairs):
        shared = 0
        if i % 4 == 0:
            restarts.append(len(text))
        else:
            while shared < min(len(key), len(before)) and key[shared] == before[shared]:
                shared += 1
        text += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        before = key
    return text + struct.pack(f"<{len(restarts) + 1}I", *restarts, len(restarts))


def table_of(pairs, per_block=7):
    text, handles = b"", []
    for i in range(0, len(pairs), per_block):
        block = block_of(pairs[i : i + per_block])
        handles.append((pairs[i : i + per_block][-1][0], varint(len(text)) + varint(len(block))))
        text += sealed(block)
    ends = []
    for block in block_of([]), block_of(handles):
        ends.append(varint(len(text)) + varint(len(block)))
        text += sealed(block)
    return text + b"".join(ends).ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)


def write_checkpoint(prefix, tensors):
    data, pairs = b"", [(b"", field(1, 1) + field(3, field(1, 1)))]
    for name in sorted(tensors):
        values = tensors[name].astype("<f4").tobytes()
        shape = b"".join(field(2, field(1, edge)) for edge in tensors[name].shape)
        crc = tool.masked(tool.crc32c(values))
        entry = field(1, 1) + field(2, shape) + field(4, len(data)) + field(5, len(values)) + b"\x35" + struct.pack("<I", crc)
        pairs.append((name.encode(), entry))
        data += values
    Path(f"{prefix}.index").write_bytes(table_of(pairs))
    Path(f"{prefix}.data-00000-of-00001").write_bytes(data)


def paper_tensors(down, up, classes, final=None, seed=1):
    """Weights of all layers under the names that the paper's networks have, from maps per level."""
    numbers, tensors = numpy.random.default_rng(seed), {}

    def convolve(name, maps_in, maps, edge=3):
        tensors[f"{name}/kernel"] = numbers.normal(0, (2 / (edge**3 * maps_in)) ** 0.5, (edge, edge, edge, maps_in, maps))
        tensors[f"{name}/bias"] = numbers.normal(0, 0.1, maps)

    def mix(name, maps_in, maps):
        tensors[f"{name}_kernel_variables"] = numbers.normal(0, (2 / maps_in) ** 0.5, maps * maps_in)

    maps = 1
    for level, features in enumerate(down):
        for i in range(2):
            convolve(f"unet_layer_{level}_left_{i}", maps, features)
            maps = features
    for level in reversed(range(len(up))):
        mix(f"unet_up_{level + 1}_to_{level}", maps, up[level])
        convolve(f"unet_layer_{level}_right_0", down[level] + up[level], up[level])
        convolve(f"unet_layer_{level}_right_1", up[level], up[level])
        maps = up[level]
    if final:
        mix("up_final", maps, final)
        convolve("final_conv_0", final, final)
        convolve("final_conv_1", final, final)
        maps = final
    convolve("conv_pass_0", maps, classes, edge=1)
    return {name: values.astype("float32") for name, values in tensors.items()}


# --- the paper's definition, by itself -------------------------------------------------------------------------------


def convolve(tensors, name, x):
    kernel = tensors[f"{name}/kernel"]
    edge = kernel.shape[0]
    shape = [size - edge + 1 for size in x.shape[1:]]
    result = numpy.zeros([kernel.shape[4]] + shape, "float32")
    for z in range(edge):
        for y in range(edge):
            for x_ in range(edge):
                part = x[:, z : z + shape[0], y : y + shape[1], x_ : x_ + shape[2]]
                result += numpy.tensordot(kernel[z, y, x_].T, part, 1)
    return result + tensors[f"{name}/bias"][:, None, None, None]


def upsample(tensors, name, x, factor):
    """A transposed convolution whose kernel is the same in all of its voxels."""
    weights = tensors[f"{name}_kernel_variables"].reshape(-1, x.shape[0])
    mixed = numpy.tensordot(weights, x, 1)
    for axis in 1, 2, 3:
        mixed = numpy.repeat(mixed, factor, axis)
    return numpy.maximum(mixed, 0)


def crop(x, edge):
    first = (x.shape[1] - edge) // 2
    return x[:, first : first + edge, first : first + edge, first : first + edge]


def paper_network(tensors, raw, pooling):
    def level(number, x):
        for i in range(2):
            x = numpy.maximum(convolve(tensors, f"unet_layer_{number}_left_{i}", x), 0)
        if number == len(pooling):
            return x
        factor, edge = pooling[number], x.shape[1] // pooling[number]
        pooled = x.reshape(x.shape[0], edge, factor, edge, factor, edge, factor).max((2, 4, 6))
        deep = upsample(tensors, f"unet_up_{number + 1}_to_{number}", level(number + 1, pooled), factor)
        step = int(numpy.prod(pooling[number:]))
        deep = crop(deep, (deep.shape[1] - 4) // step * step + 4)
        x = numpy.concatenate([crop(x, deep.shape[1]), deep])
        for i in range(2):
            x = numpy.maximum(convolve(tensors, f"unet_layer_{number}_right_{i}", x), 0)
        return x

    x = level(0, raw[None])
    if "up_final_kernel_variables" in tensors:
        x = upsample(tensors, "up_final", x, 2)
        for i in range(2):
            x = numpy.maximum(convolve(tensors, f"final_conv_{i}", x), 0)
    return convolve(tensors, "conv_pass_0", x)


# --- tests -----------------------------------------------------------------------------------------------------------


def run(*arguments):
    done = subprocess.run([str(argument) for argument in arguments], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def convert(checkpoint, out, *arguments):
    """As from the command line; the exit code and what is said where it is not 0."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            tool.main([str(argument) for argument in (checkpoint, out, *arguments)])
    except SystemExit as refusal:
        return 1, f"{said.getvalue()}{refusal}"
    return 0, ""


def predict(module, raw):
    with torch.no_grad():
        return torch.jit.load(str(module))(torch.from_numpy(raw)[None, None])[0].numpy()


class PaperWeights(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.addCleanup(self.temporary.cleanup)
        self.folder = Path(self.temporary.name)

    def test_a_checkpoint_that_tensorflow_wrote(self):
        z, y, x = numpy.ogrid[:52, :52, :52]
        raw = ((3 * z * z + 5 * y * y + 7 * x * x + z * y + 11 * x) % 199 / 99 - 1).astype("float32")
        code, said = convert(GOLDEN / "unet_train_checkpoint_750000", self.folder / "m.pt", "--classes", "a,b", "--pooling",
                             "2,2", "--size", 52)
        self.assertEqual(code, 0, said)
        facts = json.loads((self.folder / "m.json").read_text())
        self.assertEqual((facts["output_shape"], facts["output_scale"], facts["voxel_size_nm"]), ([16] * 3, 2, 8))
        found = predict(self.folder / "m.pt", raw)
        # TensorFlow gave 20 voxels, every second of which is kept.
        expected = numpy.load(GOLDEN / "expected.npy")[:, 1:-1, 1:-1, 1:-1]
        self.assertEqual(expected.shape, found[:, ::2, ::2, ::2].shape)
        self.assertGreater(expected.std(), 0.01)
        self.assertLess(numpy.abs(found[:, ::2, ::2, ::2] - expected).max(), 1e-5)

    def test_the_papers_definition(self):
        tensors = paper_tensors([1, 2, 2, 3], [2, 2, 2], 2)
        write_checkpoint(self.folder / "c", tensors)
        code, said = convert(self.folder / "c", self.folder / "m.pt", "--classes", "er,mito", "--size", 198)
        self.assertEqual(code, 0, said)
        facts = json.loads((self.folder / "m.json").read_text())
        self.assertEqual((facts["output_shape"], facts["voxel_size_nm"]), ([18] * 3, 4))
        raw = numpy.random.default_rng(3).uniform(-1, 1, (198,) * 3).astype("float32")
        expected = paper_network(tensors, raw, [2, 3, 3])
        self.assertGreater(expected.std(), 0.01)
        self.assertLess(numpy.abs(predict(self.folder / "m.pt", raw) - expected).max(), 1e-5)

    def test_sizes_are_the_papers(self):
        for final, sizes in (None, {198: 18, 216: 36, 234: 54, 252: 72, 270: 90, 288: 108, 360: 180, 396: 216}), (
            2,  # of 68, 176 and 212 whole steps of 36 are kept
            {216: 36, 270: 144, 288: 180},
        ):
            write_checkpoint(self.folder / "c", paper_tensors([1, 1, 1, 1], [1, 1, 1], 1, final))
            network = tool.PaperUNet(tool.Checkpoint(self.folder / "c"), [[2] * 3, [3] * 3, [3] * 3])
            for size, output in sizes.items():
                self.assertEqual(tool.output_edges(network, size), [output] * 3, size)
            self.assertIsNone(tool.output_edges(network, 200))

    def test_organon_predicts_with_it(self):
        code, said = convert(GOLDEN / "unet_train_checkpoint_750000", self.folder / "m.pt", "--classes", "a,b", "--pooling",
                             "2,2", "--size", 60)
        self.assertEqual(code, 0, said)
        raw = numpy.random.default_rng(4).integers(0, 256, (72,) * 3).astype("uint8")
        tifffile.imwrite(self.folder / "raw.tif", raw, photometric="minisblack")
        cell = self.folder / "cell.n5"
        for command in (
            ["import", self.folder / "raw.tif", cell / "raw", "--voxel-size-nm", 8, "--contrast-limits", "0,255"],
            # One chunk, whose tiles lie inside of raw.
            ["predict", cell / "raw", self.folder / "m.pt", cell / "p", "--flips", 1, "--halo", 0, "--box-nm",
             "260,260,260,380,380,380"],
            ["export", cell / "p" / "b", self.folder / "b.tif"],
        ):
            code, said = run(ORGANON, *command, "--no-fsync")
            self.assertEqual(code, 0, said)
        stored = tifffile.imread(self.folder / "b.tif")
        self.assertEqual(stored.shape, (144,) * 3)
        # The tile of input voxels 32 to 48, which reads 22 more on each side.
        part = predict(self.folder / "m.pt", (raw[10:70, 10:70, 10:70] / 127.5 - 1).astype("float32"))[1]
        expected = numpy.clip(numpy.rint(128 * part + 127), 0, 255)
        self.assertGreater(expected.std(), 1)
        self.assertLessEqual(numpy.abs(stored[64:96, 64:96, 64:96] - expected).max(), 1)

    def test_what_does_not_fit_is_named(self):
        tensors = paper_tensors([2, 2, 2], [2, 2], 2)
        write_checkpoint(self.folder / "c", tensors)

        def refusal(*arguments, **changes):
            if changes:
                write_checkpoint(self.folder / "c", {**tensors, **changes.pop("tensors")})
            code, said = convert(self.folder / "c", self.folder / "m.pt", *arguments)
            self.assertNotEqual(code, 0)
            self.assertFalse((self.folder / "m.pt").exists())
            return said

        fitting = ["--classes", "a,b", "--pooling", "2,2", "--size", "52"]
        self.assertIn("it has no 'unet_layer_3_left_0/kernel'", refusal("--classes", "a,b"))
        self.assertIn("more levels than 1", refusal("--classes", "a,b", "--pooling", "2"))
        self.assertIn("2 outputs; --classes names 1", refusal("--classes", "a", "--pooling", "2,2"))
        self.assertIn("sizes that do: [44, 48, 52", refusal("--classes", "a,b", "--pooling", "2,2", "--size", "53"))
        self.assertIn("expected factors", refusal("--classes", "a,b", "--pooling", "2,x"))
        self.assertIn("expected 2 maps to go in", refusal(
            *fitting, tensors={"unet_layer_1_left_1/kernel": numpy.zeros((3, 3, 3, 4, 2))}))
        self.assertIn("found 5", refusal(*fitting, tensors={"unet_up_1_to_0_kernel_variables": numpy.zeros(5)}))
        self.assertIn("a bias, found", refusal(*fitting, tensors={"conv_pass_0/bias": numpy.zeros(3)}))
        self.assertIn("no such file", convert(self.folder / "d", self.folder / "m.pt", *fitting)[1])
        write_checkpoint(self.folder / "c", tensors)
        self.assertEqual(convert(self.folder / "c", self.folder / "m.pt", *fitting)[0], 0)
        self.assertIn("is there already", convert(self.folder / "c", self.folder / "m.pt", *fitting)[1])


class Checkpoints(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.addCleanup(self.temporary.cleanup)
        self.prefix = Path(self.temporary.name) / "c"
        self.tensors = {f"layer_{i}/kernel": numpy.full((2, i + 1), i, "float32") for i in range(12)}
        write_checkpoint(self.prefix, self.tensors)
        self.index, self.data = Path(f"{self.prefix}.index"), Path(f"{self.prefix}.data-00000-of-00001")

    def read(self):
        checkpoint = tool.Checkpoint(self.prefix)
        return {name: checkpoint.tensor(name) for name in checkpoint.entries}

    def test_checksums_are_those_of_single_bits(self):
        self.assertEqual(crc32c_by_bits(b"123456789"), 0xE3069283)
        numbers = random.Random(1)
        for size in [0, 1, 3, 256, 1000, 4096, 5001, 20000]:
            data = numbers.randbytes(size)
            self.assertEqual(tool.crc32c(data), crc32c_by_bits(data), size)

    def test_what_was_written_is_read(self):
        found = self.read()
        self.assertEqual(set(found), set(self.tensors))
        for name, values in self.tensors.items():
            numpy.testing.assert_array_equal(found[name], values)

    def test_any_changed_or_missing_byte_is_seen(self):
        for file in self.index, self.data:
            whole = file.read_bytes()
            for at in range(len(whole)):
                damaged = bytearray(whole)
                damaged[at] ^= 1 + at % 255
                file.write_bytes(damaged)
                try:
                    found = self.read()
                except tool.CheckpointError:
                    continue
                # Only what no one reads may change: the table's properties and their place, and the footer's filling.
                properties = whole.find(sealed(block_of([])))
                self.assertEqual(file, self.index)
                self.assertTrue(properties <= at < properties + len(sealed(block_of([]))) or
                                len(whole) - 48 <= at < len(whole) - 8, at)
                numpy.testing.assert_equal(found, self.tensors)
            for size in range(0, len(whole), 13):
                file.write_bytes(whole[:size])
                with self.assertRaises(tool.CheckpointError):
                    self.read()
            file.write_bytes(whole)

    def test_sealed_nonsense_is_refused(self):
        numbers = random.Random(2)
        refused = 0
        for _ in range(300):
            pairs = []
            for key, value in tool.table_pairs(self.index.read_bytes(), "index"):
                value = bytearray(value)
                for _ in range(numbers.choice([0, 0, 1, 3])):
                    if value:
                        value[numbers.randrange(len(value))] = numbers.randrange(256)
                pairs.append((key, bytes(value)))
            text = bytearray(table_of(pairs, per_block=100))
            if numbers.random() < 0.5:
                # Inside of the block, which is sealed again.
                end = text.rindex(sealed(block_of([])))
                block = text[: end - tool.BLOCK_TRAILER_BYTES]
                for _ in range(3):
                    block[numbers.randrange(len(block))] = numbers.randrange(256)
                text[:end] = sealed(bytes(block))
            other = Path(self.temporary.name) / "d"
            Path(f"{other}.index").write_bytes(text)
            Path(f"{other}.data-00000-of-00001").write_bytes(self.data.read_bytes())
            try:
                checkpoint = tool.Checkpoint(other)
                for name in checkpoint.entries:
                    checkpoint.tensor(name)
            except tool.CheckpointError:
                refused += 1
        self.assertGreater(refused, 150)


if __name__ == "__main__":
    unittest.main()

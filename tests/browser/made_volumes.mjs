// Small volumes of voxels that formulas give, written by organon in every format, for tests of others' readers.
//
//   node made_volumes.mjs <folder, emptied before> <organon>
//
// Arrays are zyx, x fastest. Edges are no multiples of the chunks; the first chunk is all 0, so it is not stored.

import { execFile } from "node:child_process";
import { mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";

const execute = promisify(execFile);

const shape = [21, 37, 50];
const voxelSizeNm = [8, 4, 4];
/** Of voxel 0's centre. Its corner (16, 16, 32) is whole in voxels of every level, so precomputed can say it exactly. */
const offsetNm = [20, 18, 34];

const chunk = 16;

const types = {
  uint8: { nrrd: "uint8", array: Uint8Array, largest: 255 },
  int16: { nrrd: "int16", array: Int16Array, largest: 32767, smallest: -32768 },
  uint16: { nrrd: "uint16", array: Uint16Array, largest: 65535 },
  uint32: { nrrd: "uint32", array: Uint32Array, largest: 2 ** 32 - 1 },
  uint64: { nrrd: "uint64", array: BigUint64Array, largest: 2n ** 64n - 1n },
  float32: { nrrd: "float", array: Float32Array, largest: Infinity, smallest: NaN },
};

function hash(n) {
  let h = Math.imul(n + 1, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 15), 0x85ebca77);
  return (h ^ (h >>> 13)) >>> 0;
}

/** A voxel's value: noise over slopes for grey values; for ids small boxes, and noise in some of them. */
function valueOf(type, z, y, x) {
  const noise = hash((z * shape[1] + y) * shape[2] + x);
  const part = hash(((z >> 2) * 31 + (y >> 2)) * 31 + (x >> 3));
  const id = part % 7 === 0 ? noise : part;
  switch (type) {
    case "uint8":
      return 3 * x + 2 * y + z + (noise % 16);
    case "int16":
      return 900 * x - 700 * y + 300 * z + (noise % 64) - 8000;
    case "uint16":
      return 1100 * x + 200 * y + 100 * z + (noise % 64);
    case "uint32":
      return id;
    case "uint64":
      return (BigInt(id) << 32n) | BigInt(hash(id)); // above 2^53, where a double would lose some
    case "float32":
      return (noise / 2 ** 31 - 1) * 10 ** ((noise % 61) - 30);
  }
}

function paint(type) {
  const { array, largest, smallest } = types[type];
  const voxels = new array(shape[0] * shape[1] * shape[2]);
  let i = 0;
  for (let z = 0; z < shape[0]; ++z)
    for (let y = 0; y < shape[1]; ++y)
      for (let x = 0; x < shape[2]; ++x, ++i) if (z >= chunk || y >= chunk || x >= chunk) voxels[i] = valueOf(type, z, y, x);
  voxels[voxels.length - 1] = largest;
  if (smallest !== undefined) voxels[voxels.length - 2] = smallest;
  return voxels;
}

const meanRoundedHalfUp = (values) => Math.floor(values.reduce((sum, value) => sum + value, 0) / values.length + 0.5);

function mostFrequent(values) {
  const counts = new Map();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].reduce((best, one) => (one[1] > best[1] || (one[1] === best[1] && one[0] < best[0]) ? one : best))[0];
}

/** A coarser level by its definition: of each cell's voxels of s0 the mean (uint8), or the most frequent (ids). */
function reduce(type, s0, factors) {
  const coarse = shape.map((size, axis) => Math.ceil(size / factors[axis]));
  const voxels = new types[type].array(coarse[0] * coarse[1] * coarse[2]);
  const join = type === "uint8" ? meanRoundedHalfUp : mostFrequent;
  let i = 0;
  for (let z = 0; z < coarse[0]; ++z)
    for (let y = 0; y < coarse[1]; ++y)
      for (let x = 0; x < coarse[2]; ++x, ++i) {
        const cell = [];
        for (let dz = z * factors[0]; dz < Math.min(shape[0], (z + 1) * factors[0]); ++dz)
          for (let dy = y * factors[1]; dy < Math.min(shape[1], (y + 1) * factors[1]); ++dy)
            for (let dx = x * factors[2]; dx < Math.min(shape[2], (x + 1) * factors[2]); ++dx)
              cell.push(s0[(dz * shape[1] + dy) * shape[2] + dx]);
        voxels[i] = join(cell);
      }
  return { voxels, shape: coarse };
}

/** Level of a pyramid: its voxels, shape, voxel size and offset (of the first centre). */
function levelOf(type, s0, factors) {
  return {
    ...(factors.every((factor) => factor === 1) ? { voxels: s0, shape } : reduce(type, s0, factors)),
    factors,
    voxelSizeNm: voxelSizeNm.map((size, axis) => size * factors[axis]),
    offsetNm: offsetNm.map((offset, axis) => offset + (voxelSizeNm[axis] * (factors[axis] - 1)) / 2),
  };
}

const factorsOfLevels = [[1, 1, 1], [1, 2, 2], [2, 4, 4]]; // z is twice as coarse as y and x to begin with

const idTypes = ["uint32", "uint64"];

/** Lone arrays: codecs by type. */
const lone = (format, codecs, more = {}) => Object.entries(codecs).map(([type, codec]) => ({ format, type, codec, ...more }));

/** Groups with coarser levels, of intensities (means: uint8) and of ids (most frequent ones: uint64). */
const groups = (format, codecs, more = {}) => lone(format, codecs, { isGroup: true, ...more });

// Each codec, type and way to store of each format, in as few volumes as that takes: to start takes organon longer than to
// write one. The first are what `import` and `pyramid` write, all others are converted from them.
const sources = [
  ...lone("n5", { int16: "gzip", uint16: "gzip", uint32: "gzip", float32: "gzip" }),
  ...groups("n5", { uint8: "gzip", uint64: "gzip" }),
];
const converted = [
  ...lone("n5", { int16: "raw", uint16: "zstd", uint32: "zlib", float32: "blosc" }),
  ...lone("zarr", { int16: "raw", uint16: "zstd", uint32: "zlib", float32: "blosc" }),
  ...lone("zarr", { uint16: "lz4" }),
  ...groups("zarr", { uint8: "blosc", uint64: "gzip" }),
  ...lone("zarr3", { int16: "raw", uint16: "gzip", uint32: "blosc", float32: "zstd" }),
  ...groups("zarr3", { uint8: "zstd", uint64: "blosc" }),
  ...lone("zarr3", { int16: "blosc", uint16: "raw", uint32: "zstd", float32: "blosc" }, { isSharded: true }),
  ...groups("zarr3", { uint8: "gzip", uint64: "zstd" }, { isSharded: true }),
  ...lone("precomputed", { int16: "raw", uint16: "png", uint32: "compressed_segmentation", uint64: "raw", float32: "raw" }),
  ...groups("precomputed", { uint8: "png", uint64: "compressed_segmentation" }),
  ...lone("precomputed", { int16: "raw", uint16: "png", uint32: "compressed_segmentation" }, { isSharded: true }),
  ...groups("precomputed", { uint8: "raw", uint64: "compressed_segmentation" }, { isSharded: true }),
];

function describe(kind) {
  const { format, type, codec, isSharded = false, isGroup = false } = kind;
  const name = [format, codec, isSharded ? "shards" : "", type, isGroup ? "levels" : ""].filter(Boolean).join("_");
  const levels = levelsOf[type].slice(0, isGroup ? undefined : 1);
  return { ...kind, isSharded, isGroup, name, path: isGroup || format === "precomputed" ? name : `${name}/s0`, levels };
}

const levelsOf = Object.fromEntries(
  sources.map(({ type, isGroup }) => {
    const voxels = paint(type);
    return [type, factorsOfLevels.slice(0, isGroup ? undefined : 1).map((factors) => levelOf(type, voxels, factors))];
  }),
);

/**
 * All that is written: { name, path, format, type, codec, isSharded, isGroup, levels }. `path`: of the array or group, from the
 * folder of all. `levels`: as they must be read, one for a lone array.
 */
export const volumes = [...sources, ...converted].map(describe);

/** Calls `act` for each of the list, two at a time. */
async function forEach(list, act) {
  const left = list.values();
  const work = async () => {
    for (const one of left) await act(one);
  };
  await Promise.all([work(), work()]);
}

/** Writes all volumes into an empty folder. */
async function writeVolumes(folder, organon) {
  const run = async (...words) => {
    try {
      await execute(organon, [...words, "--no-fsync", "--workers", "1"], { cwd: folder, timeout: 300_000 });
    } catch (error) {
      throw new Error(`organon ${words.join(" ")}: ${error.stderr || error.message}`);
    }
  };
  const chunks = ["--chunk-shape", String(chunk)];
  const shards = {
    zarr3: ["--chunk-shape", "8,16,16", "--shard-shape", "16,32,32"],
    precomputed: ["--chunk-shape", "8", "--shard-shape", "16"],
  };
  await forEach(sources.map(describe), async ({ type, codec, name, isGroup, levels }) => {
    const sizes = [...shape].reverse().join(" ");
    const header = `NRRD0004\ntype: ${types[type].nrrd}\ndimension: 3\nsizes: ${sizes}\nencoding: raw\nendian: little\n\n`;
    const nrrd = `${type}.nrrd`;
    await writeFile(path.join(folder, nrrd), Buffer.concat([Buffer.from(header), Buffer.from(levels[0].voxels.buffer)]));
    const place = ["--voxel-size-nm", voxelSizeNm.join(), "--offset-nm", offsetNm.join()];
    const role = ["--role", idTypes.includes(type) ? "labels" : "raw"];
    await run("import", nrrd, `n5://${name}/s0`, "--codec", codec, ...chunks, ...place, ...role);
    if (isGroup) await run("pyramid", `n5://${name}/s0`, `n5://${name}`);
  });
  await forEach(converted.map(describe), async ({ format, type, codec, isSharded, isGroup, name }) => {
    const source = volumes.find((volume) => volume.type === type); // sources stand first
    const from = isGroup ? source.name : `${source.name}/s0`;
    const to = isGroup ? name : `${name}/s0`;
    const shapes = isSharded ? shards[format] : chunks;
    await run("convert", `n5://${from}`, `${format}://${to}`, "--codec", codec, ...shapes);
  });
}

/** How many voxels differ, bit by bit: NaN equals itself, and 0 differs from -0. */
export function countDifferent(found, expected) {
  if (found.constructor !== expected.constructor || found.length !== expected.length) return Infinity;
  const size = expected.BYTES_PER_ELEMENT;
  const bits = size === 1 ? Uint8Array : size === 2 ? Uint16Array : size === 4 ? Uint32Array : BigUint64Array;
  const view = (array) => new bits(array.buffer, array.byteOffset, array.length);
  const [a, b] = [view(found), view(expected)];
  return a.reduce((count, value, i) => count + (value === b[i] ? 0 : 1), 0);
}

if (import.meta.url === `file://${process.argv[1]}`) {
  const [folder, organon] = process.argv.slice(2);
  if (organon === undefined) {
    console.error("usage: node made_volumes.mjs <folder> <organon>");
    process.exit(2);
  }
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await writeVolumes(path.resolve(folder), path.resolve(organon));
  console.log(`${volumes.length} volumes in ${path.resolve(folder)}`);
}

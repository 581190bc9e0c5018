import assert from "node:assert/strict";
import { test } from "node:test";
import { readState, readVoxels } from "./comparison.ts";
import { drawSlice, middleOf, moved, overlayColor, planes, scaleBarNm } from "./slices.ts";

const shape = { z: 2, y: 3, x: 4 };
const indexOf = (z: number, y: number, x: number) => (z * shape.y + y) * shape.x + x;
const plain = { isOverlayShown: true, opacity: 0.5, black: 0, white: 255 };
const pixelOf = (pixels: Uint8ClampedArray, width: number, row: number, column: number) =>
  [...pixels.subarray(4 * (row * width + column), 4 * (row * width + column) + 3)];

test("sections show the voxels of their plane", () => {
  const raw = Uint8Array.from({ length: 24 }, (_, i) => 10 * i);
  const none = new Uint8Array(24);
  const position = { z: 1, y: 2, x: 3 };
  for (const plane of planes) {
    const pixels = drawSlice(plane, position, shape, raw, none, plain);
    assert.equal(pixels.length, 4 * shape[plane.across] * shape[plane.down]);
    for (let row = 0; row < shape[plane.down]; ++row)
      for (let column = 0; column < shape[plane.across]; ++column) {
        const at = { ...position, [plane.down]: row, [plane.across]: column };
        const grey = raw[indexOf(at.z, at.y, at.x)]!;
        assert.deepEqual(pixelOf(pixels, shape[plane.across], row, column), [grey, grey, grey], plane.name);
      }
  }
});

test("the overlay is filled, outlined, and can be hidden", () => {
  const wide = { z: 1, y: 5, x: 6 };
  const raw = new Uint8Array(30).fill(100);
  const inside = new Uint8Array(30);
  // Columns 2 to 5 of all rows but the first: its outline is column 2 and row 1.
  for (let y = 1; y < 5; ++y) for (let x = 2; x < 6; ++x) inside[y * 6 + x] = 1;
  const pixels = drawSlice(planes[0]!, { z: 0, y: 0, x: 0 }, wide, raw, inside, plain);
  const mixed = overlayColor.map((channel) => Math.round((channel + 100) / 2));
  for (let y = 0; y < 5; ++y)
    for (let x = 0; x < 6; ++x) {
      const expected = y < 1 || x < 2 ? [100, 100, 100] : y === 1 || x === 2 ? [...overlayColor] : mixed;
      assert.deepEqual(pixelOf(pixels, 6, y, x), expected, `${y} ${x}`);
    }
  const hidden = drawSlice(planes[0]!, { z: 0, y: 0, x: 0 }, wide, raw, inside, { ...plain, isOverlayShown: false });
  assert.ok(hidden.every((value, i) => value === (i % 4 === 3 ? 255 : 100)));
});

test("grey values are stretched", () => {
  const pixels = drawSlice(planes[0]!, { z: 0, y: 0, x: 0 }, { z: 1, y: 1, x: 4 }, Uint8Array.of(40, 50, 110, 160), new Uint8Array(4), {
    ...plain,
    black: 50,
    white: 150,
  });
  assert.deepEqual([0, 1, 2, 3].map((x) => pixels[4 * x]), [0, 0, 153, 255]);
});

test("scale bars are round and short", () => {
  assert.equal(scaleBarNm(600), 200);
  assert.equal(scaleBarNm(599), 100);
  assert.equal(scaleBarNm(1500), 500);
  assert.equal(scaleBarNm(40), 10);
  assert.equal(scaleBarNm(3), 1);
});

test("positions stay in the box", () => {
  assert.deepEqual(middleOf(shape), { z: 1, y: 1, x: 2 });
  assert.deepEqual(moved({ z: 1, y: 1, x: 2 }, "x", 5, shape), { z: 1, y: 1, x: 3 });
  assert.deepEqual(moved({ z: 1, y: 1, x: 2 }, "z", -5, shape), { z: 0, y: 1, x: 2 });
});

test("voxels are unpacked", () => {
  const left = [0, 3, 23];
  const right = [7, 8];
  const bytes = new Uint8Array(24 + 2 * 3);
  for (let i = 0; i < 24; ++i) bytes[i] = i;
  for (const i of left) bytes[24 + (i >> 3)]! |= 1 << (i & 7);
  for (const i of right) bytes[27 + (i >> 3)]! |= 1 << (i & 7);
  const voxels = readVoxels(bytes, shape);
  assert.deepEqual([...voxels.raw], [...bytes.subarray(0, 24)]);
  const where = (inside: Uint8Array) => [...inside].flatMap((value, i) => (value === 1 ? [i] : []));
  assert.deepEqual(where(voxels.left), left);
  assert.deepEqual(where(voxels.right), right);
  assert.throws(() => readVoxels(bytes.subarray(1), shape), /expected 30 bytes, found 29/);
});

test("the state is read, and faults are named", () => {
  const json = {
    label: "mito",
    shape: [2, 3, 4],
    voxel_size_nm: [8, 4, 4],
    num_trials: 5,
    num_answered: 2,
    both_good: 1,
    both_bad: 0,
    num_told: 0,
    probability: null,
    is_ended: false,
    result: null,
  };
  assert.deepEqual(readState(json).voxelSizeNm, { z: 8, y: 4, x: 4 });
  assert.equal(readState(json).result, null);
  assert.throws(() => readState({ ...json, shape: [2, 3] }), /state: shape: expected three numbers/);
  assert.equal(readState(json).probability, null);
  assert.equal(readState({ ...json, num_told: 10, probability: 0.5 }).probability, 0.5);
  assert.throws(() => readState({ ...json, probability: "x" }), /probability/);
  assert.throws(() => readState({ ...json, both_bad: "x" }), /both_bad/);
  const candidate = { name: "s@1", address: "p", preferred: 1, counted: 2 };
  const result = { a: candidate, b: candidate, num_answered: 2, num_trials: 5, both_good: 1, both_bad: 0, probability: 1, better: null };
  assert.equal(readState({ ...json, is_ended: true, result }).result?.b.counted, 2);
});

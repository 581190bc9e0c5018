import assert from "node:assert/strict";
import test from "node:test";
import { DataError } from "./checks.ts";
import { readPortalIndex } from "./portal_index.ts";

const good = () => ({
  format: "organon-portal/1",
  name: "cell",
  voxel_size_nm: [10, 8, 8],
  shape: [5, 6, 7],
  position_nm: [0, 0, 0],
  layers: [
    { name: "raw", role: "raw", kind: "image", source: "precomputed/raw", contrast_limits: [0, 255] },
    { name: "mito prediction", role: "prediction", class: "mito", kind: "image", source: "precomputed/p", threshold: 127, color: "#00FF00" },
    { name: "mito", role: "segmentation", class: "mito", kind: "segmentation", source: "precomputed/mito", table: "tables/mito.json" },
  ],
  scores: [{ class: "mito", f1: 0.9 }],
  provenance: { version: "0.1.0", created_by: "test" },
});

/** The good index with one value changed; `path` as in messages. */
function changed(path: readonly (string | number)[], value: unknown): unknown {
  const index: unknown = good();
  let place = index as Record<string | number, unknown>;
  for (const step of path.slice(0, -1)) place = place[step] as Record<string | number, unknown>;
  place[path.at(-1)!] = value;
  return index;
}

test("a good index is read", () => {
  const index = readPortalIndex(good());
  assert.deepEqual(index.voxelSizeNm, { z: 10, y: 8, x: 8 });
  assert.equal(index.layers.length, 3);
  const prediction = index.layers[1]!;
  assert.equal(prediction.role === "prediction" && prediction.color, "#00ff00");
  assert.equal(index.scores[0]!.f1, 0.9);
});

test("what is optional may be absent or null", () => {
  const { scores: _scores, provenance: _provenance, position_nm: _position, ...rest } = good();
  const index = readPortalIndex({ ...rest, scores: null });
  assert.deepEqual(index.positionNm, { z: 0, y: 0, x: 0 });
  assert.deepEqual(index.scores, []);
});

test("each fault is named with its place", () => {
  const faults: readonly (readonly [readonly (string | number)[], unknown, RegExp])[] = [
    [["format"], "organon-portal/2", /index\.json: format: expected "organon-portal\/1", found "organon-portal\/2"/],
    [["name"], 3, /name: expected a text, found 3/],
    [["voxel_size_nm"], [1, 2], /voxel_size_nm: expected three numbers/],
    [["voxel_size_nm", 1], 0, /voxel_size_nm\[1\]: expected a positive number, found 0/],
    [["layers"], {}, /layers: expected a list/],
    [["layers", 0, "role"], "grey", /layers\[0\]\.role: expected one of/],
    [["layers", 0, "contrast_limits"], [9, 3], /contrast_limits: expected two numbers, the first smaller/],
    [["layers", 1, "class"], undefined, /layers\[1\]\.class: expected a text, found nothing/],
    [["layers", 1, "color"], "green", /color: expected a colour/],
    [["layers", 2, "kind"], "image", /layers\[2\]\.kind: expected one of "segmentation"/],
    [["layers", 2, "name"], "raw", /layers\[2\]\.name: expected a name that no other layer has/],
    [["scores", 0, "f1"], [1], /scores\[0\]\.f1: expected a text or a number/],
  ];
  for (const [path, value, message] of faults) {
    assert.throws(() => readPortalIndex(changed(path, value)), (error: Error) => error instanceof DataError && message.test(error.message), String(message));
  }
  assert.throws(() => readPortalIndex(null), /index\.json: expected an object, found null/);
});

test("a source cannot lead out of the tree", () => {
  for (const source of ["../x", "/x", "http://example.org/x", "a/../../b", "file:x", "a\\b"]) {
    assert.throws(() => readPortalIndex(changed(["layers", 0, "source"], source)), /inside the published folder/, source);
  }
});

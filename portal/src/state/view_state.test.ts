import assert from "node:assert/strict";
import test from "node:test";
import { readPortalIndex } from "../data/portal_index.ts";
import { fromViewer, homePose, poseOf, sceneLayers, toViewer } from "./scene.ts";
import type { ViewerSpace } from "./scene.ts";
import { fromHash, initialViewState, toHash } from "./view_state.ts";
import type { ViewState } from "./view_state.ts";

const full: ViewState = {
  class: "mito & co",
  object: "18446744073709551615",
  meshes: "chosen",
  coloring: "class",
  layout: "xy",
  layers: { "a, b": { visible: false, opacity: 0.25 }, raw: { visible: true, opacity: 1 } },
  sort: { column: "volume_nm3", descending: true },
  volumeRange: [1e6, 2.5e7],
  positionNm: { z: 1, y: -2.5, x: 3e6 },
  sectionNmPerPixel: 4,
  projectionHeightNm: 12000,
  orientation: [0, 0.6, 0, 0.8],
};

test("a link brings back the view", () => {
  assert.deepEqual(fromHash(`#${toHash(full)}`), full);
  assert.equal(toHash(initialViewState), "");
  assert.deepEqual(fromHash(""), initialViewState);
});

test("a bad link still opens the page", () => {
  const view = fromHash("#object=<b>&layout=9&zyx_nm=1,x,3&zoom=-1&turn=1&layer=on&volume=1&color=red&%%%");
  assert.deepEqual(view, initialViewState);
  assert.equal(fromHash("#layer=on,7,raw").layers.raw!.opacity, 1);
});

const index = readPortalIndex({
  format: "organon-portal/1",
  name: "cell",
  voxel_size_nm: [10, 8, 8],
  shape: [50, 60, 70],
  position_nm: [100, 0, -8],
  layers: [
    { name: "mito", role: "segmentation", class: "mito", kind: "segmentation", source: "s", color: "#112233" },
    { name: "er", role: "segmentation", class: "er", kind: "segmentation", source: "e" },
    { name: "raw", role: "raw", kind: "image", source: "r", contrast_limits: [10, 200] },
  ],
});

test("points and viewer voxels are inverse, half a voxel apart", () => {
  const space: ViewerSpace = { voxelSizeNm: index.voxelSizeNm, positionNm: index.positionNm, voxelOffset: { z: 10, y: 0, x: -1 } };
  assert.deepEqual(toViewer(space, index.positionNm), { z: 10.5, y: 0.5, x: -0.5 });
  assert.deepEqual(fromViewer(space, toViewer(space, { z: 130, y: 16, x: 80 })), { z: 130, y: 16, x: 80 });
  const home = homePose(index, space, { width: 400, height: 300 });
  assert.deepEqual(poseOf(initialViewState, space, home), home);
  assert.equal(poseOf({ ...initialViewState, sectionNmPerPixel: 16 }, space, home).sectionScale, 2);
});

test("the scene draws raw below objects and only the meshes asked for", () => {
  const objectsOf = (ofClass: string) => (ofClass === "mito" ? ["5", "2"] : ["9"]);
  const layers = (view: Partial<ViewState>) => sceneLayers(index, { ...initialViewState, ...view }, objectsOf, (source) => `http://h/${source}`);
  const all = layers({});
  assert.deepEqual(all.map(({ name }) => name), ["raw", "mito", "er"]);
  const [raw, mito, er] = all;
  assert.ok(raw!.kind === "image" && raw!.shader.includes("range=[10, 200]"));
  assert.ok(mito?.kind === "segmentation" && er?.kind === "segmentation");
  assert.deepEqual(mito.objects, ["5", "2"]);
  assert.equal(mito.color, "#112233");
  const [, chosen, others] = layers({ class: "mito", object: "2", meshes: "chosen", coloring: "object" });
  assert.ok(chosen?.kind === "segmentation" && others?.kind === "segmentation");
  assert.deepEqual(chosen.objects, ["2"]);
  assert.deepEqual(others.objects, []);
  assert.equal(chosen.color, undefined);
});

// Whether Neuroglancer in Chromium reads and shows the voxels that organon wrote, each at its place.
//
//   node neuroglancer_test.mjs <folder of made_volumes.mjs> <organon>
//
// Of every volume: all voxels of all levels, decoded by Neuroglancer's own worker, bit by bit; the axes, voxel sizes and places
// of the levels; and the values that the viewer tells at places on its sections, in its own coordinates. Exit code 0 where all
// is right.

import { rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { bundleNeuroglancer } from "../../portal/build/neuroglancer_bundle.mjs";
import { check, exitCode, toItsEnd } from "./checks.mjs";
import { countDifferent, volumes } from "./made_volumes.mjs";
import { launchChromium, requireChromium, startServer } from "./served_page.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));
const numPositions = 400;
const zyx = ["z", "y", "x"];

/**
 * What Neuroglancer shall show: axes in its order, voxel sizes in its units, and the lower corner of voxel 0 in voxels. Its
 * coordinates are those of corners, organon's offsets those of centres. An array of Zarr alone tells it no place; N5 has no offset that it knows.
 */
function expectedSpace({ format, isGroup, levels }) {
  const isZarr = format.startsWith("zarr");
  const isPlaced = format === "precomputed" || (isZarr && isGroup);
  const names = isZarr ? zyx : [...zyx].reverse();
  const inOrder = (values) => names.map((name) => values[zyx.indexOf(name)]);
  const { shape, voxelSizeNm, offsetNm } = levels[0];
  const lower = inOrder(isPlaced ? offsetNm.map((offset, axis) => offset / voxelSizeNm[axis] - 0.5) : [0, 0, 0]);
  return {
    names,
    units: names.map(() => "m"),
    scales: inOrder(voxelSizeNm).map((size) => size * 1e-9),
    lowerBounds: lower,
    upperBounds: inOrder(shape).map((size, i) => lower[i] + size),
  };
}

/** From voxels of a level, x y z, to Neuroglancer's coordinates: 4 x 4, column by column. */
function expectedTransform(space, { factors }) {
  const columns = ["x", "y", "z"].map((from) => space.names.map((to) => (from === to ? factors[zyx.indexOf(from)] : 0)));
  return [...columns.flatMap((column) => [...column, 0]), ...space.lowerBounds, 1];
}

const isNear = (a, b) => a.length === b.length && a.every((value, i) => Math.abs(value - b[i]) <= 1e-6 * Math.abs(b[i]));

function isSameSpace(found, expected) {
  const isNamed = found.names.join() === expected.names.join() && found.units.join() === expected.units.join();
  return isNamed && ["scales", "lowerBounds", "upperBounds"].every((key) => isNear(found[key], expected[key]));
}

function checkVoxels(claim, type, found, { shape, voxels }) {
  const bytes = Uint8Array.from(Buffer.from(found.voxels, "base64"));
  const isShaped = found.shape.join() === shape.join() && found.dataType === type;
  const different = isShaped ? countDifferent(new voxels.constructor(bytes.buffer), voxels) : Infinity;
  check(claim, different === 0, `${found.shape.join(" x ")} ${found.dataType}, ${different} of ${voxels.length} voxels differ`);
}

/** A voxel, and places on the three sections through it: anywhere in their voxels, some at the volume's edges. */
function choosePlaces(shape, seed) {
  let state = seed;
  const random = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32; // Numerical Recipes' generator
  const centre = shape.map((size) => Math.floor(random() * size));
  const places = Array.from({ length: numPositions }, (_, i) => {
    const isCorner = i < 12;
    const voxel = shape.map((size) => (isCorner ? (random() < 0.5 ? 0 : size - 1) : Math.floor(random() * size)));
    voxel[i % 3] = centre[i % 3];
    return { voxel, within: shape.map(() => 0.05 + 0.9 * random()) };
  });
  return { centre: { voxel: centre, within: [0.5, 0.5, 0.5] }, places };
}

async function checkShown(page, { name, levels }, space, seed) {
  const { shape, voxels } = levels[0];
  const { centre, places } = choosePlaces(shape, seed);
  const inViewer = ({ voxel, within }) =>
    space.names.map((name, i) => space.lowerBounds[i] + voxel[zyx.indexOf(name)] + within[zyx.indexOf(name)]);
  const asked = [inViewer(centre), places.map(inViewer)];
  const found = await page.evaluate(([centre, places]) => window.valuesShown(centre, places), asked);
  const expected = places.map(({ voxel: [z, y, x] }) => String(voxels[(z * shape[1] + y) * shape[2] + x]));
  const different = found.filter((value, i) => value !== expected[i]).length;
  check(`${name}: values shown`, different === 0, `${different} of ${numPositions} differ`);
}

async function checkVolume(page, volume, source, seed) {
  const { name, type, levels } = volume;
  const layer = type === "uint32" || type === "uint64" ? "segmentation" : "image";
  const found = await page.evaluate(([kind, url]) => window.readSource(kind, url), [layer, source]);
  const space = expectedSpace(volume);
  check(`${name}: axes, voxel size, place`, isSameSpace(found.space, space), `${found.space.names} from ${found.space.lowerBounds}`);
  check(`${name}: levels`, found.levels.length === levels.length, `${found.levels.length}`);
  for (const [k, level] of levels.entries()) {
    const transform = found.levels[k].chunkToMultiscaleTransform;
    check(`${name}: place of level ${k}`, isNear(transform, expectedTransform(space, level)), transform.join(" "));
    checkVoxels(`${name}: voxels of level ${k}`, type, found.levels[k], level);
  }
  await checkShown(page, volume, space, seed);
}

/** Bundles the page into a folder. */
async function writePage(folder) {
  await bundleNeuroglancer({
    main: path.join(here, "neuroglancer_page.js"),
    output: folder,
    datasources: ["n5", "precomputed", "zarr"],
    minify: false,
  });
  const parts = [
    ...["<!doctype html>", '<link rel="icon" href="data:,">', '<link rel="stylesheet" href="main.css">'],
    ...['<div id="viewer" style="width: 320px; height: 240px"></div>', '<script type="module" src="main.js"></script>'],
  ];
  await writeFile(path.join(folder, "index.html"), parts.join("\n"));
}

async function run(folder, organon) {
  await rm(path.join(folder, "page"), { recursive: true, force: true });
  await writePage(path.join(folder, "page"));
  const { address, stop } = await startServer(organon, folder);
  let browser;
  try {
    browser = await launchChromium();
    const page = await browser.newPage();
    const troubles = [];
    page.on("pageerror", (error) => troubles.push(String(error)));
    await page.goto(`${address}page/index.html`);
    await page.waitForFunction(() => window.isPageLoaded);
    // Neuroglancer has no lz4.
    for (const [i, volume] of volumes.filter(({ codec }) => codec !== "lz4").entries()) {
      const scheme = volume.format === "zarr" ? "zarr2" : volume.format;
      await checkVolume(page, volume, `${scheme}://${address}${volume.path}`, i);
    }
    check("the page has no errors", troubles.length === 0, troubles.slice(0, 3).join(" | "));
  } finally {
    await browser?.close();
    await stop();
  }
}

const [folder, organon] = process.argv.slice(2);
if (organon === undefined) {
  console.error("usage: node neuroglancer_test.mjs <folder of made_volumes.mjs> <organon>");
  process.exit(2);
}
requireChromium();
await toItsEnd(() => run(path.resolve(folder), path.resolve(organon)));
process.exit(exitCode());

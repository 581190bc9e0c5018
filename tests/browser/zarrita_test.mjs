// Whether zarrita reads the voxels that organon wrote, over HTTP, and ome-zarr.js the levels.
//
//   node zarrita_test.mjs <folder of made_volumes.mjs> <organon>
//
// Zarr 2, Zarr 3 and Zarr 3 in shards (whose chunks are read by ranges), all voxels compared bit by bit. Exit code 0 where all
// are equal.

import path from "node:path";
import { FetchStore, NgffImage, get, open, root } from "../../portal/build/test_readers.mjs";
import { check, exitCode, toItsEnd } from "./checks.mjs";
import { countDifferent, volumes } from "./made_volumes.mjs";
import { startServer } from "./served_page.mjs";

const isEqual = (a, b) => JSON.stringify(a) === JSON.stringify(b);

async function checkArray(claim, address, level) {
  const array = await open(root(new FetchStore(address)), { kind: "array" });
  const { data, shape, stride } = await get(array);
  const isDense = isEqual(stride, [shape[1] * shape[2], shape[2], 1]);
  const different = isEqual(shape, level.shape) && isDense ? countDifferent(data, level.voxels) : Infinity;
  check(claim, different === 0, `${shape.join(" x ")} ${array.dtype}, ${different} of ${level.voxels.length} voxels differ`);
}

async function checkLevels({ name, format, levels }, address) {
  const image = await NgffImage.load(address);
  const [version, zarrVersion] = format === "zarr3" ? ["0.5", 3] : ["0.4", 2];
  const isOfFormat = image.getVersion() === version && image.getZarrVersion() === zarrVersion;
  check(`${name}: ome-zarr.js opens it`, isOfFormat, `OME-NGFF ${image.getVersion()}, Zarr ${image.getZarrVersion()}`);
  const axes = ["z", "y", "x"].map((axis) => ({ name: axis, type: "space", unit: "nanometer" }));
  check(`${name}: axes`, isEqual(image.axes, axes), image.axes.map((axis) => `${axis.name} ${axis.unit}`).join(", "));
  const transforms = image.multiscales[0].datasets.map((dataset) => dataset.coordinateTransformations);
  const expected = levels.map((level) => [
    { type: "scale", scale: level.voxelSizeNm },
    { type: "translation", translation: level.offsetNm },
  ]);
  check(`${name}: scales and translations`, isEqual(transforms, expected), `${transforms.length} levels`);
  for (const [k, level] of levels.entries()) {
    const array = await image.openArray(k);
    check(`${name}: shape of level ${k}`, isEqual(array.shape, level.shape), array.shape.join(" x "));
    await checkArray(`${name}: voxels of level ${k}`, `${address}/${image.paths[k]}`, level);
  }
}

const [folder, organon] = process.argv.slice(2);
if (organon === undefined) {
  console.error("usage: node zarrita_test.mjs <folder of made_volumes.mjs> <organon>");
  process.exit(2);
}
await toItsEnd(async () => {
  const { address, stop } = await startServer(path.resolve(organon), path.resolve(folder));
  try {
    for (const volume of volumes.filter(({ format }) => format.startsWith("zarr"))) {
      if (volume.isGroup) await checkLevels(volume, `${address}${volume.path}`);
      else await checkArray(volume.name, `${address}${volume.path}`, volume.levels[0]);
    }
  } finally {
    await stop();
  }
});
process.exit(exitCode());

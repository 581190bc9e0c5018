// Makes a phantom cell and publishes it with the real verbs, so that the page is tested with what the stages write.
//
//   node publish_phantom.mjs <folder> <organon> <built portal>
//
// The published tree is <folder>/published. Predictions are the targets that a perfect network would give; mitochondria
// are segmented from them, the ER is taken from the truth, whose voxels are half as large as raw's.

import { execFileSync } from "node:child_process";
import path from "node:path";

export function publishPhantom(folder, organon, portal) {
  const at = (...names) => path.join(folder, ...names);
  const run = (...words) => {
    try {
      execFileSync(organon, [...words, "--no-fsync"], { stdio: ["ignore", "pipe", "pipe"], timeout: 300_000 });
    } catch (error) {
      throw new Error(`organon ${words.join(" ")}: ${error.stderr ?? error.message}`);
    }
  };
  const cell = at("cell", "phantom.n5");
  const mitoIds = "3+4+5";
  run("phantom", at("cell"), "--shape", "128,128,160", "--voxel-size-nm", "8", "--seed", "3", "--contrast", "hela");
  run("targets", `${cell}/labels`, `${cell}/targets`, "--classes", "mito", "--ids", mitoIds, "--voxel-size-nm", "8");
  run("segment", `${cell}/targets/mito`, `${cell}/labels_of/mito`, "--min-volume-nm3", "1e6");
  run("evaluate", `${cell}/labels_of/mito`, `${cell}/labels`, at("mito_scores.json"), "--class-name", "mito", "--ids", mitoIds);
  const objects = { mito: `${cell}/labels_of/mito`, er: `${cell}/instances/er` };
  for (const [name, labels] of Object.entries(objects)) {
    run("measure", labels, at("tables", `${name}.csv`));
    run("mesh", labels, at("meshes", name));
  }
  const inputs = {
    raw: `${cell}/raw`,
    "prediction/mito": `${cell}/targets/mito`,
    "segmentation/mito": objects.mito,
    "mesh/mito": at("meshes", "mito"),
    "table/mito": at("tables", "mito.json"),
    "segmentation/er": objects.er,
    "mesh/er": at("meshes", "er"),
    "table/er": at("tables", "er.json"),
    "scores/mito": at("mito_scores.json"),
  };
  run(
    "publish",
    ...Object.values(inputs),
    at("published"),
    "--layers",
    Object.keys(inputs).join(","),
    "--name",
    "Phantom",
    "--colors",
    "#2fd27a,#ff7ab8",
    "--portal-folder",
    portal,
  );
  return at("published");
}

if (import.meta.url === `file://${process.argv[1]}`) {
  const [folder, organon, portal] = process.argv.slice(2);
  if (portal === undefined) {
    console.error("usage: node publish_phantom.mjs <folder> <organon> <built portal>");
    process.exit(2);
  }
  console.log(publishPhantom(path.resolve(folder), path.resolve(organon), path.resolve(portal)));
}

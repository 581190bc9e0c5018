// Bundles Neuroglancer and our thin layer over it (src/viewer/main.ts) into public/viewer/.

import { rm } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { bundleNeuroglancer } from "./neuroglancer_bundle.mjs";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const output = path.join(root, "public/viewer");

await rm(output, { recursive: true, force: true });
// The atlas has precomputed layers over http only.
const main = path.join(root, "src/viewer/main.ts");
const outputs = await bundleNeuroglancer({ main, output, datasources: ["precomputed"] });
for (const [file, { bytes }] of Object.entries(outputs)) {
  if (file.endsWith(".js") || file.endsWith(".css")) console.log(`${path.relative(root, file)}  ${(bytes / 1024).toFixed(0)} KiB`);
}

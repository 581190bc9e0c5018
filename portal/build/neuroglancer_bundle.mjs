// Bundles Neuroglancer and a program over it into a folder, with esbuild.
//
// Why not Vite: it turns Neuroglancer's chunk worker into an unbundled data URL; the page then shows frames and axes
// but no voxels, and reports no error. Here the two workers are entry points of their own beside the main file, which
// is where `new URL("./chunk_worker.bundle.js", import.meta.url)` looks for them.

import { copyFile, mkdir, readFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const neuroglancer = path.join(root, "node_modules/neuroglancer/lib");

/** Icons as text. The published `ikonate` lacks three of them; ours lie in src/viewer/icons. */
const icons = {
  name: "icons",
  setup(builder) {
    builder.onResolve({ filter: /^ikonate\/icons\/.*\.svg\?raw$/ }, ({ path: request }) => {
      const name = request.slice("ikonate/icons/".length, -"?raw".length);
      const own = path.join(root, "src/viewer/icons", name);
      return { path: existsSync(own) ? own : path.join(root, "node_modules/ikonate/icons", name) };
    });
  },
};

/** In Neuroglancer's tree the second worker lies one folder above its caller; bundled, it lies beside it. */
const workerBeside = {
  name: "worker-beside",
  setup(builder) {
    builder.onLoad({ filter: /neuroglancer\/lib\/async_computation\/request\.js$/ }, async ({ path: file }) => {
      const text = await readFile(file, "utf8");
      const beside = text.replace('"../async_computation.bundle.js"', '"./async_computation.bundle.js"');
      if (beside === text) throw new Error(`${file}: the address of the worker was not found`);
      return { contents: beside, loader: "js" };
    });
  },
};

// Decoders that the workers fetch from beside themselves, for layers with such chunks or meshes.
const decoders = ["mesh/draco/neuroglancer_draco", "sliceview/png/libpng"];

/**
 * Writes main.js, the workers and the decoders into the folder `output`. `main` is the program; `datasources` names the
 * formats it reads over HTTP, all others stay out of the bundle. Returns esbuild's list of outputs.
 */
export async function bundleNeuroglancer({ main, output, datasources, minify = true }) {
  await mkdir(output, { recursive: true });
  const result = await build({
    entryPoints: {
      main,
      "chunk_worker.bundle": path.join(neuroglancer, "chunk_worker.bundle.js"),
      "async_computation.bundle": path.join(neuroglancer, "async_computation.bundle.js"),
    },
    outdir: output,
    bundle: true,
    format: "esm",
    target: "es2022",
    minify,
    legalComments: "linked",
    nodePaths: [path.join(root, "node_modules")],
    loader: { ".svg": "text", ".wasm": "file", ".html": "file" },
    conditions: [
      "neuroglancer/datasource:none_by_default",
      ...datasources.map((name) => `neuroglancer/datasource/${name}:enabled`),
      "neuroglancer/kvstore:none_by_default",
      "neuroglancer/kvstore/http:enabled",
      "neuroglancer/kvstore/byte_range:enabled",
      "neuroglancer/kvstore/gzip:enabled",
      "neuroglancer/layer:none_by_default",
      "neuroglancer/layer/image:enabled",
      "neuroglancer/layer/segmentation:enabled",
    ],
    plugins: [icons, workerBeside],
    metafile: true,
    logLevel: "warning",
  });
  for (const decoder of decoders) {
    await copyFile(path.join(neuroglancer, `${decoder}.wasm`), path.join(output, `${path.basename(decoder)}.wasm`));
  }
  return result.metafile.outputs;
}

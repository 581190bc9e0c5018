// Reading the published files over http, relative to the page.

import { DataError } from "./checks.ts";
import { readObjectTable } from "./object_table.ts";
import type { ObjectTable } from "./object_table.ts";
import { readPortalIndex } from "./portal_index.ts";
import type { PortalIndex } from "./portal_index.ts";

/** Address of a file of the tree: the page lies at the top of it. */
export const treeUrl = (path: string): string => new URL(path, new URL(".", document.baseURI)).href;

async function fetchText(path: string): Promise<string> {
  let response: Response;
  try {
    response = await fetch(treeUrl(path));
  } catch (error) {
    throw new DataError(`${path}: the server does not answer (${(error as Error).message})`);
  }
  if (!response.ok) throw new DataError(`${path}: the server answered ${response.status} ${response.statusText}`);
  return response.text();
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new DataError(`${path}: expected JSON: ${(error as Error).message}`);
  }
}

export async function loadPortalIndex(): Promise<PortalIndex> {
  return readPortalIndex(parseJson(await fetchText("index.json"), "index.json"));
}

export async function loadObjectTable(path: string): Promise<ObjectTable> {
  return readObjectTable(await fetchText(path), path);
}

/** Index of the first voxel in the viewer's space (precomputed "voxel_offset" of the finest scale), zyx. */
export async function loadVoxelOffset(source: string): Promise<{ z: number; y: number; x: number }> {
  const info = parseJson(await fetchText(`${source}/info`), `${source}/info`) as {
    scales?: readonly { voxel_offset?: readonly number[] }[];
  };
  const [x = 0, y = 0, z = 0] = info.scales?.[0]?.voxel_offset ?? [];
  return { z, y, x };
}

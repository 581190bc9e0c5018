// What the page shows, as one plain value. It lives in the address after "#", so that a link shows the same view.

import type { Zyx } from "../data/portal_index.ts";
import type { Sort } from "../data/object_table.ts";
import type { Layout } from "../viewer/viewer_api.ts";

export interface LayerState {
  visible: boolean;
  opacity: number;
}

/** Which meshes the 3-D panel draws: those of the table's largest objects, or the chosen object alone. */
export type Meshes = "all" | "chosen";
/** Whether objects have a colour each or the colour of their class. */
export type Coloring = "object" | "class";

export interface ViewState {
  class: string | undefined;
  object: string | undefined;
  meshes: Meshes;
  /** Undefined: by object where the atlas has one class, by class where it has several. */
  coloring: Coloring | undefined;
  layout: Layout;
  /** Layers that differ from their default, by name. */
  layers: Readonly<Record<string, LayerState>>;
  sort: Sort | undefined;
  /** Bounds of volume_nm3 chosen in the histogram, [low, high). */
  volumeRange: readonly [number, number] | undefined;
  /** Physical point in view. */
  positionNm: Zyx | undefined;
  /** Nanometres for each screen pixel of a section. */
  sectionNmPerPixel: number | undefined;
  /** Nanometres over the height of the 3-D panel. */
  projectionHeightNm: number | undefined;
  orientation: readonly [number, number, number, number] | undefined;
}

export const initialViewState: ViewState = {
  class: undefined,
  object: undefined,
  meshes: "all",
  coloring: undefined,
  layout: "4panel-alt",
  layers: {},
  sort: undefined,
  volumeRange: undefined,
  positionNm: undefined,
  sectionNmPerPixel: undefined,
  projectionHeightNm: undefined,
  orientation: undefined,
};

const colorings: readonly Coloring[] = ["object", "class"];
const layouts: readonly Layout[] = ["4panel-alt", "xy", "3d"];
const short = (value: number): string => String(Number(value.toPrecision(6)));

/** The text after "#"; values at their defaults are left out. */
export function toHash(state: ViewState): string {
  const parts = new URLSearchParams();
  if (state.class !== undefined) parts.set("class", state.class);
  if (state.object !== undefined) parts.set("object", state.object);
  if (state.meshes !== initialViewState.meshes) parts.set("meshes", state.meshes);
  if (state.coloring !== undefined) parts.set("color", state.coloring);
  if (state.layout !== initialViewState.layout) parts.set("layout", state.layout);
  for (const [name, { visible, opacity }] of Object.entries(state.layers)) {
    parts.append("layer", `${visible ? "on" : "off"},${short(opacity)},${name}`);
  }
  if (state.sort !== undefined) parts.set("sort", (state.sort.descending ? "-" : "") + state.sort.column);
  if (state.volumeRange !== undefined) parts.set("volume", state.volumeRange.map(short).join(","));
  if (state.positionNm !== undefined) {
    const { z, y, x } = state.positionNm;
    parts.set("zyx_nm", [z, y, x].map(short).join(","));
  }
  if (state.sectionNmPerPixel !== undefined) parts.set("zoom", short(state.sectionNmPerPixel));
  if (state.projectionHeightNm !== undefined) parts.set("zoom3d", short(state.projectionHeightNm));
  if (state.orientation !== undefined) parts.set("turn", state.orientation.map(short).join(","));
  return parts.toString().replaceAll("%2C", ",");
}

function numbers(text: string | null, count: number): number[] | undefined {
  if (text === null) return undefined;
  const values = text.split(",").map((part) => (part.trim() === "" ? NaN : Number(part)));
  return values.length === count && values.every(Number.isFinite) ? values : undefined;
}

function positive(text: string | null): number | undefined {
  const value = numbers(text, 1)?.[0];
  return value !== undefined && value > 0 ? value : undefined;
}

/** Reads a link made by toHash. A part that cannot be read is as if it were absent: a bad link still opens the page. */
export function fromHash(hash: string): ViewState {
  const parts = new URLSearchParams(hash.replace(/^#/, ""));
  const object = parts.get("object");
  const sort = parts.get("sort");
  const layers: Record<string, LayerState> = {};
  for (const part of parts.getAll("layer")) {
    const [, visible, opacity, name] = /^(on|off),([\d.e-]+),(.+)$/s.exec(part) ?? [];
    if (name === undefined) continue;
    layers[name] = { visible: visible === "on", opacity: Math.min(1, Math.max(0, Number(opacity) || 0)) };
  }
  const position = numbers(parts.get("zyx_nm"), 3);
  const turn = numbers(parts.get("turn"), 4);
  const range = numbers(parts.get("volume"), 2);
  return {
    class: parts.get("class") ?? undefined,
    object: object !== null && /^\d{1,20}$/.test(object) ? object : undefined,
    meshes: parts.get("meshes") === "chosen" ? "chosen" : "all",
    coloring: colorings.find((coloring) => coloring === parts.get("color")),
    layout: layouts.find((layout) => layout === parts.get("layout")) ?? initialViewState.layout,
    layers,
    sort: sort ? { column: sort.replace(/^-/, ""), descending: sort.startsWith("-") } : undefined,
    volumeRange: range === undefined ? undefined : [range[0]!, range[1]!],
    positionNm: position === undefined ? undefined : { z: position[0]!, y: position[1]!, x: position[2]! },
    sectionNmPerPixel: positive(parts.get("zoom")),
    projectionHeightNm: positive(parts.get("zoom3d")),
    orientation: turn === undefined ? undefined : [turn[0]!, turn[1]!, turn[2]!, turn[3]!],
  };
}

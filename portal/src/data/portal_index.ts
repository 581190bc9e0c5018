// index.json, the one file that says what a published tree holds. Its form is schemas/portal_index.schema.json.

import { asChoice, asList, asNumber, asObject, asPositive, asText, asTreePath, fail, inside } from "./checks.ts";
import type { JsonObject, Place } from "./checks.ts";

export const indexFormat = "organon-portal/1";

export interface Zyx {
  z: number;
  y: number;
  x: number;
}

export interface RawLayer {
  role: "raw";
  name: string;
  source: string;
  /** Grey values drawn black and white. */
  contrastLimits: readonly [number, number] | undefined;
}

export interface PredictionLayer {
  role: "prediction";
  name: string;
  class: string;
  source: string;
  /** Values from here on belong to the class. */
  threshold: number | undefined;
  color: string | undefined;
}

export interface SegmentationLayer {
  role: "segmentation";
  name: string;
  class: string;
  source: string;
  table: string | undefined;
  color: string | undefined;
  scores: Score | undefined;
}

export type Layer = RawLayer | PredictionLayer | SegmentationLayer;

/** One line of the table of scores; its keys are the columns. */
export type Score = { readonly [column: string]: string | number };

export interface PortalIndex {
  name: string;
  voxelSizeNm: Zyx;
  shape: Zyx;
  /** Centre of voxel 0. */
  positionNm: Zyx;
  layers: readonly Layer[];
  scores: readonly Score[];
  provenance: { version: string | undefined; createdBy: string | undefined };
}

function asZyx(value: unknown, place: Place, item: (value: unknown, place: Place) => number): Zyx {
  const list = asList(value, place);
  if (list.length !== 3) fail(place, "three numbers (z, y, x)", value);
  const [z, y, x] = list.map((part, i) => item(part, inside(place, `[${i}]`)));
  return { z: z!, y: y!, x: x! };
}

function asColor(value: unknown, place: Place): string {
  const text = asText(value, place);
  if (!/^#[0-9a-f]{6}$/i.test(text)) fail(place, 'a colour such as "#2fd27a"', value);
  return text.toLowerCase();
}

function optional<T>(object: JsonObject, key: string, place: Place, read: (value: unknown, place: Place) => T): T | undefined {
  const value = object[key];
  return value === undefined || value === null ? undefined : read(value, inside(place, key));
}

function asScore(value: unknown, place: Place): Score {
  const entries = Object.entries(asObject(value, place)).filter(([, part]) => part !== null);
  for (const [key, part] of entries) {
    if (typeof part !== "string" && typeof part !== "number") fail(inside(place, key), "a text or a number", part);
  }
  return Object.fromEntries(entries) as Score;
}

function asLayer(value: unknown, place: Place): Layer {
  const object = asObject(value, place);
  const role = asChoice(object.role, ["raw", "prediction", "segmentation"], inside(place, "role"));
  const name = asText(object.name, inside(place, "name"));
  const source = asTreePath(object.source, inside(place, "source"));
  asChoice(object.kind, [role === "segmentation" ? "segmentation" : "image"], inside(place, "kind"));
  if (role === "raw") {
    const limits = optional(object, "contrast_limits", place, (list, at) => {
      const [low, high] = asList(list, at).map((part, i) => asNumber(part, inside(at, `[${i}]`)));
      if (low === undefined || high === undefined || low >= high) fail(at, "two numbers, the first smaller", list);
      return [low, high] as const;
    });
    return { role, name, source, contrastLimits: limits };
  }
  const ofClass = asText(object.class, inside(place, "class"));
  const color = optional(object, "color", place, asColor);
  if (role === "prediction") {
    return { role, name, class: ofClass, source, threshold: optional(object, "threshold", place, asNumber), color };
  }
  return {
    role,
    name,
    class: ofClass,
    source,
    table: optional(object, "table", place, asTreePath),
    color,
    scores: optional(object, "scores", place, asScore),
  };
}

/** Reads the parsed index.json. Throws DataError naming the place of the first thing that is not as it must be. */
export function readPortalIndex(json: unknown): PortalIndex {
  const place: Place = { file: "index.json", path: "" };
  const object = asObject(json, place);
  if (object.format !== indexFormat) fail(inside(place, "format"), `"${indexFormat}"`, object.format);
  const layers = asList(object.layers, inside(place, "layers")).map((layer, i) => asLayer(layer, inside(place, `layers[${i}]`)));
  const names = new Set<string>();
  for (const [i, { name }] of layers.entries()) {
    if (names.has(name)) fail(inside(place, `layers[${i}].name`), "a name that no other layer has", name);
    names.add(name);
  }
  const segmented = new Set<string>();
  for (const [i, layer] of layers.entries()) {
    if (layer.role !== "segmentation") continue;
    if (segmented.has(layer.class)) fail(inside(place, `layers[${i}].class`), "one segmentation for each class", layer.class);
    segmented.add(layer.class);
  }
  const provenance = optional(object, "provenance", place, asObject) ?? {};
  const provenancePlace = inside(place, "provenance");
  return {
    name: asText(object.name, inside(place, "name")),
    voxelSizeNm: asZyx(object.voxel_size_nm, inside(place, "voxel_size_nm"), asPositive),
    shape: asZyx(object.shape, inside(place, "shape"), asPositive),
    positionNm: optional(object, "position_nm", place, (value, at) => asZyx(value, at, asNumber)) ?? { z: 0, y: 0, x: 0 },
    layers,
    scores: (optional(object, "scores", place, asList) ?? []).map((score, i) => asScore(score, inside(place, `scores[${i}]`))),
    provenance: {
      version: optional(provenance, "version", provenancePlace, asText),
      createdBy: optional(provenance, "created_by", provenancePlace, asText),
    },
  };
}

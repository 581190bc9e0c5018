// samples/index.json: which pictures of a training there are. Its form is schemas/training_samples.schema.json.

import { asList, asNumber, asObject, asPositive, asText, asTreePath, fail, inside } from "../data/checks.ts";
import type { Place } from "../data/checks.ts";

export const samplesFormat = "organon-training-samples/1";

/** What a class has on the slice of a patch, as shares of its voxels. */
export interface Share {
  known: number;
  positive: number;
}

export interface Samples {
  /** Rows of the pictures. */
  classes: readonly string[];
  tile: { height: number; width: number };
  /** Columns of the pictures; per class. */
  patches: readonly (readonly Share[])[];
  raw: string;
  truth: string;
  /** Rising. */
  steps: readonly { step: number; file: string }[];
}

/** Reads the value of index.json. Throws DataError naming the place. */
export function readSamples(json: unknown): Samples {
  const top: Place = { file: "samples/index.json", path: "" };
  const object = asObject(json, top);
  if (object.format !== samplesFormat) fail(inside(top, "format"), `"${samplesFormat}"`, object.format);
  const at = (key: string) => inside(top, key);
  const classes = asList(object.classes, at("classes")).map((name, i) => asText(name, inside(at("classes"), `[${i}]`)));
  const tile = asList(object.tile_pixels, at("tile_pixels"));
  if (tile.length !== 2) fail(at("tile_pixels"), "two numbers (y, x)", object.tile_pixels);
  const [height, width] = tile.map((edge, i) => asPositive(edge, inside(at("tile_pixels"), `[${i}]`)));
  const shares = (value: unknown, place: Place): number[] => {
    const list = asList(value, place);
    if (list.length !== classes.length) fail(place, `${classes.length} numbers`, value);
    return list.map((share, i) => asNumber(share, inside(place, `[${i}]`)));
  };
  const patches = asList(object.patches, at("patches")).map((value, i) => {
    const place = inside(at("patches"), `[${i}]`);
    const patch = asObject(value, place);
    const known = shares(patch.known, inside(place, "known"));
    const positive = shares(patch.positive, inside(place, "positive"));
    return classes.map((_, c) => ({ known: known[c]!, positive: positive[c]! }));
  });
  if (patches.length === 0) fail(at("patches"), "at least one patch", object.patches);
  const steps = asList(object.steps, at("steps")).map((value, i, all) => {
    const place = inside(at("steps"), `[${i}]`);
    const one = asObject(value, place);
    const step = asNumber(one.step, inside(place, "step"));
    const before = i === 0 ? -1 : (all[i - 1] as { step: number }).step;
    if (step <= before) fail(inside(place, "step"), `a step after ${before}`, one.step);
    return { step, file: asTreePath(one.file, inside(place, "file")) };
  });
  return {
    classes,
    tile: { height: height!, width: width! },
    patches,
    raw: asTreePath(object.raw, at("raw")),
    truth: asTreePath(object.truth, at("truth")),
    steps,
  };
}

/** The patch on which most of a class's boundary is seen: where it is half inside, half outside. */
export function bestPatch(samples: Samples, classNumber: number): number {
  const worth = samples.patches.map((shares) => shares[classNumber]!.positive * (shares[classNumber]!.known - shares[classNumber]!.positive));
  const known = samples.patches.map((shares) => shares[classNumber]!.known);
  const values = worth.some((value) => value > 0) ? worth : known;
  return values.indexOf(Math.max(...values));
}

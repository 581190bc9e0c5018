// training.json, which says what is trained, on what and for how long.

import { asList, asNumber, asObject, asPositive, asText, fail, inside } from "../data/checks.ts";
import type { Place } from "../data/checks.ts";

export interface Training {
  /** Of its folder; trainings of before that was noted have none. */
  name: string | undefined;
  classes: readonly string[];
  /** Length of the training. */
  steps: number;
  logEvery: number;
  checkpointEvery: number;
  /** Scores without a better one after which training stops; 0: it does not. */
  patience: number;
  batch: number;
  patch: readonly number[];
  loss: string;
  numParameters: number;
  voxelSizeNm: readonly number[];
  beganUnixSeconds: number | undefined;
}

/** A number that trainings of other versions may lack. */
const numberOr = (value: unknown, place: Place, otherwise: number): number =>
  value === undefined || value === null ? otherwise : asNumber(value, place);

function asCount(value: unknown, place: Place): number {
  const number = asPositive(value, place);
  if (!Number.isInteger(number)) fail(place, "a whole number", value);
  return number;
}

/** Reads the value of training.json. Throws DataError naming the place. */
export function readTraining(json: unknown): Training {
  const top: Place = { file: "training.json", path: "" };
  const object = asObject(json, top);
  const optionsPlace = inside(top, "options");
  const options = asObject(object.options, optionsPlace);
  const at = (key: string) => inside(optionsPlace, key);
  const classes = asList(options.classes, at("classes")).map((name, i) => asText(name, inside(at("classes"), `[${i}]`)));
  if (classes.length === 0) fail(at("classes"), "at least one class", options.classes);
  const numbers = (value: unknown, place: Place) => asList(value, place).map((one, i) => asPositive(one, inside(place, `[${i}]`)));
  const began = object.began_unix_seconds;
  return {
    name: typeof object.name === "string" && object.name !== "" ? object.name : undefined,
    classes,
    steps: asCount(options.steps, at("steps")),
    logEvery: numberOr(options.log_every, at("log_every"), 10),
    checkpointEvery: numberOr(options.checkpoint_every, at("checkpoint_every"), 250),
    patience: numberOr(options.patience, at("patience"), 0),
    batch: numberOr(options.batch, at("batch"), 1),
    patch: numbers(options.patch, at("patch")),
    loss: asText(options.loss, at("loss")),
    numParameters: asCount(object.num_parameters, inside(top, "num_parameters")),
    voxelSizeNm: numbers(object.voxel_size_nm, inside(top, "voxel_size_nm")),
    beganUnixSeconds: began === undefined || began === null ? undefined : asNumber(began, inside(top, "began_unix_seconds")),
  };
}

// What `organon compare` says to its page: src/organon/app/compare_api.h.

import { asList, asNumber, asObject, asPositive, DataError, fail, inside } from "../data/checks.ts";
import type { JsonObject, Place } from "../data/checks.ts";
import type { Axis, Zyx } from "./slices.ts";

export type Verdict = "left" | "right" | "both_good" | "both_bad";

export interface CandidateResult {
  name: string;
  address: string;
  preferred: number;
  counted: number;
}

/** Told at the end alone. */
export interface Result {
  a: CandidateResult;
  b: CandidateResult;
  numAnswered: number;
  numTrials: number;
  bothGood: number;
  bothBad: number;
  probability: number;
  better: "a" | "b" | null;
}

export interface ComparisonState {
  label: string;
  /** Of every trial, in voxels. */
  shape: Zyx;
  voxelSizeNm: Zyx;
  numTrials: number;
  numAnswered: number;
  bothGood: number;
  bothBad: number;
  /** Answers that `probability` is of, which cannot be taken back. */
  numTold: number;
  /** null where it is of none. */
  probability: number | null;
  isEnded: boolean;
  result: Result | null;
}

/** One box: grey values, and 1 where a candidate is foreground. All zyx, x fastest. */
export interface TrialVoxels {
  raw: Uint8Array;
  left: Uint8Array;
  right: Uint8Array;
}

const axes: readonly Axis[] = ["z", "y", "x"];

function readZyx(value: unknown, place: Place): Zyx {
  const list = asList(value, place);
  if (list.length !== 3) fail(place, "three numbers", value);
  const [z, y, x] = axes.map((_, i) => asPositive(list[i], inside(place, `[${i}]`)));
  return { z: z!, y: y!, x: x! };
}

function readText(value: unknown, place: Place): string {
  if (typeof value !== "string") fail(place, "a text", value);
  return value as string;
}

function readCandidate(value: unknown, place: Place): CandidateResult {
  const json = asObject(value, place);
  return {
    name: readText(json.name, inside(place, "name")),
    address: readText(json.address, inside(place, "address")),
    preferred: asNumber(json.preferred, inside(place, "preferred")),
    counted: asNumber(json.counted, inside(place, "counted")),
  };
}

function readResult(value: unknown, place: Place): Result | null {
  if (value === null) return null;
  const json = asObject(value, place);
  return {
    a: readCandidate(json.a, inside(place, "a")),
    b: readCandidate(json.b, inside(place, "b")),
    numAnswered: asNumber(json.num_answered, inside(place, "num_answered")),
    numTrials: asPositive(json.num_trials, inside(place, "num_trials")),
    ...readNeither(json, place),
    probability: asNumber(json.probability, inside(place, "probability")),
    better: json.better === "a" || json.better === "b" ? json.better : null,
  };
}

const readNeither = (json: JsonObject, place: Place) => ({
  bothGood: asNumber(json.both_good, inside(place, "both_good")),
  bothBad: asNumber(json.both_bad, inside(place, "both_bad")),
});

export function readState(value: unknown): ComparisonState {
  const place: Place = { file: "state", path: "" };
  const json = asObject(value, place);
  return {
    label: readText(json.label, inside(place, "label")),
    shape: readZyx(json.shape, inside(place, "shape")),
    voxelSizeNm: readZyx(json.voxel_size_nm, inside(place, "voxel_size_nm")),
    numTrials: asPositive(json.num_trials, inside(place, "num_trials")),
    numAnswered: asNumber(json.num_answered, inside(place, "num_answered")),
    ...readNeither(json, place),
    numTold: asNumber(json.num_told, inside(place, "num_told")),
    probability: json.probability === null ? null : asNumber(json.probability, inside(place, "probability")),
    isEnded: json.is_ended === true,
    result: readResult(json.result, inside(place, "result")),
  };
}

/** Raw, then a bit per voxel of the left and of the right, the lowest bit of a byte first. */
export function readVoxels(bytes: Uint8Array, shape: Zyx): TrialVoxels {
  const numVoxels = shape.z * shape.y * shape.x;
  const numMaskBytes = Math.ceil(numVoxels / 8);
  if (bytes.length !== numVoxels + 2 * numMaskBytes)
    throw new DataError(`trial: expected ${numVoxels + 2 * numMaskBytes} bytes, found ${bytes.length}`);
  const unpack = (begin: number) => {
    const inside = new Uint8Array(numVoxels);
    for (let i = 0; i < numVoxels; ++i) inside[i] = (bytes[begin + (i >> 3)]! >> (i & 7)) & 1;
    return inside;
  };
  return { raw: bytes.subarray(0, numVoxels), left: unpack(numVoxels), right: unpack(numVoxels + numMaskBytes) };
}

async function ask(path: string, init?: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(`api/${path}`, init);
  } catch {
    throw new DataError("organon compare does not answer; is it still running? The same command goes on where it was.");
  }
  if (response.ok) return response;
  const found = (await response.json().catch(() => ({}))) as { error?: unknown };
  throw new DataError(typeof found.error === "string" ? found.error : `the server answered ${response.status}`);
}

const post = async (path: string, body: unknown): Promise<ComparisonState> =>
  readState(await (await ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) })).json());

export const loadState = async (): Promise<ComparisonState> => readState(await (await ask("state")).json());

export const loadVoxels = async (trial: number, shape: Zyx): Promise<TrialVoxels> =>
  readVoxels(new Uint8Array(await (await ask(`trials/${trial}`)).arrayBuffer()), shape);

export const sendAnswer = (trial: number, verdict: Verdict, seconds: number) => post("answer", { trial, verdict, seconds });
export const takeBack = (trial: number) => post("undo", { trial });
export const endComparison = () => post("end", {});

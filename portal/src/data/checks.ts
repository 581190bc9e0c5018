// Checks on values read from JSON. A message names the file, the place in it, what was expected and what was found.

export class DataError extends Error {}

/** A place in a file: "index.json: layers[2].source". */
export interface Place {
  file: string;
  path: string;
}

export const inside = (place: Place, step: string): Place => ({
  file: place.file,
  path: place.path === "" || step.startsWith("[") ? place.path + step : `${place.path}.${step}`,
});

function describe(value: unknown): string {
  if (value === undefined) return "nothing";
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

export function fail(place: Place, expected: string, found: unknown): never {
  const where = place.path === "" ? place.file : `${place.file}: ${place.path}`;
  throw new DataError(`${where}: expected ${expected}, found ${describe(found)}`);
}

export type JsonObject = { readonly [key: string]: unknown };

export function asObject(value: unknown, place: Place): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) fail(place, "an object", value);
  return value as JsonObject;
}

export function asList(value: unknown, place: Place): readonly unknown[] {
  if (!Array.isArray(value)) fail(place, "a list", value);
  return value;
}

export function asText(value: unknown, place: Place): string {
  if (typeof value !== "string" || value === "") fail(place, "a text", value);
  return value;
}

export function asNumber(value: unknown, place: Place): number {
  if (typeof value !== "number" || !Number.isFinite(value)) fail(place, "a number", value);
  return value;
}

export function asPositive(value: unknown, place: Place): number {
  const number = asNumber(value, place);
  if (number <= 0) fail(place, "a positive number", value);
  return number;
}

export function asChoice<T extends string>(value: unknown, choices: readonly T[], place: Place): T {
  const found = choices.find((choice) => choice === value);
  if (found === undefined) fail(place, `one of ${choices.map((choice) => `"${choice}"`).join(", ")}`, value);
  return found;
}

/** A path inside the published tree: relative, without "..", so that index.json cannot send the page elsewhere. */
export function asTreePath(value: unknown, place: Place): string {
  const path = asText(value, place);
  const isInside = !path.startsWith("/") && !/^[a-z][a-z0-9+.-]*:/i.test(path) && !path.includes("\\");
  if (!isInside || path.split("/").includes("..")) fail(place, "a path inside the published folder", value);
  return path;
}

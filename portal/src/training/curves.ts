// curves.csv, the losses and scores of a training: step, seconds, loss_<class>..., f1_<class>..., learning_rate.

import { DataError } from "../data/checks.ts";

const file = "curves.csv";

/** Columns; one entry per row of the file, NaN where a row has no value. */
export interface Curves {
  classes: readonly string[];
  steps: readonly number[];
  /** Of training, since it began; pauses between its runs do not count. */
  seconds: readonly number[];
  /** Per class: mean loss since the row before. */
  losses: readonly (readonly number[])[];
  /** Per class: F1 on the validation crops, at rows where it was measured. */
  scores: readonly (readonly number[])[];
  /** All NaN in files of trainings that did not note it. */
  learningRates: readonly number[];
}

const withPrefix = (names: readonly string[], prefix: string) => names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));

/** The names of the classes; the columns must stand in the order in which training writes them. */
function readHeader(line: string): readonly string[] {
  const names = line.split(",");
  const classes = withPrefix(names.slice(2), "loss_");
  const expected = ["step", "seconds", ...classes.map((name) => `loss_${name}`), ...classes.map((name) => `f1_${name}`)];
  const isExpected = classes.length > 0 && expected.every((name, i) => names[i] === name);
  const rest = names.slice(expected.length);
  if (!isExpected || !(rest.length === 0 || (rest.length === 1 && rest[0] === "learning_rate"))) {
    throw new DataError(`${file}: line 1: expected step,seconds,loss_<class>...,f1_<class>...,learning_rate, found "${line.slice(0, 80)}"`);
  }
  return classes;
}

/** Reads the text of curves.csv. Throws DataError naming the line. */
export function readCurves(text: string): Curves {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  const header = lines[0] ?? "";
  const classes = readHeader(header);
  const numColumns = header.split(",").length;
  const hasRate = numColumns > 2 + 2 * classes.length;
  const steps: number[] = [];
  const seconds: number[] = [];
  const losses = classes.map((): number[] => []);
  const scores = classes.map((): number[] => []);
  const learningRates: number[] = [];
  for (const [i, line] of lines.slice(1).entries()) {
    const fields = line.split(",");
    const fail = (expected: string, found: string): never => {
      throw new DataError(`${file}: line ${i + 2}: expected ${expected}, found "${found.slice(0, 80)}"`);
    };
    if (fields.length !== numColumns) fail(`${numColumns} fields`, line);
    const numberAt = (column: number): number => {
      const field = fields[column]!;
      const value = field.trim() === "" ? NaN : Number(field);
      return Number.isFinite(value) ? value : fail("a number", field);
    };
    const numberOrNoneAt = (column: number): number => (fields[column] === "" ? NaN : numberAt(column));
    const step = numberAt(0);
    if (steps.length > 0 && step <= steps.at(-1)!) fail(`a step after ${steps.at(-1)}`, fields[0]!);
    steps.push(step);
    seconds.push(numberAt(1));
    for (const c of classes.keys()) {
      losses[c]!.push(numberAt(2 + c));
      scores[c]!.push(numberOrNoneAt(2 + classes.length + c));
    }
    learningRates.push(hasRate ? numberOrNoneAt(numColumns - 1) : NaN);
  }
  return { classes, steps, seconds, losses, scores, learningRates };
}

/** The last number of a list that is one, up to a position; undefined where there is none. */
export function lastNumber(values: readonly number[], last = values.length - 1): number | undefined {
  for (let i = last; i >= 0; --i) if (!Number.isNaN(values[i])) return values[i];
  return undefined;
}

export interface Best {
  value: number;
  /** Row of the curves. */
  row: number;
}

/** The first of the highest numbers. */
export function highest(values: readonly number[]): Best | undefined {
  let best: Best | undefined;
  for (const [row, value] of values.entries()) {
    if (!Number.isNaN(value) && (best === undefined || value > best.value)) best = { value, row };
  }
  return best;
}

/** Mean over the classes, row by row: NaN where a class has none. Training stops early by that of the scores. */
export function meanOf(columns: readonly (readonly number[])[]): number[] {
  const numRows = columns[0]?.length ?? 0;
  return Array.from({ length: numRows }, (_, row) => columns.reduce((sum, column) => sum + column[row]!, 0) / columns.length);
}

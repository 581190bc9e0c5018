// How far a training is, and whether it still runs: from its files alone, and said as such.

import { highest, meanOf } from "./curves.ts";
import type { Curves } from "./curves.ts";
import type { Training } from "./training_file.ts";

export type State =
  /** No row yet. */
  | "begun"
  | "running"
  /** It did all its steps. */
  | "ended"
  /** It stopped where scores got no better. */
  | "ended early"
  /** It has written nothing for much longer than it takes: killed, paused, or its machine sleeps. */
  | "silent";

export interface Progress {
  state: State;
  step: number;
  /** Of the last rows; undefined where there are none. */
  stepsPerSecond: number | undefined;
  secondsLeft: number | undefined;
  secondsTrained: number;
  /** Highest mean F1; undefined where nothing was scored. */
  best: { step: number; mean: number } | undefined;
}

const rateRows = 20;
const leastSilentSeconds = 60;
const silentIntervals = 3;

/** Scores without a better mean since the best one. */
function scoresSinceBest(means: readonly number[]): number {
  const best = highest(means);
  return best === undefined ? 0 : means.slice(best.row + 1).filter((mean) => !Number.isNaN(mean)).length;
}

/** `ageSeconds`: since curves.csv was written; undefined where the server does not tell. */
export function progressOf(training: Training, curves: Curves, ageSeconds: number | undefined): Progress {
  const last = curves.steps.length - 1;
  const means = meanOf(curves.scores);
  const found = highest(means);
  const best = found === undefined ? undefined : { step: curves.steps[found.row]!, mean: found.value };
  if (last < 0) return { state: "begun", step: 0, stepsPerSecond: undefined, secondsLeft: undefined, secondsTrained: 0, best };
  const step = curves.steps[last]!;
  const secondsTrained = curves.seconds[last]!;
  const from = Math.max(-1, last - rateRows);
  const [fromStep, fromSeconds] = from < 0 ? [0, 0] : [curves.steps[from]!, curves.seconds[from]!];
  // Seconds have one decimal, so that the first rows of a small network may all say 0.
  const stepsPerSecond = secondsTrained > fromSeconds ? (step - fromStep) / (secondsTrained - fromSeconds) : undefined;
  const counted = { step, stepsPerSecond, secondsTrained, best };
  if (step >= training.steps) return { ...counted, state: "ended", secondsLeft: 0 };
  if (training.patience > 0 && scoresSinceBest(means) >= training.patience) return { ...counted, state: "ended early", secondsLeft: 0 };
  const secondsLeft = stepsPerSecond === undefined ? undefined : (training.steps - step) / stepsPerSecond;
  // Rows are written ten at a time, and at checkpoints.
  const writeSteps = Math.min(10 * training.logEvery, Math.ceil(training.checkpointEvery / training.logEvery) * training.logEvery);
  const writeSeconds = stepsPerSecond === undefined ? 0 : writeSteps / stepsPerSecond;
  const isSilent = ageSeconds !== undefined && ageSeconds > Math.max(leastSilentSeconds, silentIntervals * writeSeconds);
  return { ...counted, state: isSilent ? "silent" : "running", secondsLeft };
}

/** "45 s", "12 min", "3 h 20 min", "2 d 4 h". */
export function formatDuration(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  const days = Math.floor(hours / 24);
  return hours % 24 === 0 ? `${days} d` : `${days} d ${hours % 24} h`;
}

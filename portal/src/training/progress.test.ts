import assert from "node:assert/strict";
import test from "node:test";
import type { Curves } from "./curves.ts";
import { formatDuration, progressOf } from "./progress.ts";
import type { Training } from "./training_file.ts";

const training: Training = {
  name: undefined,
  classes: ["a", "b"],
  steps: 1000,
  logEvery: 10,
  checkpointEvery: 250,
  patience: 0,
  batch: 1,
  patch: [64],
  loss: "mse",
  numParameters: 1,
  voxelSizeNm: [8, 8, 8],
  beganUnixSeconds: undefined,
};

/** Rows every ten steps, each of `secondsPerStep`; `scores`: mean F1 of every second row from the first on. */
function curvesOf(numRows: number, secondsPerStep: number, scores: readonly number[] = []): Curves {
  const rows = Array.from({ length: numRows }, (_, row) => row);
  const ofClass = (shift: number) => rows.map((row) => (row % 2 === 0 && row / 2 < scores.length ? scores[row / 2]! + shift : NaN));
  return {
    classes: ["a", "b"],
    steps: rows.map((row) => 10 * (row + 1)),
    seconds: rows.map((row) => 10 * (row + 1) * secondsPerStep),
    losses: [rows.map(() => 1), rows.map(() => 1)],
    scores: [ofClass(0.1), ofClass(-0.1)],
    learningRates: rows.map(() => NaN),
  };
}

test("rate and time left come from the last rows", () => {
  const progress = progressOf(training, curvesOf(40, 0.5), 3);
  assert.equal(progress.state, "running");
  assert.equal(progress.step, 400);
  assert.equal(progress.stepsPerSecond, 2);
  assert.equal(progress.secondsLeft, 300);
  const slower = curvesOf(40, 0.5);
  const changed = { ...slower, seconds: slower.seconds.map((seconds, row) => (row < 20 ? seconds : seconds + (row - 19) * 5)) };
  assert.equal(progressOf(training, changed, 3).stepsPerSecond, 1, "not of the rows before");
});

test("no row is no rate", () => {
  const progress = progressOf(training, curvesOf(0, 1), 5000);
  assert.equal(progress.state, "begun");
  assert.equal(progress.stepsPerSecond, undefined);
  const instant = progressOf(training, { ...curvesOf(1, 0), seconds: [0] }, 1);
  assert.equal(instant.state, "running");
  assert.equal(instant.secondsLeft, undefined);
});

test("all steps done is the end, however old", () => {
  const progress = progressOf(training, curvesOf(100, 0.5), 1e7);
  assert.equal(progress.state, "ended");
  assert.equal(progress.secondsLeft, 0);
});

test("what has written nothing for three times as long as it takes is silent", () => {
  // A hundred steps of half a second between writes.
  assert.equal(progressOf(training, curvesOf(40, 0.5), 140).state, "running");
  assert.equal(progressOf(training, curvesOf(40, 0.5), 160).state, "silent");
  assert.equal(progressOf(training, curvesOf(40, 0.001), 50).state, "running", "a minute at least");
  assert.equal(progressOf(training, curvesOf(40, 0.001), 70).state, "silent");
  assert.equal(progressOf(training, curvesOf(40, 0.5), undefined).state, "running", "the server does not tell");
  assert.equal(progressOf({ ...training, checkpointEvery: 15 }, curvesOf(40, 10), 500).state, "running", "checkpoints every 20 steps");
  assert.equal(progressOf({ ...training, checkpointEvery: 15 }, curvesOf(40, 10), 700).state, "silent");
});

test("a training that waited for better scores in vain has ended early", () => {
  const patient = { ...training, patience: 3 };
  const early = progressOf(patient, curvesOf(10, 1, [0.3, 0.6, 0.5, 0.6, 0.4]), 1e6);
  assert.equal(early.state, "ended early");
  assert.equal(early.best!.step, 30);
  assert.ok(Math.abs(early.best!.mean - 0.6) < 1e-12);
  assert.equal(progressOf(patient, curvesOf(10, 1, [0.3, 0.6, 0.5, 0.6]), 3).state, "running");
  assert.equal(progressOf(training, curvesOf(10, 1, [0.3, 0.6, 0.5, 0.6, 0.4]), 3).state, "running", "patience 0 waits for ever");
});

test("durations in two units", () => {
  assert.deepEqual([0.4, 45, 700, 12000, 7200, 187200, 172800].map(formatDuration), ["0 s", "45 s", "12 min", "3 h 20 min", "2 h", "2 d 4 h", "2 d"]);
});

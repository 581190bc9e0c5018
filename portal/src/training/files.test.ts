import assert from "node:assert/strict";
import test from "node:test";
import { DataError } from "../data/checks.ts";
import { bestPatch, readSamples } from "./samples_file.ts";
import { readTraining } from "./training_file.ts";

/** `good` with one value changed; a path as in messages. */
function changed(good: unknown, path: readonly (string | number)[], value: unknown): unknown {
  let place = good as Record<string | number, unknown>;
  for (const step of path.slice(0, -1)) place = place[step] as Record<string | number, unknown>;
  place[path.at(-1)!] = value;
  return good;
}

type Fault = readonly [readonly (string | number)[], unknown, RegExp];
function expectFaults(read: (json: unknown) => unknown, good: () => unknown, faults: readonly Fault[]) {
  for (const [path, value, message] of faults) {
    assert.throws(() => read(changed(good(), path, value)), (error: Error) => error instanceof DataError && message.test(error.message), String(message));
  }
}

const training = () => ({
  name: "mito",
  options: { classes: ["mito", "er"], steps: 6500, log_every: 5, checkpoint_every: 100, patience: 4, batch: 4, patch: [64], loss: "mse" },
  num_parameters: 1159304,
  voxel_size_nm: [10, 8, 8],
  began_unix_seconds: 1795739733,
});

test("the description of a training is read", () => {
  const read = readTraining(training());
  assert.equal(read.name, "mito");
  assert.deepEqual(read.classes, ["mito", "er"]);
  assert.deepEqual([read.steps, read.logEvery, read.checkpointEvery, read.patience], [6500, 5, 100, 4]);
  const { name: _name, began_unix_seconds: _began, ...older } = training();
  assert.equal(readTraining(older).name, undefined);
  assert.equal(readTraining(older).beganUnixSeconds, undefined);
  assert.equal(readTraining({ ...older, name: "" }).name, undefined);
});

test("each fault of a description is named", () => {
  expectFaults(readTraining, training, [
    [["options"], 3, /training\.json: options: expected an object, found 3/],
    [["options", "classes"], [], /options\.classes: expected at least one class/],
    [["options", "classes", 1], 7, /options\.classes\[1\]: expected a text, found 7/],
    [["options", "steps"], 0, /options\.steps: expected a positive number, found 0/],
    [["options", "steps"], 1.5, /options\.steps: expected a whole number/],
    [["num_parameters"], undefined, /num_parameters: expected a number, found nothing/],
    [["voxel_size_nm"], [8, -8, 8], /voxel_size_nm\[1\]: expected a positive number/],
  ]);
  assert.throws(() => readTraining([]), /training\.json: expected an object/);
});

const samples = () => ({
  format: "organon-training-samples/1",
  classes: ["mito", "er"],
  tile_pixels: [48, 64],
  patches: [
    { known: [1, 0], positive: [1, 0] },
    { known: [1, 0.5], positive: [0.4, 0] },
  ],
  raw: "raw.png",
  truth: "truth.png",
  steps: [
    { step: 250, file: "step_000250.png" },
    { step: 500, file: "step_000500.png" },
  ],
});

test("the index of pictures is read", () => {
  const read = readSamples(samples());
  assert.deepEqual(read.tile, { height: 48, width: 64 });
  assert.deepEqual(read.patches[1]![1], { known: 0.5, positive: 0 });
  assert.deepEqual(read.steps[1], { step: 500, file: "step_000500.png" });
  assert.equal(bestPatch(read, 0), 1, "half inside shows more than all inside");
  assert.equal(bestPatch(read, 1), 1, "nothing inside: where it was looked for");
});

test("each fault of the index of pictures is named", () => {
  expectFaults(readSamples, samples, [
    [["format"], "other", /samples\/index\.json: format: expected "organon-training-samples\/1", found "other"/],
    [["tile_pixels"], [3], /tile_pixels: expected two numbers/],
    [["tile_pixels", 0], 0, /tile_pixels\[0\]: expected a positive number/],
    [["patches"], [], /patches: expected at least one patch/],
    [["patches", 1, "known"], [1], /patches\[1\]\.known: expected 2 numbers/],
    [["patches", 0, "positive", 1], "x", /patches\[0\]\.positive\[1\]: expected a number/],
    [["steps", 1, "step"], 250, /steps\[1\]\.step: expected a step after 250, found 250/],
    [["steps", 0, "file"], "../../x.png", /steps\[0\]\.file: expected a path inside/],
    [["raw"], "http://example.org/x.png", /raw: expected a path inside/],
  ]);
});

import assert from "node:assert/strict";
import test from "node:test";
import { DataError } from "../data/checks.ts";
import { highest, lastNumber, meanOf, readCurves } from "./curves.ts";

const header = "step,seconds,loss_mito,loss_er,f1_mito,f1_er,learning_rate\n";

test("rows of losses and scores are read as columns", () => {
  const curves = readCurves(`${header}10,1.5,0.5,0.25,,,0.001\n20,3.0,0.4,1e-05,0.75,0.5000,\n`);
  assert.deepEqual(curves.classes, ["mito", "er"]);
  assert.deepEqual(curves.steps, [10, 20]);
  assert.deepEqual(curves.seconds, [1.5, 3]);
  assert.deepEqual(curves.losses, [
    [0.5, 0.4],
    [0.25, 1e-5],
  ]);
  assert.deepEqual(curves.scores, [
    [NaN, 0.75],
    [NaN, 0.5],
  ]);
  assert.deepEqual(curves.learningRates, [0.001, NaN]);
});

test("files without rows, and without learning rates, are read", () => {
  assert.equal(readCurves(header).steps.length, 0);
  const older = readCurves("step,seconds,loss_a,f1_a\n5,0.5,0.125,\n6,0.75,0.1,0.9");
  assert.deepEqual(older.learningRates, [NaN, NaN]);
  assert.deepEqual(older.scores, [[NaN, 0.9]]);
});

test("names of classes may hold prefixes of others", () => {
  const curves = readCurves("step,seconds,loss_loss_a,loss_f1_b,f1_loss_a,f1_f1_b\n1,0,1,2,,\n");
  assert.deepEqual(curves.classes, ["loss_a", "f1_b"]);
  assert.deepEqual(curves.losses, [[1], [2]]);
});

test("each fault is named with its line", () => {
  const faults: readonly (readonly [string, RegExp])[] = [
    ["", /curves\.csv: line 1: expected step,seconds/],
    ["<!doctype html>", /line 1: expected step,seconds.*found "<!doctype html>"/],
    ["step,seconds\n", /line 1/],
    ["step,seconds,loss_a,f1_b\n", /line 1/],
    ["seconds,step,loss_a,f1_a\n", /line 1/],
    ["step,seconds,loss_a,f1_a,other\n", /line 1/],
    [`${header}10,1.5,0.5\n`, /line 2: expected 7 fields, found "10,1\.5,0\.5"/],
    [`${header}10,1.5,0.5,0.25,,,0.001\n\n`, /line 3: expected 7 fields, found ""/],
    [`${header}10,1.5,x,0.25,,,\n`, /line 2: expected a number, found "x"/],
    [`${header}10,1.5,,0.25,,,\n`, /line 2: expected a number, found ""/],
    [`${header}10,1.5,inf,0.25,,,\n`, /line 2: expected a number, found "inf"/],
    [`${header}10,1.5,1,0.25,nan,,\n`, /line 2: expected a number, found "nan"/],
    [`${header}10,1,1,1,,,\n10,2,1,1,,,\n`, /line 3: expected a step after 10, found "10"/],
  ];
  for (const [text, message] of faults) {
    assert.throws(() => readCurves(text), (error: Error) => error instanceof DataError && message.test(error.message), `${text} ${String(message)}`);
  }
});

test("numbers are found among rows without one", () => {
  assert.equal(lastNumber([NaN, 3, NaN, 5, NaN]), 5);
  assert.equal(lastNumber([NaN, 3, NaN, 5, NaN], 2), 3);
  assert.equal(lastNumber([NaN, 3], 0), undefined);
  assert.deepEqual(highest([NaN, 0.2, 0.5, 0.5, NaN]), { value: 0.5, row: 2 });
  assert.equal(highest([NaN]), undefined);
  assert.deepEqual(meanOf([[NaN, 1, 0.5], [NaN, 0, 1]]), [NaN, 0.5, 0.75]);
});

// Judges two candidates in Chromium, as a person would: by the pictures alone, with keys.
//
//   node compare_test.mjs <organon> <screenshot.png>
//
// Raw is a dark ball in bright noise. The candidate called alder is that ball, birch is one that lies beside. The test looks
// which side's overlay covers what is dark, undoes once, and kills the server midway. Exit code 0 where all checks hold.

import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { check, exitCode, toItsEnd } from "./checks.mjs";
import { launchChromium, requireChromium, startProgram } from "./served_page.mjs";

const execute = promisify(execFile);
const numTrials = 6;
const shape = { z: 24, y: 48, x: 48 };
const voxelSizeNm = { z: 8, y: 4, x: 4 };
const secrets = ["alder", "birch", "setup"];

function hash(n) {
  let h = Math.imul(n + 1, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 15), 0x85ebca77);
  return (h ^ (h >>> 13)) >>> 0;
}

/** Voxels by their distance in nm to a ball's surface, positive inside. */
function paint(centreXNm, value) {
  const voxels = new Uint8Array(shape.z * shape.y * shape.x);
  let i = 0;
  for (let z = 0; z < shape.z; ++z)
    for (let y = 0; y < shape.y; ++y)
      for (let x = 0; x < shape.x; ++x, ++i) {
        const inside = 72 - Math.hypot(z * voxelSizeNm.z - 96, y * voxelSizeNm.y - 96, x * voxelSizeNm.x - centreXNm);
        voxels[i] = value(inside, i);
      }
  return voxels;
}

async function makeVolumes(folder, organon) {
  const prediction = (inside) => Math.round(127.5 * (1 + Math.tanh(inside / 50)));
  const volumes = {
    raw: paint(96, (inside, i) => (inside > 0 ? 50 : 180) + (hash(i) % 24)),
    alder: paint(96, prediction),
    birch: paint(136, prediction),
  };
  const header = `NRRD0004\ntype: uint8\ndimension: 3\nsizes: ${shape.x} ${shape.y} ${shape.z}\nencoding: raw\n\n`;
  for (const [name, voxels] of Object.entries(volumes)) {
    await writeFile(path.join(folder, `${name}.nrrd`), Buffer.concat([Buffer.from(header), voxels]));
    const place = ["--voxel-size-nm", Object.values(voxelSizeNm).join(), "--offset-nm", "0,0,0", "--role", "raw"];
    await execute(organon, ["import", `${name}.nrrd`, `n5://${name}.n5/s0`, ...place, "--workers", "1", "--no-fsync"], { cwd: folder });
  }
}

/** Twice the lower tail of throws of a fair coin, from Pascal's triangle. */
function binomial(a, b) {
  let row = [1];
  for (let n = 0; n < a + b; ++n) row = [1, ...row.slice(1).map((value, i) => value + row[i]), 1];
  const tail = row.slice(0, Math.min(a, b) + 1).reduce((sum, value) => sum + value, 0);
  return Math.min(1, (2 * tail) / 2 ** (a + b));
}

const pixelsOf = (page, side) =>
  page.locator(`[data-side="${side}"] canvas`).evaluateAll((canvases) =>
    canvases.map((canvas) => ({
      plane: canvas.dataset.plane,
      width: canvas.width,
      height: canvas.height,
      pixels: [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data],
    })),
  );

const isOverlay = (r, g, b) => r > 40 && r - b > 40;

/** Of both sides, how many pixels of all sections have the overlay, and how many have it just where raw is dark. */
async function lookAt(page) {
  const found = {};
  for (const side of ["left", "right"]) {
    const withOverlay = await pixelsOf(page, side);
    await page.keyboard.press("o");
    await page.waitForFunction(() => !document.querySelector(".looks input[type=checkbox]").checked);
    await page.waitForTimeout(50);
    const bare = await pixelsOf(page, side);
    await page.keyboard.press("o");
    await page.waitForFunction(() => document.querySelector(".looks input[type=checkbox]").checked);
    await page.waitForTimeout(50);
    let [overlaid, agreeing, total, dark] = [0, 0, 0, 0];
    withOverlay.forEach(({ pixels }, section) => {
      for (let i = 0; i < pixels.length; i += 4, ++total) {
        const isInside = isOverlay(pixels[i], pixels[i + 1], pixels[i + 2]);
        const [r, , b] = bare[section].pixels.slice(i, i + 3);
        if (r !== b) throw new Error("raw without overlay is not grey");
        const isDark = r < 128;
        overlaid += isInside;
        dark += isDark;
        agreeing += isInside === isDark;
      }
    });
    found[side] = { overlaid, agreeing, total, dark };
  }
  return found;
}

const trialShown = (page, trial) => page.waitForSelector(`.trial[data-trial="${trial}"][data-shown="true"] canvas`, { timeout: 30_000 });

async function run(folder, organon, screenshot) {
  await makeVolumes(folder, organon);
  const words = ["compare", "alder.n5", "birch.n5", "--raw", "raw.n5", "--output", "out", "--edge-voxels", "24", "--trials", String(numTrials)];
  const at = (word) => (word.endsWith(".n5") || word === "out" ? path.join(folder, word) : word);
  const command = [...words.map(at), "--name-a", "setup1@1000", "--name-b", "setup2@2000", "--label", "mito", "--kind-a", "prediction", "--kind-b", "prediction", "--seed", "7", "--port", "0"];
  let server = await startProgram(organon, command);
  let browser;
  try {
    browser = await launchChromium();
    const page = await (await browser.newContext({ viewport: { width: 1280, height: 800 } })).newPage();
    const troubles = [];
    const leaks = [];
    const reading = [];
    let isEnded = false;
    page.on("pageerror", (error) => troubles.push(String(error)));
    page.on("console", (message) => message.type() === "error" && troubles.push(message.text()));
    page.on("response", (response) => {
      if (isEnded || !response.url().includes("/api/")) return;
      reading.push(
        Promise.all([response.body(), response.allHeaders()]).then(([body, headers]) => {
          const all = `${response.url()} ${JSON.stringify(headers)} ${body.toString("latin1")}`;
          leaks.push(...secrets.filter((secret) => all.includes(secret)));
          if (response.headers()["content-type"] === "application/json" && (/prefer|counted/.test(all) || (response.ok() && !all.includes('"probability":null')))) leaks.push(all);
        }),
      );
    });

    await page.goto(`${server.address}compare.html`);
    await trialShown(page, 0);
    const height = await page.evaluate(() => document.scrollingElement.scrollHeight);
    check("no probability before ten answers", (await page.getByRole("status").textContent()).includes("p is told after ten answers"));
    check("the page fits 1280 x 800", height <= 800, `${height} pixels high`);
    const sections = await pixelsOf(page, "left");
    const sizes = sections.map(({ plane, width, height }) => `${plane} ${width}x${height}`).join(", ");
    check("three sections in voxels of the box", sizes === "xy 24x24, yz 12x24, xz 24x12", sizes);
    const onScreen = await page.locator('[data-side="left"] canvas').evaluateAll((all) => all.map((one) => one.getBoundingClientRect()).map(({ width, height }) => width / height));
    check("anisotropic voxels are drawn undistorted", onScreen.every((ratio) => Math.abs(ratio - 1) < 0.02), onScreen.join(" "));

    // The wheel over one side scrolls both.
    const label = (side, plane) => page.locator(`[data-side="${side}"] canvas[data-plane="${plane}"]`).getAttribute("aria-label");
    await page.locator('[data-side="right"] canvas[data-plane="xy"]').hover();
    await page.mouse.wheel(0, 100);
    await page.waitForTimeout(100);
    check("the wheel scrolls both sides", (await label("left", "xy")).includes("z = 8 of 12") && (await label("right", "xy")).includes("z = 8 of 12"), await label("left", "xy"));
    await page.keyboard.press("ArrowUp");
    await page.waitForTimeout(100);
    check("the arrow keys scroll, too", (await label("left", "xy")).includes("z = 7 of 12"));

    const judge = async (trial) => {
      await trialShown(page, trial);
      const { left, right } = await lookAt(page);
      const found = `left ${left.agreeing}, right ${right.agreeing} of ${left.total} pixels agree, ${left.dark} dark`;
      check(`trial ${trial + 1}: overlays are drawn, one where raw is dark`, Math.max(left.overlaid, right.overlaid) > 20 && left.agreeing !== right.agreeing, found);
      return left.agreeing > right.agreeing ? { better: "1", worse: "2" } : { better: "2", worse: "1" };
    };
    const press = async (trial, key) => {
      await page.keyboard.press(key);
      if (trial + 1 < numTrials) await trialShown(page, trial + 1);
    };

    await page.keyboard.press("Control+ArrowUp");
    await page.waitForTimeout(100);
    check("those with Control are the browser's", (await label("left", "xy")).includes("z = 7 of 12"));

    // By a click, so that a button has the focus.
    const first = (await judge(0)).better === "1" ? "Left is better" : "Right is better";
    await page.keyboard.press("ArrowDown");
    await page.getByRole("button", { name: first }).click();
    await trialShown(page, 1);
    check("the focus stays", (await page.evaluate(() => document.activeElement.textContent)).startsWith(first));
    check("a new trial begins in the middle", (await label("left", "xy")).includes("z = 7 of 12"), await label("left", "xy"));
    // The wrong key, taken back.
    const second = await judge(1);
    await writeFile(screenshot, await page.screenshot());
    await press(1, second.worse);
    await page.keyboard.press("u");
    await trialShown(page, 1);
    await press(1, second.better);
    await judge(2);
    await press(2, "g");

    await server.kill();
    const other = await execute(organon, [...command.slice(0, -3), "5", "--port", "0"]).catch((error) => error);
    check("another seed is refused", other.code === 2 && other.stderr.includes("option seed"), other.stderr?.trim());
    server = await startProgram(organon, command);
    await page.goto(`${server.address}compare.html`);
    await trialShown(page, 3);
    check("it goes on with the next trial", (await page.getByRole("status").textContent()).startsWith(`Trial 4 of ${numTrials}`));
    await press(3, (await judge(3)).better);
    await press(4, "n");
    const last = (await judge(5)).better;
    await Promise.all(reading);
    const before = leaks.length;
    isEnded = true;
    await press(5, last);
    await page.waitForSelector(".result");
    check("no answer before the end says who is who", before === 0 && reading.length > 15, leaks.slice(0, 3).join("; ") || `${reading.length} answers`);

    // The end.
    const kept = JSON.parse(await readFile(path.join(folder, "out/comparison.json"), "utf8"));
    const rows = (await readFile(path.join(folder, "out/comparison.csv"), "utf8")).trim().split("\r\n").map((line) => line.split(","));
    const column = (name) => rows.slice(1).map((row) => row[rows[0].indexOf(name)]);
    const countedA = column("counted_for").filter((letter) => letter === "a").length;
    const { result } = kept;
    check("alder was preferred in all trials with a preference", result.a.preferred === 4 && result.b.preferred === 0 && result.a.name === "setup1@1000", JSON.stringify(result));
    check("the answers are kept", column("answer").join() === "a,a,both_good,a,both_bad,a", column("answer").join());
    const p = binomial(countedA, numTrials - countedA);
    check("the probability is that of the binomial test", result.a.counted === countedA && result.probability === p && Number(column("probability").at(-1)) === p, `${countedA} of ${numTrials}: ${p}`);
    check("sides were mixed", new Set(column("left")).size === 2, column("left").join());
    check("times are kept", column("seconds").every((seconds) => Number(seconds) > 0), column("seconds").join());
    const shown = await page.locator(".result").textContent();
    check("the page tells who was who", shown.includes("A: setup1@1000") && shown.includes(path.join(folder, "birch.n5")) && shown.includes("Both good: 1. Both bad: 1."), shown.slice(0, 200));
    check("the page tells the probability", Number(await page.locator("[data-probability]").getAttribute("data-probability")) === p);
    await writeFile(screenshot.replace(/\.png$/, "_result.png"), await page.screenshot());
    await execute(organon, ["choose", path.join(folder, "out"), path.join(folder, "chosen"), "--metric", "manual_preference", "--workers", "1"]);
    const best = await readFile(path.join(folder, "chosen/best_setups.csv"), "utf8");
    check("choose takes it as a score", best.includes("setup1"), best.split("\r\n")[1]);
    check("the page had no troubles", troubles.length === 0, troubles.slice(0, 3).join("; "));
  } finally {
    await browser?.close();
    await server.stop();
  }
}

const [organon, screenshot] = process.argv.slice(2);
if (screenshot === undefined) {
  console.error("usage: node compare_test.mjs <organon> <screenshot.png>");
  process.exit(2);
}
requireChromium();
const folder = await mkdtemp(path.join(os.tmpdir(), "organon_compare_"));
await toItsEnd(() => run(folder, path.resolve(organon), path.resolve(screenshot)));
await rm(folder, { recursive: true, force: true });
process.exit(exitCode());

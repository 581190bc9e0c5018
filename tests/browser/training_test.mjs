// Watches a training in Chromium while it runs: the curve grows, pictures come, the end is told.
//
//   node training_test.mjs <organon> <screenshot.png>
//
// The training is a short one of a phantom cell. It is stopped (SIGSTOP) while the page is opened, so that what the page
// must show is known, and then goes on. CHROMIUM names another browser than /usr/bin/chromium.

import { execFileSync, spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { check, exitCode, toItsEnd } from "./checks.mjs";
import { readPng } from "./png.mjs";
import { launchChromium, requireChromium, startServer } from "./served_page.mjs";

const withinMs = 120_000; // on a busy machine
const numSteps = 60;
const classes = ["vesicle", "er", "nucleus"];

/** Makes a phantom cell with targets; returns their addresses. */
async function makeCell(folder, organon) {
  const run = (...words) => execFileSync(organon, [...words, "--no-fsync"], { stdio: ["ignore", "pipe", "pipe"], timeout: 300_000 });
  const cell = path.join(folder, "cell", "phantom.n5");
  run("phantom", path.join(folder, "cell"), "--shape", "64,64,64", "--voxel-size-nm", "8", "--seed", "3", "--contrast", "hela");
  const objects = (await readFile(path.join(folder, "cell", "tables", "objects.csv"), "utf8")).split("\n").map((line) => line.split(","));
  const ids = classes.map((name) => objects.filter((row) => row[1] === name).map((row) => row[0]).join("+"));
  run("targets", `${cell}/labels`, `${cell}/targets`, "--classes", classes.join(","), "--ids", ids.join(","), "--voxel-size-nm", "8");
  return [`${cell}/raw`, `${cell}/targets`];
}

/** Starts `organon train` in a process group of its own, so that all of it can be stopped for a while. */
function startTraining(organon, pair, network) {
  const options = {
    classes: classes.join(","),
    roles: "train,validate",
    features: "8,16",
    pooling: "2",
    patch: "32",
    batch: "4",
    steps: String(numSteps),
    "warmup-steps": "2",
    "log-every": "1",
    "checkpoint-every": "1",
    "validate-every": "2",
    "validation-patches": "2",
    threads: "1",
  };
  const words = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
  const child = spawn(organon, ["train", ...pair, ...pair, network, ...words, "--no-fsync"], { detached: true, stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  child.stderr.on("data", (piece) => (text += piece));
  child.stdout.on("data", (piece) => (text += piece));
  const ended = new Promise((resolve) => child.on("exit", (code, signal) => resolve({ code: code ?? signal, text })));
  return { send: (signal) => process.kill(-child.pid, signal), isOver: () => child.exitCode !== null || child.signalCode !== null, ended, output: () => text };
}

/** Last step in curves.csv; 0 where there is none. */
async function lastStep(network) {
  const text = await readFile(path.join(network, "curves.csv"), "utf8").catch(() => "");
  return Number(text.trimEnd().split("\n").at(-1).split(",")[0]) || 0;
}

async function waitFor(what, holds) {
  for (const begin = Date.now(); Date.now() - begin < withinMs; await new Promise((resolve) => setTimeout(resolve, 50))) if (await holds()) return;
  throw new Error(`waited in vain for ${what}`);
}

/** Number of colours on a tile, and its bytes to compare with others. */
async function tile(page, className, column) {
  const image = readPng(await page.locator(`.sample[data-class="${className}"] .tile`).nth(column).screenshot());
  const pixels = [];
  for (let y = 4; y < image.height - 4; ++y) for (let x = 4; x < image.width - 4; ++x) pixels.push(image.at(x, y).join());
  return { numColors: new Set(pixels).size, pixels };
}

const differing = (a, b) => a.pixels.filter((pixel, i) => pixel !== b.pixels[i]).length / a.pixels.length;
const pathOf = (page, className) => page.locator(`.plot path.line[data-class="${className}"]`).first().getAttribute("d");
const shownStep = async (page) => Number(await page.locator(".run [data-step]").getAttribute("data-step"));
const numPoints = (d) => d.split(/[ML]/).length - 1;

async function run(folder, organon, screenshot) {
  const network = path.join(folder, "networks", "small");
  const training = startTraining(organon, await makeCell(folder, organon), network);
  let browser;
  let server;
  try {
    await waitFor("four steps", async () => training.isOver() || (await lastStep(network)) >= 4);
    if (!training.isOver()) training.send("SIGSTOP");
    const stoppedAt = await lastStep(network);
    check("the training runs", !training.isOver() && stoppedAt < numSteps, training.isOver() ? training.output() : `stopped at step ${stoppedAt}`);

    server = await startServer(organon, network);
    browser = await launchChromium();
    const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
    const troubles = [];
    const foreign = [];
    page.on("console", (message) => message.type() === "error" && troubles.push(message.text()));
    page.on("pageerror", (error) => troubles.push(String(error)));
    page.on("request", (request) => !request.url().startsWith(server.address) && !/^(data|blob):/.test(request.url()) && foreign.push(request.url()));
    await page.goto(server.address);
    await page.waitForSelector(".run [data-step]", { timeout: withinMs });
    check("the page shows the step that is written", (await shownStep(page)) === stoppedAt, `step ${await shownStep(page)}`);
    const state = page.locator(".state");
    check("the training is said to run", (await state.getAttribute("data-state")) === "running", await state.textContent());
    check("the training has the name of its folder", (await page.locator("h1").textContent()) === "small");
    const before = await pathOf(page, "vesicle");
    check("its losses are drawn", numPoints(before) === stoppedAt, `${numPoints(before)} points`);
    const names = await page.locator(".classes tbody tr").evaluateAll((rows) => rows.map((row) => row.dataset.id));
    check("every class has its row", names.join() === classes.join(), names.join());

    // It goes on, and the open page follows.
    training.send("SIGCONT");
    await page.waitForFunction((step) => Number(document.querySelector(".run [data-step]").dataset.step) > step, stoppedAt, { timeout: withinMs });
    const grown = await pathOf(page, "vesicle");
    check("the curve grows", numPoints(grown) > numPoints(before) && grown !== before, `${numPoints(before)} to ${numPoints(grown)} points`);
    await page.waitForSelector(".samples-place output[data-step]", { timeout: withinMs });
    await page.waitForSelector(`.sample[data-class="vesicle"] img[alt="prediction of vesicle"]`, { timeout: withinMs });

    const { code, text } = await training.ended;
    check("the training comes to its end", code === 0, code === 0 ? "" : text);
    await page.waitForSelector('.state[data-state="ended"]', { timeout: withinMs });
    check("the page tells the end", (await shownStep(page)) === numSteps, await state.textContent());
    await page.waitForSelector(`.samples-place output[data-step="${numSteps}"]`, { timeout: withinMs });
    await page.waitForTimeout(500);

    // Pictures: raw has many greys, truth and prediction several colours, and an early prediction is another one.
    const [raw, truth, last] = [await tile(page, "vesicle", 0), await tile(page, "vesicle", 1), await tile(page, "vesicle", 2)];
    check("raw is drawn", raw.numColors > 40, `${raw.numColors} colours`);
    check("truth is drawn", truth.numColors > 5, `${truth.numColors} colours`);
    check("the prediction is drawn", last.numColors > 5, `${last.numColors} colours`);
    check("truth and prediction are two pictures", differing(truth, last) > 0.05);
    const slider = page.getByRole("slider", { name: "Step of the predictions" });
    await slider.focus();
    await page.keyboard.press("Home");
    await page.waitForSelector(`.samples-place output[data-step="2"]`, { timeout: withinMs });
    await page.waitForTimeout(500);
    const first = await tile(page, "vesicle", 2);
    check("an early step has another prediction", differing(first, last) > 0.2, `${Math.round(100 * differing(first, last))} % of the pixels`);
    const rawThen = await tile(page, "vesicle", 0);
    check("raw stays", differing(raw, rawThen) < 0.05, `${(100 * differing(raw, rawThen)).toFixed(1)} % of the pixels changed`);
    await page.keyboard.press("End");
    await page.waitForSelector(`.samples-place output[data-step="${numSteps}"]`, { timeout: withinMs });
    check("few pictures are kept", Number(await slider.getAttribute("max")) < 24);

    // The pointer reads values; a click keeps to a class.
    await page.evaluate(() => window.scrollTo(0, 0));
    await page.locator(".plot svg").first().hover();
    const readout = await page.locator(".readout").first().textContent();
    check("the pointer reads a step off the curve", /^step \d+/.test(readout), readout);
    await page.mouse.move(5, 5);
    await writeFile(screenshot, await page.screenshot({ fullPage: true }));
    console.log(`       screenshot: ${screenshot}`);
    await page.locator('.classes tr[data-id="er"]').click();
    check("a click keeps to a class", (await page.locator(".sample").count()) === 1 && (await page.locator(".plot").first().locator("path.line").count()) === 1);
    await page.getByRole("button", { name: "All classes" }).click();
    await page.getByLabel("Filter classes").fill("NUC");
    check("the filter finds classes", (await page.locator(".classes tbody tr").count()) === 1);

    await page.setViewportSize({ width: 390, height: 800 });
    await page.waitForTimeout(500);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    check("nothing sticks out on a narrow screen", overflow <= 0, `${overflow} px`);
    check("the console has no errors", troubles.length === 0, troubles.slice(0, 3).join(" | "));
    check("no other host is asked for anything", foreign.length === 0, foreign.slice(0, 3).join(" "));

    // What was written hours ago with steps left is not said to run.
    const old = await browser.newPage();
    const csv = (await readFile(path.join(network, "curves.csv"), "utf8")).split("\n").slice(0, 11).join("\n");
    const headers = { Date: new Date().toUTCString(), "Last-Modified": new Date(Date.now() - 7.2e6).toUTCString() };
    await old.route("**/curves.csv", (route) => route.fulfill({ body: csv, headers }));
    await old.goto(server.address);
    await old.waitForSelector('.state[data-state="silent"]', { timeout: withinMs });
    check("a training without news is not said to run", true, await old.locator(".state").textContent());

    // A fault is told, not shown as an empty page.
    const broken = await browser.newPage();
    await broken.route("**/curves.csv", (route) => route.fulfill({ body: "step,seconds\n1,2\n" }));
    await broken.goto(server.address);
    const notice = await broken.getByRole("alert").textContent({ timeout: withinMs });
    check("a broken file is named", notice.includes("curves.csv: line 1"), notice);
  } catch (error) {
    throw new Error(`step ${await lastStep(network)} is written; the training says: ${training.output()}\n${error.stack}`);
  } finally {
    if (!training.isOver()) {
      training.send("SIGCONT");
      training.send("SIGTERM");
    }
    await browser?.close();
    await server?.stop();
  }
}

const [organon, screenshot] = process.argv.slice(2);
if (screenshot === undefined) {
  console.error("usage: node training_test.mjs <organon> <screenshot.png>");
  process.exit(2);
}
requireChromium();
const temporary = await mkdtemp(path.join(os.tmpdir(), "organon_training_"));
await toItsEnd(() => run(temporary, path.resolve(organon), path.resolve(screenshot)));
await rm(temporary, { recursive: true, force: true });
process.exit(exitCode());

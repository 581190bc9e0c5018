// Opens a published atlas in Chromium and looks at it: the pixels, the table, the surfaces.
//
//   node page_test.mjs <published folder | made | phantom> <organon> <screenshot.png>
//
// `made` stands for the small tree of make_tree.mjs with the built portal, `phantom` for one that the stages of organon
// make of a phantom cell (publish_phantom.mjs). <organon> is the binary whose `serve` verb
// serves the folder. CHROMIUM names another browser than /usr/bin/chromium. Exit code 0 where all checks hold.
//
// The checks look at pixels, not at elements: a viewer that cannot load a voxel still shows its frames and axes.

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { check, exitCode, toItsEnd } from "./checks.mjs";
import { makeTree } from "./make_tree.mjs";
import { publishPhantom } from "./publish_phantom.mjs";
import { readPng } from "./png.mjs";
import { launchChromium, portal, requireChromium, startServer } from "./served_page.mjs";

const drawnWithinMs = 90_000; // software rendering on a busy machine

/** Hue in degrees and chroma (0 grey to 255) of a colour. */
function hueAndChroma([r, g, b]) {
  const high = Math.max(r, g, b);
  const chroma = high - Math.min(r, g, b);
  if (chroma === 0) return { hue: 0, chroma };
  const sector = high === r ? (g - b) / chroma : high === g ? 2 + (b - r) / chroma : 4 + (r - g) / chroma;
  return { hue: (sector * 60 + 360) % 360, chroma };
}

const hueDistance = (a, b) => Math.min(Math.abs(a - b), 360 - Math.abs(a - b));

/** A quarter of the viewer without its edges, where labels and buttons lie. */
function panel(image, column, row) {
  const [width, height] = [image.width / 2, image.height / 2];
  const edge = 44;
  const pixels = [];
  for (let y = Math.ceil(row * height + edge); y < (row + 1) * height - edge; ++y)
    for (let x = Math.ceil(column * width + edge); x < (column + 1) * width - edge; ++x) pixels.push(image.at(x, y));
  return pixels;
}

const sectionPanels = (image) => [panel(image, 0, 0), panel(image, 1, 0), panel(image, 0, 1)].flat();
const surfacePanel = (image) => panel(image, 1, 1);

const axisColors = new Set(["255,0,0", "0,255,0", "0,0,255"]);

/** Pixels of about this hue that belong to no axis line. */
const countHue = (pixels, hue) =>
  pixels.filter((pixel) => {
    const found = hueAndChroma(pixel);
    return found.chroma > 24 && hueDistance(found.hue, hue) < 18 && !axisColors.has(pixel.join());
  }).length;

/** A place in the first section whose whole surroundings have this hue, well inside an object. */
function findHue(image, hue) {
  const reach = 3;
  const isHue = (x, y) => {
    const found = hueAndChroma(image.at(x, y));
    return found.chroma > 24 && hueDistance(found.hue, hue) < 18;
  };
  for (let y = 50; y < image.height / 2 - 50; ++y)
    for (let x = 50; x < image.width / 2 - 50; ++x) {
      let all = true;
      for (let dy = -reach; all && dy <= reach; ++dy) for (let dx = -reach; all && dx <= reach; ++dx) all = isHue(x + dx, y + dy);
      if (all) return { x, y };
    }
  return undefined;
}

async function whenDrawn(page) {
  await page.waitForTimeout(400); // the page looks ten times a second whether something is missing
  await page.waitForSelector('.viewer[data-drawn="true"]', { timeout: drawnWithinMs });
  await page.waitForTimeout(300);
}

/** Chunks of nothing but background are not stored; the viewer draws what is missing as background. */
const isAbsentChunk = (url) => /\/precomputed\/[^/]+\/[^/]+\/\d+-\d+_\d+-\d+_\d+-\d+$/.test(url);

const look = async (page) => readPng(await page.locator(".viewer").screenshot());

async function visibleIds(page) {
  return page.locator(".table-scroller tbody tr[data-id]").evaluateAll((rows) => rows.map((row) => row.dataset.id));
}

/** The box of all vertices of an object, in nm of the viewer's space: { begin, end }, x y z. */
async function meshBox(meshFolder, id) {
  const begin = [Infinity, Infinity, Infinity];
  const end = [-Infinity, -Infinity, -Infinity];
  const { fragments } = JSON.parse(await readFile(path.join(meshFolder, `${id}:0`), "utf8"));
  for (const name of fragments) {
    const bytes = await readFile(path.join(meshFolder, name));
    for (let i = 0; i < 3 * bytes.readUInt32LE(0); ++i) {
      const value = bytes.readFloatLE(4 + 4 * i);
      begin[i % 3] = Math.min(begin[i % 3], value);
      end[i % 3] = Math.max(end[i % 3], value);
    }
  }
  return { begin, end };
}

/**
 * Raw, labels, meshes and tables lie in one place: the boxes of all meshes against those of the table, in voxels of the
 * labels. Smoothing and simplification may each take half a voxel from a tip; the middle of the box must stay.
 */
async function checkPlaces(folder, index, layer, table) {
  const column = (name) => table.columns.findIndex((found) => found.name === name);
  if (column("box_begin_x_nm") < 0) return;
  const info = JSON.parse(await readFile(path.join(folder, layer.source, "info"), "utf8"));
  const rawInfo = JSON.parse(await readFile(path.join(folder, index.layers[0].source, "info"), "utf8"));
  const voxelNm = info.scales[0].resolution;
  // From the tables' frame to the viewer's, as src/state/scene.ts does it for the page.
  const shift = rawInfo.scales[0].resolution.map((size, i) => (rawInfo.scales[0].voxel_offset[i] + 0.5) * size - index.position_nm[2 - i]);
  let furthest = 0;
  let middle = 0;
  for (const row of table.rows) {
    const box = await meshBox(path.join(folder, layer.source, info.mesh), row[column("id")]);
    for (const [i, axis] of ["x", "y", "z"].entries()) {
      const begin = (row[column(`box_begin_${axis}_nm`)] + shift[i] - box.begin[i]) / voxelNm[i];
      const end = (row[column(`box_end_${axis}_nm`)] + shift[i] - box.end[i]) / voxelNm[i];
      furthest = Math.max(furthest, Math.abs(begin), Math.abs(end));
      middle = Math.max(middle, Math.abs(begin + end) / 2);
    }
  }
  const found = `of ${table.rows.length} ${layer.class} objects: sides within ${furthest.toFixed(2)} voxels, middles within ${middle.toFixed(2)}`;
  check("meshes lie where the table says", furthest <= 1 && middle <= 0.5, found);
}

async function run(folder, binary, screenshot) {
  const { address, stop } = await startServer(binary, folder);
  let browser;
  try {
    const index = JSON.parse(await readFile(path.join(folder, "index.json"), "utf8"));
    const measured = index.layers.find((layer) => layer.role === "segmentation" && layer.table);
    const table = JSON.parse(await readFile(path.join(folder, measured.table), "utf8"));
    for (const layer of index.layers.filter((one) => one.role === "segmentation" && one.table)) {
      await checkPlaces(folder, index, layer, JSON.parse(await readFile(path.join(folder, layer.table), "utf8")));
    }
    browser = await launchChromium();
    const context = await browser.newContext({ viewport: { width: 1500, height: 940 } });

    const troubles = [];
    const foreign = [];
    const watch = (page) => {
      page.on("console", (message) => {
        if (message.type() === "error" && !isAbsentChunk(message.location().url)) troubles.push(message.text());
      });
      page.on("pageerror", (error) => troubles.push(String(error)));
      page.on("response", (response) => {
        if (response.status() >= 400 && !isAbsentChunk(response.url())) troubles.push(`${response.status()} ${response.url()}`);
      });
      page.on("request", (request) => {
        const isOwn = request.url().startsWith(address) || /^(data|blob):/.test(request.url());
        if (!isOwn) foreign.push(request.url());
      });
    };
    const page = await context.newPage();
    watch(page);

    const start = Date.now();
    await page.goto(address);
    await whenDrawn(page);
    console.log(`       drawn after ${((Date.now() - start) / 1000).toFixed(1)} s`);
    const classTab = page.getByRole("tab", { name: measured.class, exact: true });
    await classTab.click();
    await page.getByRole("button", { name: "Colour by class" }).click();
    await page.waitForSelector(".table-scroller tbody tr[data-id]", { timeout: drawnWithinMs });
    await whenDrawn(page);
    const whole = await look(page);

    // Raw: grey pixels of many values in the sections.
    const greys = sectionPanels(whole).filter((pixel) => hueAndChroma(pixel).chroma < 6 && pixel[0] > 16 && pixel[0] < 250);
    const greyValues = new Set(greys.map(([r]) => r)).size;
    check("raw is drawn in the sections", greys.length > 2000 && greyValues > 24, `${greys.length} grey pixels of ${greyValues} values`);

    // The table.
    const ids = await visibleIds(page);
    check("the table has rows", ids.length > 0, `${ids.length} in view of ${table.rows.length}`);
    const volumeColumn = table.columns.findIndex(({ name }) => name === "volume_nm3");
    const idColumn = table.columns.findIndex(({ name }) => name === "id");
    const volumeOf = new Map(table.rows.map((row) => [String(row[idColumn]), row[volumeColumn]]));
    const isSorted = (list, sign) => list.every((id, i) => i === 0 || sign * (volumeOf.get(id) - volumeOf.get(list[i - 1])) >= 0);
    check("the largest objects come first", isSorted(ids, -1));
    const header = page.locator(".table-scroller th", { hasText: /^Volume/ });
    await header.getByRole("button").click();
    const rising = await visibleIds(page);
    check("a click on the header sorts the other way", isSorted(rising, 1) && (await header.getAttribute("aria-sort")) === "ascending");
    await header.getByRole("button").click();
    check("the histogram of volumes has bars", (await page.locator(".histogram .bar").count()) > 0);

    // A click on a row.
    const chosen = (await visibleIds(page))[0];
    await page.locator(`.table-scroller tr[data-id="${chosen}"]`).click();
    await whenDrawn(page);
    const near = await look(page);
    const isMarked = await page.locator(`.table-scroller tr[data-id="${chosen}"]`).getAttribute("aria-selected");
    check("a click on a row chooses the object", isMarked === "true", `object ${chosen}`);
    await page.waitForFunction((id) => location.hash.includes(`object=${id}`) && location.hash.includes("zyx_nm="), chosen, { timeout: 5000 });

    const colorText = await page.locator(".tabs button[aria-selected=true] .swatch").evaluate((swatch) => getComputedStyle(swatch).backgroundColor);
    const { hue } = hueAndChroma(/(\d+), (\d+), (\d+)/.exec(colorText).slice(1).map(Number));
    const inSections = countHue(sectionPanels(near), hue);
    check("the segmentation's colour is in the sections", inSections > 200, `${inSections} pixels of hue ${hue.toFixed(0)}`);
    const inSurfaces = countHue(surfacePanel(near), hue);
    check("the object's surface is in the 3-D panel", inSurfaces > 200, `${inSurfaces} pixels`);
    const [before, after] = [surfacePanel(whole), surfacePanel(near)];
    const changed = before.filter((pixel, i) => pixel.some((value, k) => Math.abs(value - after[i][k]) > 12)).length;
    check("the 3-D panel changed with the choice", changed > 200, `${changed} pixels`);
    await writeFile(screenshot, await page.screenshot());
    console.log(`       screenshot: ${screenshot}`);

    // Without the layer the colour is gone: it was the segmentation's, not the frame's.
    const box = page.getByRole("checkbox", { name: measured.name, exact: true });
    await box.uncheck();
    await whenDrawn(page);
    const without = await look(page);
    const left = countHue(sectionPanels(without), hue);
    const leftSurfaces = countHue(surfacePanel(without), hue);
    check("without the layer its colour is gone", left < inSections / 10 && leftSurfaces < inSurfaces / 10, `${left} and ${leftSurfaces} pixels`);
    await box.check();

    // Predictions.
    const prediction = index.layers.find((layer) => layer.role === "prediction" && layer.class === measured.class);
    if (prediction !== undefined) {
      await box.uncheck();
      await page.getByRole("checkbox", { name: prediction.name, exact: true }).check();
      await whenDrawn(page);
      const predicted = countHue(sectionPanels(await look(page)), hue);
      check("the prediction is drawn in the colour of its class", predicted > 200, `${predicted} pixels`);
      await page.getByRole("checkbox", { name: prediction.name, exact: true }).uncheck();
      await box.check();
    }

    // Keyboard: the arrows move the choice.
    if (ids.length > 1) {
      const second = (await visibleIds(page))[1];
      await page.locator(".table-scroller").focus();
      await page.keyboard.press("ArrowDown");
      await page.waitForSelector(`.table-scroller tr[data-id="${second}"][aria-selected="true"]`, { timeout: 5000 });
      check("the arrow keys move the choice", true, `object ${second}`);
      await page.keyboard.press("ArrowUp");
    }

    // A double click on an object in a section chooses it.
    await page.locator(`.table-scroller tr[data-id="${chosen}"]`).click();
    await whenDrawn(page);
    const place = findHue(await look(page), hue);
    if (place !== undefined) {
      await page.getByRole("button", { name: /^Let go/ }).click();
      await page.waitForFunction(() => !location.hash.includes("object="), undefined, { timeout: 5000 });
      const corner = await page.locator(".viewer").boundingBox();
      await page.mouse.move(corner.x + place.x - 2, corner.y + place.y);
      await page.mouse.move(corner.x + place.x, corner.y + place.y, { steps: 3 });
      await page.waitForTimeout(800); // the viewer reads back what lies under the pointer
      await page.mouse.dblclick(corner.x + place.x, corner.y + place.y);
      await page.waitForFunction(() => location.hash.includes("object="), undefined, { timeout: 5000 });
      check("a double click in a section chooses an object", true, /object=(\d+)/.exec(page.url())[1]);
    }
    await page.locator(`.table-scroller tr[data-id="${chosen}"]`).click();
    await whenDrawn(page);

    // A link shows the same view.
    await page.waitForFunction((id) => location.hash.includes(`object=${id}`), chosen, { timeout: 5000 });
    await page.waitForTimeout(800);
    const link = page.url();
    const other = await context.newPage();
    watch(other);
    await other.goto(link);
    await whenDrawn(other);
    const linkedRow = await other.locator(`.table-scroller tr[data-id="${chosen}"]`).getAttribute("aria-selected");
    const linked = countHue(surfacePanel(await look(other)), hue);
    check("a link opens the same view", linkedRow === "true" && linked > inSurfaces / 2 && linked < inSurfaces * 2, `${linked} pixels of the surface`);

    // A narrow screen.
    await other.setViewportSize({ width: 390, height: 800 });
    await other.waitForTimeout(500);
    const overflow = await other.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    check("nothing sticks out on a narrow screen", overflow <= 0, `${overflow} px`);
    await other.close();

    check("the console has no errors", troubles.length === 0, troubles.slice(0, 3).join(" | "));
    check("no other host is asked for anything", foreign.length === 0, foreign.slice(0, 3).join(" "));

    // A broken index is told, not shown as an empty page.
    const broken = await context.newPage();
    await broken.route("**/index.json", (route) => route.fulfill({ json: { ...index, format: "other" } }));
    await broken.goto(address);
    const notice = await broken.getByRole("alert").textContent({ timeout: 10_000 });
    check("a broken index is named", notice.includes("index.json: format"), notice);
  } finally {
    await browser?.close();
    const stopMs = await stop();
    check("the server ends on SIGINT", stopMs < 3000, `${stopMs} ms`);
  }
}

const [published, binary, screenshot] = process.argv.slice(2);
if (screenshot === undefined) {
  console.error("usage: node page_test.mjs <published folder | made | phantom> <organon> <screenshot.png>");
  process.exit(2);
}
requireChromium();
let folder = path.resolve(published);
const isOwn = published === "made" || published === "phantom";
const temporary = isOwn ? await mkdtemp(path.join(os.tmpdir(), "organon_page_")) : undefined;
await toItsEnd(async () => {
  const built = path.join(portal, "dist");
  if (published === "phantom") {
    folder = publishPhantom(temporary, path.resolve(binary), built);
  } else if (published === "made") {
    folder = temporary;
    await makeTree(folder, built);
  }
  await run(folder, path.resolve(binary), path.resolve(screenshot));
});
if (temporary !== undefined) await rm(temporary, { recursive: true, force: true });
process.exit(exitCode());

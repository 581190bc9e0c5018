// `organon serve` and Chromium, as the tests of this folder start them.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const portal = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../portal");

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const browserFlags = [
  "--no-sandbox",
  "--use-angle=swiftshader",
  "--enable-unsafe-swiftshader",
  "--ignore-gpu-blocklist",
  "--disable-background-networking",
];

/** Ends the test where there is no Chromium: skipped (exit code 77), failed where CI=true. */
export function requireChromium() {
  if (existsSync(executablePath)) return;
  const isCi = process.env.CI === "true";
  console.error(`${isCi ? "FAILED" : "SKIPPED"}: no Chromium at ${executablePath} (set CHROMIUM)`);
  process.exit(isCi ? 1 : 77);
}

export function launchChromium() {
  const { chromium } = createRequire(path.join(portal, "package.json"))("playwright-core");
  return chromium.launch({ executablePath, args: browserFlags });
}

/** Starts `organon serve` on a free port, as startProgram() does. */
export const startServer = (binary, folder) => startProgram(binary, ["serve", folder, "--port", "0"]);

/**
 * Starts a verb of organon that serves; resolves with the address that it prints, a way to stop it, which tells how long that
 * took, and one to kill it in the midst of its work.
 */
export async function startProgram(binary, words) {
  const server = spawn(binary, words, { stdio: ["ignore", "pipe", "pipe"] });
  const address = await new Promise((resolve, reject) => {
    let text = "";
    const onText = (piece) => {
      text += piece;
      const found = /http:\/\/\S+:\d+\//.exec(text);
      if (found) resolve(found[0]);
    };
    server.stdout.on("data", onText);
    server.stderr.on("data", onText);
    server.on("error", reject);
    server.on("exit", (code) => reject(new Error(`the server ended with ${code}: ${text}`)));
  });
  const end = async (signal) => {
    const asked = Date.now();
    if (server.exitCode === null && server.signalCode === null) {
      const ended = new Promise((resolve) => server.on("exit", resolve));
      server.kill(signal);
      await ended;
    }
    return Date.now() - asked;
  };
  return { address, stop: () => end("SIGINT"), kill: () => end("SIGKILL") };
}

// The files of a training, read again and again while the page is open.

import { useEffect, useState } from "react";
import { DataError } from "../data/checks.ts";
import { treeUrl } from "../data/load.ts";
import { readCurves } from "./curves.ts";
import type { Curves } from "./curves.ts";
import { readSamples } from "./samples_file.ts";
import type { Samples } from "./samples_file.ts";
import { readTraining } from "./training_file.ts";
import type { Training } from "./training_file.ts";

const pollMs = 3000;
const mostPollMs = 20_000;

export interface Live {
  training: Training;
  curves: Curves;
  /** Undefined where a training of before has none. */
  samples: Samples | undefined;
  /** When curves.csv was written, and how long ago, by the server's clock. */
  writtenAt: Date | undefined;
  ageSeconds: number | undefined;
}

export interface LiveState {
  live: Live | undefined;
  /** Why the last reading failed; what was read before stays in sight. */
  failure: string | undefined;
}

/** One file, parsed anew only where it changed. */
class WatchedFile<T> {
  private tag: string | undefined;
  value: T | undefined;
  response: Response | undefined;

  constructor(
    readonly path: string,
    private readonly parse: (text: string) => T,
  ) {}

  /** Whether the file is another one than before. A file that is not there has no value. */
  async read(): Promise<boolean> {
    let response: Response;
    try {
      // The browser asks with the tag of what it has; an unchanged file costs a header.
      response = await fetch(treeUrl(this.path), { cache: "no-cache" });
    } catch (error) {
      throw new DataError(`${this.path}: the server does not answer (${(error as Error).message})`);
    }
    this.response = response;
    if (response.status === 404) {
      const wasThere = this.value !== undefined;
      this.value = undefined;
      this.tag = undefined;
      return wasThere;
    }
    if (!response.ok) throw new DataError(`${this.path}: the server answered ${response.status} ${response.statusText}`);
    const tag = (response.headers.get("ETag") ?? response.headers.get("Last-Modified"))?.replace(/-gz"$/, '"');
    if (tag !== undefined && tag === this.tag) return false;
    this.value = this.parse(await response.text());
    this.tag = tag;
    return true;
  }
}

function json(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new DataError(`${path}: expected JSON: ${(error as Error).message}`);
  }
}

const timeOf = (response: Response | undefined, header: string): number | undefined => {
  const time = Date.parse(response?.headers.get(header) ?? "");
  return Number.isNaN(time) ? undefined : time;
};

class Watcher {
  private readonly training = new WatchedFile("training.json", (text) => readTraining(json(text, "training.json")));
  private readonly curves = new WatchedFile("curves.csv", readCurves);
  private readonly samples = new WatchedFile("samples/index.json", (text) => readSamples(json(text, "samples/index.json")));

  async read(): Promise<Live> {
    await this.training.read();
    if (this.training.value === undefined) {
      throw new DataError("training.json: there is none; expected the folder of a network that organon train makes");
    }
    const hasNewRows = await this.curves.read();
    // Trainings of before have no pictures: those are not asked for in vain each time.
    if (hasNewRows || this.samples.value !== undefined) await this.samples.read();
    const { classes } = this.training.value;
    const curves = this.curves.value ?? { classes, steps: [], seconds: [], losses: classes.map(() => []), scores: classes.map(() => []), learningRates: [] };
    if (curves.classes.join() !== classes.join()) throw new DataError(`curves.csv: expected the classes ${classes.join(", ")} of training.json, found ${curves.classes.join(", ")}`);
    const written = timeOf(this.curves.response, "Last-Modified");
    const now = timeOf(this.curves.response, "Date") ?? Date.now();
    return {
      training: this.training.value,
      curves,
      samples: this.samples.value,
      writtenAt: written === undefined ? undefined : new Date(written),
      ageSeconds: written === undefined ? undefined : Math.max(0, (now - written) / 1000),
    };
  }
}

/** Reads the files now and every few seconds, while the page is in sight. */
export function useLive(): LiveState {
  const [state, setState] = useState<LiveState>({ live: undefined, failure: undefined });
  useEffect(() => {
    const watcher = new Watcher();
    let timer: number | undefined;
    let isOver = false;
    const poll = async () => {
      window.clearTimeout(timer);
      const began = performance.now();
      try {
        const live = await watcher.read();
        if (!isOver) setState({ live, failure: undefined });
      } catch (error) {
        if (!isOver) setState((before) => ({ ...before, failure: (error as Error).message }));
      }
      // Long curves over a slow line are not asked for again at once; a machine that was busy for a while is.
      const wait = Math.min(mostPollMs, Math.max(pollMs, 5 * (performance.now() - began)));
      if (!isOver && !document.hidden) timer = window.setTimeout(poll, wait);
    };
    const onVisibility = () => {
      if (!document.hidden) void poll();
    };
    document.addEventListener("visibilitychange", onVisibility);
    void poll();
    return () => {
      isOver = true;
      window.clearTimeout(timer);
      document.removeEventListener("visibilitychange", onVisibility);
    };
  }, []);
  return state;
}

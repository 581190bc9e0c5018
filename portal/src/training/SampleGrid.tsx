import { useEffect, useState } from "react";
import { treeUrl } from "../data/load.ts";
import { formatNumber } from "../data/units.ts";
import { bestPatch } from "./samples_file.ts";
import type { Samples } from "./samples_file.ts";

interface Props {
  samples: Samples;
  /** Names of the classes to show, in order. */
  classes: readonly string[];
  colors: ReadonlyMap<string, string>;
  /** Part of the pictures' addresses, so that a new training in the same folder is not shown with older pictures. */
  version: string;
  voxelSizeNm: number;
}

type PatchChoice = "best" | "all" | number;

/** One tile of a picture of many: scaled with its place, so that it fits whatever the width. */
function Tile({ source, row, column, numRows, numColumns, label, tile }: { source: string; row: number; column: number; numRows: number; numColumns: number; label: string; tile: Samples["tile"] }) {
  return (
    <div className="tile" style={{ aspectRatio: `${tile.width} / ${tile.height}` }}>
      <img
        src={source}
        alt={label}
        draggable={false}
        style={{ width: `${100 * numColumns}%`, height: `${100 * numRows}%`, left: `${-100 * column}%`, top: `${-100 * row}%` }}
      />
    </div>
  );
}

/** The address of a picture once the browser has it, so that tiles do not blink when the step changes. */
function useLoaded(source: string | undefined): string | undefined {
  const [loaded, setLoaded] = useState<string | undefined>(undefined);
  useEffect(() => {
    if (source === undefined) return;
    let isCurrent = true;
    const image = new Image();
    image.src = source;
    image.decode().then(
      () => isCurrent && setLoaded(source),
      () => undefined, // thinned out since: the next index names others
    );
    return () => {
      isCurrent = false;
    };
  }, [source]);
  return loaded;
}

/** Slices of a few patches: raw, truth, and what the network predicted at a step. */
export function SampleGrid({ samples, classes, colors, version, voxelSizeNm }: Props) {
  // The newest step, until another is chosen.
  const [chosenStep, setChosenStep] = useState<number | undefined>(undefined);
  const [choice, setChoice] = useState<PatchChoice>(samples.classes.length <= 2 ? "all" : "best");
  const last = samples.steps.length - 1;
  const found = samples.steps.findIndex(({ step }) => step >= (chosenStep ?? Infinity));
  const position = found < 0 ? last : found;
  const entry = samples.steps[position];
  const address = (file: string) => `${treeUrl(`samples/${file}`)}?${version}`;
  const predicted = useLoaded(entry === undefined ? undefined : address(entry.file));
  const numPatches = samples.patches.length;
  const patchesOf = (row: number): number[] =>
    choice === "all" ? samples.patches.map((_, p) => p) : [choice === "best" ? bestPatch(samples, row) : Math.min(choice, numPatches - 1)];
  const choices: readonly (readonly [PatchChoice, string])[] = [
    ["best", "Where it is"],
    ...samples.patches.map((_, p): readonly [PatchChoice, string] => [p, String(p + 1)]),
    ["all", "All"],
  ];

  return (
    <section className="card" aria-labelledby="samples-title">
      <div className="card-head">
        <h2 id="samples-title">Sample slices</h2>
        <div className="plot-tools">
          {numPatches > 1 && (
            <div className="choice small" role="group" aria-label="Patch">
              {choices.map(([value, label]) => (
                <button key={label} type="button" aria-pressed={choice === value} onClick={() => setChoice(value)} title={value === "best" ? "Per class the patch on which most of it is seen" : `Patch ${label}`}>
                  {label}
                </button>
              ))}
            </div>
          )}
          <label className="slider">
            <input
              type="range"
              aria-label="Step of the predictions"
              min={0}
              max={Math.max(0, last)}
              value={Math.max(0, position)}
              disabled={last < 1}
              onChange={(event) => {
                const at = Number(event.target.value);
                setChosenStep(at === last ? undefined : samples.steps[at]!.step);
              }}
            />
            <output data-step={entry?.step}>{entry === undefined ? "no prediction yet" : `step ${formatNumber(entry.step)}${position === last ? ", newest" : ""}`}</output>
          </label>
        </div>
      </div>
      <div className="sample-cards">
        {classes.map((name) => {
          const row = samples.classes.indexOf(name);
          if (row < 0) return null;
          return (
            <figure key={name} className={choice === "all" ? "sample all" : "sample"} data-class={name}>
              <figcaption>
                <span className="swatch" style={{ background: colors.get(name) }} />
                {name}
              </figcaption>
              <div className="patches">
                {patchesOf(row).map((patch) => {
                  const share = samples.patches[patch]![row]!;
                  const common = { column: patch, numColumns: numPatches, tile: samples.tile };
                  const note = share.known === 0 ? "not annotated here" : share.positive === 0 ? "none here" : "";
                  return (
                    <div key={patch} className="tiles">
                      <Tile {...common} source={address(samples.raw)} row={0} numRows={1} label={`raw of patch ${patch + 1}`} />
                      <Tile {...common} source={address(samples.truth)} row={row} numRows={samples.classes.length} label={`truth of ${name}`} />
                      {predicted === undefined ? (
                        <div className="tile waiting" style={{ aspectRatio: `${samples.tile.width} / ${samples.tile.height}` }} />
                      ) : (
                        <Tile {...common} source={predicted} row={row} numRows={samples.classes.length} label={`prediction of ${name}`} />
                      )}
                      <small>raw</small>
                      <small>truth{note === "" ? "" : `: ${note}`}</small>
                      <small>prediction</small>
                    </div>
                  );
                })}
              </div>
            </figure>
          );
        })}
      </div>
      <p className="foot">
        <span>
          <i className="key inside" /> inside: pink at the boundary, red deep
        </span>
        <span>
          <i className="key outside" /> outside: white at the boundary, blue far
        </span>
        <span>
          <i className="key unknown" /> not annotated
        </span>
        <span>
          a tile is {formatNumber(Math.round(samples.tile.width * voxelSizeNm))} × {formatNumber(Math.round(samples.tile.height * voxelSizeNm))} nm
        </span>
      </p>
    </section>
  );
}

import { useEffect, useMemo, useState } from "react";
import { formatNumber } from "../data/units.ts";
import { Failure, Waiting } from "../views/Notice.tsx";
import { ClassTable } from "./ClassTable.tsx";
import { CurvePlot } from "./CurvePlot.tsx";
import type { Line } from "./CurvePlot.tsx";
import { highest, lastNumber, meanOf } from "./curves.ts";
import type { Live } from "./live.ts";
import { useLive } from "./live.ts";
import { lineColor, smooth } from "./plotting.ts";
import { formatDuration, progressOf } from "./progress.ts";
import type { Progress, State } from "./progress.ts";
import { SampleGrid } from "./SampleGrid.tsx";
import { sorted } from "./sorting.ts";
import type { ClassRow, SortKey } from "./sorting.ts";

const manyClasses = 8;

const clock = (date: Date) => date.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });

function stateText(state: State, writtenAt: Date | undefined): string {
  if (state === "silent") return `No news since ${writtenAt === undefined ? "long" : clock(writtenAt)}`;
  return { begun: "Begun, no row yet", running: "Running", ended: "Ended", "ended early": "Ended early" }[state];
}

const stateTitle: Readonly<Record<State, string>> = {
  begun: "The first row comes after log_every steps",
  running: "Its curves were written lately, and steps are left",
  ended: "All steps are done",
  "ended early": "Scores got no better; the network is the best one",
  silent: "It was stopped, or is slower than it was; the same command goes on where it was",
};

function Header({ live, progress }: { live: Live; progress: Progress }) {
  const { training } = live;
  const [z, ...others] = training.voxelSizeNm;
  const voxel = others.every((size) => size === z) ? formatNumber(z!) : training.voxelSizeNm.map((size) => formatNumber(size)).join(" × ");
  const rate = progress.stepsPerSecond;
  const facts = [
    rate !== undefined && (rate >= 1 ? `${formatNumber(Number(rate.toPrecision(2)))} steps/s` : `${formatNumber(Number((1 / rate).toPrecision(2)))} s/step`),
    progress.state === "running" && progress.secondsLeft !== undefined && `${formatDuration(progress.secondsLeft)} left`,
    progress.secondsTrained > 0 && `${formatDuration(progress.secondsTrained)} trained`,
  ].filter((fact) => fact !== false);
  return (
    <header className="top">
      <div className="title">
        <svg className="mark" viewBox="0 0 32 32" aria-hidden="true">
          <circle cx="16" cy="16" r="15" />
          <path d="M7.500 8.500c2 11 5 14 18 15" />
        </svg>
        <div>
          <h1>{training.name ?? "Training"}</h1>
          <p>
            {training.classes.length === 1 ? "1 class" : `${training.classes.length} classes`} · {formatNumber(training.numParameters)} parameters · voxel {voxel} nm
            {training.beganUnixSeconds !== undefined && ` · begun ${clock(new Date(training.beganUnixSeconds * 1000))}`}
          </p>
        </div>
      </div>
      <div className="run">
        <p>
          <span className={`state ${progress.state.replace(" ", "-")}`} data-state={progress.state} title={stateTitle[progress.state]} role="status">
            {stateText(progress.state, live.writtenAt)}
          </span>
          <strong data-step={progress.step}>
            step {formatNumber(progress.step)} <span className="faint">of {formatNumber(training.steps)}</span>
          </strong>
          <span>{facts.join(" · ")}</span>
        </p>
        <progress max={training.steps} value={progress.step} aria-label="Steps done" />
      </div>
    </header>
  );
}

/** The page of one training: its curves, its classes, its pictures. */
export function TrainingPage() {
  const { live, failure } = useLive();
  useEffect(() => {
    if (live !== undefined) document.title = `${live.training.name ?? "Training"} – organon training`;
  }, [live]);
  if (live === undefined) {
    return (
      <main className="alone">{failure === undefined ? <Waiting text="Reading the training…" /> : <Failure title="This training cannot be shown" message={failure} />}</main>
    );
  }
  return (
    <div className="page training">
      <Body live={live} failure={failure} />
    </div>
  );
}

function Body({ live, failure }: { live: Live; failure: string | undefined }) {
  const { training, curves, samples } = live;
  const { classes } = curves;
  const [xUnit, setXUnit] = useState<"steps" | "time">("steps");
  const [yKind, setYKind] = useState<"linear" | "log">("log");
  const [smoothing, setSmoothing] = useState(0.6);
  const [search, setSearch] = useState("");
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [sortChoice, setSort] = useState<SortKey | undefined>(undefined);
  const [hoverRow, setHoverRow] = useState<number | undefined>(undefined);
  const [hoverName, setHoverName] = useState<string | undefined>(undefined);

  const progress = progressOf(training, curves, live.ageSeconds);
  const hasScores = useMemo(() => curves.scores.some((values) => lastNumber(values) !== undefined), [curves]);
  const colors = useMemo(() => new Map(classes.map((name, c) => [name, lineColor(c, classes.length)])), [classes.join()]);
  const bests = useMemo(() => curves.scores.map(highest), [curves]);
  const bestMean = useMemo(() => highest(meanOf(curves.scores)), [curves]);
  const sort = sortChoice ?? (classes.length > manyClasses ? (hasScores ? "score" : "loss") : "order");

  const lastRow = curves.steps.length - 1;
  const row = hoverRow === undefined ? lastRow : Math.min(hoverRow, lastRow);
  const allRows = classes.map(
    (name, c): ClassRow => ({
      name,
      color: colors.get(name)!,
      loss: curves.losses[c]![row],
      score: lastNumber(curves.scores[c]!, row),
      best: bests[c]?.value,
      bestStep: bests[c] === undefined ? undefined : curves.steps[bests[c].row],
    }),
  );
  // While the pointer reads older rows the order stays, or they would jump about.
  const latest = allRows.map((one, c) => ({ ...one, loss: curves.losses[c]![lastRow], score: lastNumber(curves.scores[c]!) }));
  const order = sorted(latest, sort).map(({ name }) => name);
  const found = order.filter((name) => name.toLowerCase().includes(search.trim().toLowerCase()));
  const rows = found.map((name) => allRows[classes.indexOf(name)]!);
  const visible = found.filter((name) => chosen.size === 0 || chosen.has(name));

  // In the order of the classes, so that the lines keep their places when the table is sorted.
  const drawn = classes.filter((name) => visible.includes(name));
  const drawnKey = drawn.join();
  const x = useMemo(() => {
    const total = curves.seconds.at(-1) ?? 0;
    const unit = total >= 7200 ? 3600 : total >= 120 ? 60 : 1;
    return xUnit === "steps" ? { values: curves.steps, label: "steps" } : { values: curves.seconds.map((seconds) => seconds / unit), label: `${{ 1: "seconds", 60: "minutes", 3600: "hours" }[unit]} of training` };
  }, [curves, xUnit]);
  const lossLines = useMemo(
    () =>
      drawn.map((name): Line => {
        const values = curves.losses[classes.indexOf(name)]!;
        const line = { name, color: colors.get(name)!, values: smooth(values, smoothing) };
        return drawn.length <= 3 && smoothing > 0 ? { ...line, unsmoothed: values } : line;
      }),
    [curves, drawnKey, smoothing],
  );
  const scoreLines = useMemo(
    () => drawn.map((name): Line => ({ name, color: colors.get(name)!, values: curves.scores[classes.indexOf(name)]!, markedRow: bests[classes.indexOf(name)]?.row })),
    [curves, drawnKey],
  );
  const rateLines = useMemo((): Line[] => [{ name: "learning rate", color: "#52606d", values: curves.learningRates }], [curves]);
  const onHover = (at: number | undefined, name: string | undefined) => {
    setHoverRow(at);
    setHoverName(name);
  };
  const plot = { x: x.values, xLabel: x.label, hoverRow, onHover, hoverName };
  const pointed = hoverName === undefined ? undefined : allRows.find(({ name }) => name === hoverName);
  const readout = (value: string | undefined) => (
    <span className="readout" aria-live="polite">
      {hoverRow === undefined || curves.steps.length === 0
        ? ""
        : `step ${formatNumber(curves.steps[row]!)}, ${formatDuration(curves.seconds[row]!)}${value === undefined ? "" : ` · ${value}`}`}
    </span>
  );
  const rateAtRow = lastNumber(curves.learningRates, row);
  const toggle = (name: string) =>
    setChosen((before) => {
      const after = new Set(before);
      if (!after.delete(name)) after.add(name);
      return after;
    });

  return (
    <>
      <Header live={live} progress={progress} />
      {failure !== undefined && (
        <div className="banner">
          <Failure title="The last reading failed; shown is what was read before" message={failure} />
        </div>
      )}
      <main className="training-body">
        <div className="plots">
          <section className="card" aria-labelledby="loss-title">
            <div className="card-head">
              <h2 id="loss-title">Loss per class {readout(pointed === undefined ? undefined : `${pointed.name} ${formatNumber(Number((pointed.loss ?? NaN).toPrecision(3)))}`)}</h2>
              <div className="plot-tools">
                <label className="slider">
                  Smoothing
                  <input type="range" aria-label="Smoothing" min={0} max={0.98} step={0.02} value={smoothing} onChange={(event) => setSmoothing(Number(event.target.value))} />
                </label>
                <div className="choice small" role="group" aria-label="Axis of losses">
                  {(["log", "linear"] as const).map((kind) => (
                    <button key={kind} type="button" aria-pressed={yKind === kind} onClick={() => setYKind(kind)}>
                      {kind}
                    </button>
                  ))}
                </div>
                <div className="choice small" role="group" aria-label="Axis of progress">
                  {(["steps", "time"] as const).map((unit) => (
                    <button key={unit} type="button" aria-pressed={xUnit === unit} onClick={() => setXUnit(unit)}>
                      {unit}
                    </button>
                  ))}
                </div>
              </div>
            </div>
            <CurvePlot {...plot} title="Loss" lines={lossLines} yKind={yKind} height={270} />
          </section>
          {hasScores && (
            <section className="card" aria-labelledby="score-title">
              <div className="card-head">
                <h2 id="score-title">F1 on the validation crops {readout(pointed?.score === undefined ? undefined : `${pointed.name} ${pointed.score.toFixed(3)}`)}</h2>
                {bestMean !== undefined && (
                  <span className="soft">
                    best mean {bestMean.value.toFixed(3)} at step {formatNumber(curves.steps[bestMean.row]!)}
                  </span>
                )}
              </div>
              <CurvePlot {...plot} title="F1" lines={scoreLines} yKind="linear" yBounds={unitBounds} height={230} markedRow={bestMean?.row} />
            </section>
          )}
          {lastNumber(curves.learningRates) !== undefined && (
            <section className="card" aria-labelledby="rate-title">
              <div className="card-head">
                <h2 id="rate-title">Learning rate {readout(rateAtRow === undefined ? undefined : formatNumber(rateAtRow))}</h2>
              </div>
              <CurvePlot {...plot} title="Learning rate" lines={rateLines} yKind="linear" height={120} hoverName={undefined} />
            </section>
          )}
        </div>
        <section className={classes.length > manyClasses ? "card class-card many" : "card class-card"} aria-labelledby="classes-title">
          <div className="card-head">
            <h2 id="classes-title">Classes</h2>
            <span className="soft">{hoverRow === undefined || curves.steps.length === 0 ? "latest" : `at step ${formatNumber(curves.steps[row]!)}`}</span>
          </div>
          {classes.length > 1 && (
            <div className="table-tools">
              <input type="search" placeholder="Filter" aria-label="Filter classes" value={search} onChange={(event) => setSearch(event.target.value)} />
              {chosen.size > 0 && (
                <button type="button" className="plain" onClick={() => setChosen(new Set())}>
                  All classes
                </button>
              )}
              <span className="soft">{chosen.size > 0 ? `${visible.length} chosen` : "click to choose"}</span>
            </div>
          )}
          <ClassTable
            rows={rows}
            hasScores={hasScores}
            numbersOf={hoverRow === undefined ? "latest numbers" : "at the pointer"}
            sort={sort}
            onSort={setSort}
            chosen={chosen}
            onToggle={toggle}
            hoverName={hoverName}
            onHover={setHoverName}
          />
        </section>
        <div className="samples-place">
          {samples === undefined ? (
            <section className="card">
              <p className="soft">This training has left no pictures of samples.</p>
            </section>
          ) : (
            <SampleGrid samples={samples} classes={visible} colors={colors} version={`of=${training.beganUnixSeconds ?? 0}`} voxelSizeNm={training.voxelSizeNm.at(-1)!} />
          )}
        </div>
      </main>
    </>
  );
}

const unitBounds = [0, 1] as const;

import { useEffect, useRef, useState } from "react";
import { formatNumber } from "../data/units.ts";
import { Failure, Waiting } from "../views/Notice.tsx";
import type { ComparisonState, TrialVoxels, Verdict } from "./comparison.ts";
import { ResultView } from "./ResultView.tsx";
import { Sections } from "./Sections.tsx";
import { middleOf, moved, planes } from "./slices.ts";
import type { Axis, Look, Plane } from "./slices.ts";
import { useComparison } from "./use_comparison.ts";

const answers: readonly { verdict: Verdict; key: string; label: string }[] = [
  { verdict: "left", key: "1", label: "Left is better" },
  { verdict: "right", key: "2", label: "Right is better" },
  { verdict: "both_good", key: "g", label: "Both good" },
  { verdict: "both_bad", key: "n", label: "Both bad" },
];

export function ComparePage() {
  const comparison = useComparison();
  const { state, voxels, failure } = comparison;
  const [look, setLook] = useState<Look>({ isOverlayShown: true, opacity: 0.25, black: 0, white: 255 });
  if (state === undefined)
    return (
      <div className="page alone">
        {failure === undefined ? <Waiting text="Opening the comparison" /> : <Failure title="The comparison cannot be shown" message={failure} />}
      </div>
    );
  return (
    <div className="page compare">
      <Top state={state} canUndo={!comparison.isBusy} onUndo={comparison.undo} onEnd={comparison.end} />
      {failure !== undefined && <Failure title="That did not work" message={failure} />}
      {state.result !== null ? (
        <ResultView result={state.result} />
      ) : (
        <Trial
          state={state}
          voxels={voxels}
          look={look}
          onLook={setLook}
          isBusy={comparison.isBusy}
          onAnswer={comparison.answer}
          onUndo={comparison.undo}
        />
      )}
    </div>
  );
}

interface TopProps {
  state: ComparisonState;
  canUndo: boolean;
  onUndo(): void;
  onEnd(): void;
}

function Top({ state, canUndo, onUndo, onEnd }: TopProps) {
  const [isAsking, setIsAsking] = useState(false);
  const isOpen = !state.isEnded;
  const isTold = state.numAnswered > 0 && state.numAnswered === state.numTold;
  return (
    <header className="top">
      <div className="title">
        <div>
          <h1>Which one shows {state.label} better?</h1>
          <p role="status">
            {isOpen ? `Trial ${state.numAnswered + 1} of ${state.numTrials}` : `${state.numAnswered} of ${state.numTrials} trials`}
            {" · "}
            {state.probability === null ? (
              "p is told after ten answers"
            ) : (
              <span title="Of answers so uneven, were both equally good; two-sided binomial test">
                p = {formatNumber(state.probability)} after {state.numTold} answers
              </span>
            )}
            {` · both good ${state.bothGood} · both bad ${state.bothBad}`}
          </p>
        </div>
        <progress max={state.numTrials} value={state.numAnswered} aria-label="Trials answered" />
      </div>
      {isOpen && (
        <div className="tools">
          {isAsking ? (
            <>
              <span>No answer can follow.</span>
              <button type="button" className="plain" onClick={onEnd}>
                End now
              </button>
              <button type="button" className="plain" onClick={() => setIsAsking(false)}>
                Go on
              </button>
            </>
          ) : (
            <>
              {isTold && (
                <span id="why-no-undo" className="faint">
                  p counts all answers: none can be taken back.
                </span>
              )}
              <button
                type="button"
                className="plain"
                disabled={!canUndo || state.numAnswered === 0 || isTold}
                aria-describedby={isTold ? "why-no-undo" : undefined}
                onClick={onUndo}
              >
                Undo <kbd>u</kbd>
              </button>
              <button type="button" className="plain" disabled={state.numAnswered === 0} onClick={() => setIsAsking(true)}>
                Tell which is which
              </button>
            </>
          )}
        </div>
      )}
    </header>
  );
}

interface TrialProps {
  state: ComparisonState;
  voxels: TrialVoxels | undefined;
  look: Look;
  isBusy: boolean;
  onLook(look: Look): void;
  onAnswer(verdict: Verdict): void;
  onUndo(): void;
}

function Trial({ state, voxels, look, isBusy, onLook, onAnswer, onUndo }: TrialProps) {
  const { shape, voxelSizeNm } = state;
  const [position, setPosition] = useState(() => middleOf(shape));
  const [plane, setPlane] = useState<Plane>(planes[0]!);
  // A new trial begins in the middle of its box; the page around it stays, and with it the focus.
  const { z, y, x } = shape;
  useEffect(() => setPosition(middleOf({ z, y, x })), [state.numAnswered, z, y, x]);

  const onKey = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.repeat && !event.key.startsWith("Arrow")) return;
    const answer = answers.find(({ key }) => key === event.key.toLowerCase());
    // On a slider the arrows are the slider's.
    const isArrow = event.key.startsWith("Arrow") && !(event.target instanceof HTMLInputElement);
    if (answer !== undefined) onAnswer(answer.verdict);
    else if (event.key.toLowerCase() === "u") onUndo();
    else if (event.key.toLowerCase() === "o") onLook({ ...look, isOverlayShown: !look.isOverlayShown });
    else if (isArrow) setPosition(moved(position, plane.normal, event.key === "ArrowDown" || event.key === "ArrowRight" ? 1 : -1, shape));
    else return;
    event.preventDefault();
  };
  const handler = useRef(onKey);
  useEffect(() => {
    handler.current = onKey;
  });
  useEffect(() => {
    const listen = (event: KeyboardEvent) => handler.current(event);
    window.addEventListener("keydown", listen);
    return () => window.removeEventListener("keydown", listen);
  }, []);

  const common = { shape, voxelSizeNm, position, look, onPosition: setPosition, onPlane: setPlane };
  return (
    <main className="trial" data-trial={state.numAnswered} data-shown={voxels !== undefined}>
      <div className="pair">
        {voxels === undefined ? (
          <Waiting text="Looking for the next box" />
        ) : (
          <>
            <Sections side="left" raw={voxels.raw} inside={voxels.left} {...common} />
            <Sections side="right" raw={voxels.raw} inside={voxels.right} {...common} />
          </>
        )}
      </div>
      <div className="desk">
        <div className="looks">
          {(["z", "y", "x"] as const).map((axis: Axis) => (
            <label key={axis}>
              {axis}
              <input
                type="range"
                min={0}
                max={shape[axis] - 1}
                value={position[axis]}
                onChange={(event) => setPosition({ ...position, [axis]: Number(event.target.value) })}
              />
            </label>
          ))}
          <label>
            <input type="checkbox" checked={look.isOverlayShown} onChange={(event) => onLook({ ...look, isOverlayShown: event.target.checked })} />
            <i className="swatch overlay" aria-hidden="true" />
            overlay <kbd>o</kbd>
          </label>
          <label>
            fill
            <input type="range" min={0} max={1} step={0.05} value={look.opacity} onChange={(event) => onLook({ ...look, opacity: Number(event.target.value) })} />
          </label>
          <label>
            black
            <input type="range" min={0} max={254} value={look.black} onChange={(event) => onLook({ ...look, black: Math.min(Number(event.target.value), look.white - 1) })} />
          </label>
          <label>
            white
            <input type="range" min={1} max={255} value={look.white} onChange={(event) => onLook({ ...look, white: Math.max(Number(event.target.value), look.black + 1) })} />
          </label>
        </div>
        <div className="answers" role="group" aria-label="Answer">
          {/* Not disabled: that would take the focus away with each answer. */}
          {answers.map(({ verdict, key, label }) => (
            <button key={verdict} type="button" className="primary" aria-disabled={isBusy || voxels === undefined} onClick={() => onAnswer(verdict)}>
              {label} <kbd>{key}</kbd>
            </button>
          ))}
        </div>
        <p>
          Both sides show the same box. The wheel or the arrow keys scroll the section under the pointer, on both sides; a click moves the other two there.
        </p>
      </div>
    </main>
  );
}

import { useCallback, useEffect, useRef, useState } from "react";
import { endComparison, loadState, loadVoxels, sendAnswer, takeBack } from "./comparison.ts";
import type { ComparisonState, TrialVoxels, Verdict } from "./comparison.ts";

export interface UseComparison {
  state: ComparisonState | undefined;
  /** Of the trial to be judged; undefined while they are on their way. */
  voxels: TrialVoxels | undefined;
  failure: string | undefined;
  /** An answer is on its way: another would be for a trial that nobody has seen. */
  isBusy: boolean;
  answer(verdict: Verdict): void;
  undo(): void;
  end(): void;
}

const retryMs = 3000;

/** The state and the voxels of the trial to be judged; those of the next are loaded meanwhile. */
export function useComparison(): UseComparison {
  const [state, setState] = useState<ComparisonState>();
  const [shown, setShown] = useState<{ trial: number; voxels: TrialVoxels }>();
  const [failure, setFailure] = useState<string>();
  const [isBusy, setIsBusy] = useState(false);
  const loading = useRef(new Map<number, Promise<TrialVoxels>>());
  const shownAtMs = useRef(0);
  const hasFailedToLoad = useRef(false);

  const load = useCallback((trial: number, of: ComparisonState) => {
    const found = loading.current.get(trial) ?? loadVoxels(trial, of.shape);
    loading.current.set(trial, found);
    // A failure is not kept: the next look tries again.
    found.catch(() => loading.current.delete(trial));
    return found;
  }, []);

  const [numFailures, setNumFailures] = useState(0);
  const retry = useRef<number>(undefined);
  const lookAgain = useCallback((error: Error) => {
    setFailure(error.message);
    window.clearTimeout(retry.current);
    retry.current = window.setTimeout(() => setNumFailures((n) => n + 1), retryMs);
  }, []);
  useEffect(() => () => window.clearTimeout(retry.current), []);

  const hasState = state !== undefined;
  useEffect(() => {
    if (hasState) return;
    loadState().then((found) => {
      setFailure(undefined);
      setState(found);
    }, lookAgain);
  }, [hasState, numFailures, lookAgain]);

  useEffect(() => {
    if (state === undefined || state.isEnded) return;
    const trial = state.numAnswered;
    let isCurrent = true;
    load(trial, state).then(
      (voxels) => {
        if (!isCurrent) return;
        // What could not be loaded before is here now; other failures stay to be read.
        if (hasFailedToLoad.current) setFailure(undefined);
        hasFailedToLoad.current = false;
        setShown({ trial, voxels });
        shownAtMs.current = performance.now();
        for (const old of loading.current.keys()) if (old < trial - 1 || old > trial + 1) loading.current.delete(old);
        if (trial + 1 < state.numTrials) load(trial + 1, state).catch(() => undefined);
      },
      (error: Error) => {
        if (!isCurrent) return;
        hasFailedToLoad.current = true;
        lookAgain(error);
      },
    );
    return () => {
      isCurrent = false;
    };
  }, [state, load, lookAgain, numFailures]);

  const isShown = state !== undefined && shown?.trial === state.numAnswered;

  const send = (act: () => Promise<ComparisonState>) => {
    if (isBusy) return;
    setIsBusy(true);
    act()
      .then(
        (changed) => {
          setFailure(undefined);
          setState(changed);
        },
        async (error: Error) => {
          setFailure(error.message);
          // Perhaps another tab answered.
          await loadState().then(setState, () => undefined);
        },
      )
      .finally(() => setIsBusy(false));
  };

  return {
    state,
    voxels: isShown ? shown.voxels : undefined,
    failure,
    isBusy,
    answer(verdict) {
      if (!isShown || state.isEnded) return;
      const seconds = Math.round(performance.now() - shownAtMs.current) / 1000;
      send(() => sendAnswer(state.numAnswered, verdict, seconds));
    },
    undo() {
      if (state === undefined || state.isEnded || state.numAnswered === state.numTold) return;
      send(() => takeBack(state.numAnswered - 1));
    },
    end() {
      if (state === undefined || state.isEnded || state.numAnswered === 0) return;
      send(endComparison);
    },
  };
}

import { useCallback, useEffect, useState } from "react";
import { fromHash, toHash } from "./view_state.ts";
import type { ViewState } from "./view_state.ts";

export type UpdateView = (change: Partial<ViewState> | ((view: ViewState) => Partial<ViewState>)) => void;

/**
 * The view state, kept in step with the address: changes rewrite the part after "#" (without adding to the history),
 * and a link opened in the same tab calls `onLink` with the state it stands for.
 */
export function useViewState(onLink: (view: ViewState) => void): readonly [ViewState, UpdateView] {
  const [view, setView] = useState<ViewState>(() => fromHash(window.location.hash));

  const update = useCallback<UpdateView>((change) => {
    setView((before) => ({ ...before, ...(typeof change === "function" ? change(before) : change) }));
  }, []);

  useEffect(() => {
    const hash = toHash(view);
    const timer = window.setTimeout(() => {
      if (window.location.hash.slice(1) !== hash) window.history.replaceState(null, "", hash === "" ? "#" : `#${hash}`);
    }, 150);
    return () => window.clearTimeout(timer);
  }, [view]);

  useEffect(() => {
    const read = () => {
      const linked = fromHash(window.location.hash);
      setView(linked);
      onLink(linked);
    };
    window.addEventListener("hashchange", read);
    return () => window.removeEventListener("hashchange", read);
  }, [onLink]);

  return [view, update];
}

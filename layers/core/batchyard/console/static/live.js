// Look again and again, the less often the less changes, and not at all while nobody looks.

import { ConnectionLost } from "./api.js";

const SOONEST = 2_000;
const LATEST = 15_000;

/** Load and show until the signal says stop; `show` is called only when something has changed. */
export function live(signal, load, show, { failed, ended = () => false } = {}) {
  let wait = SOONEST;
  let before;
  let timer;
  const again = () => {
    clearTimeout(timer);
    if (!signal.aborted) timer = setTimeout(look, wait);
  };
  const look = async () => {
    if (signal.aborted) return;
    if (document.hidden) return; // `visibilitychange` looks again
    try {
      const value = await load();
      if (signal.aborted) return;
      lost(false);
      const same = isSame(before, value);
      wait = same ? Math.min(LATEST, wait * 1.5) : SOONEST;
      before = value;
      if (!same) show(value);
      if (ended(value)) wait = LATEST;
    } catch (error) {
      if (signal.aborted || error.name === "AbortError") return;
      wait = Math.min(LATEST, wait * 1.5);
      if (error instanceof ConnectionLost) lost(true);
      else if (failed) failed(error);
      else throw error;
      if (!(error instanceof ConnectionLost) && error.status < 500) return;
    }
    again();
  };
  const seen = () => {
    if (!document.hidden) {
      wait = SOONEST;
      look();
    }
  };
  document.addEventListener("visibilitychange", seen, { signal });
  addEventListener("online", seen, { signal });
  addEventListener("look", seen, { signal });
  signal.addEventListener("abort", () => clearTimeout(timer));
  look();
}

/** Have whatever is live look now, as after an act of the person's. */
export const lookNow = () => dispatchEvent(new Event("look"));

function isSame(before, value) {
  if (before === value) return true;
  return Array.isArray(before) && Array.isArray(value) && before.length === value.length && before.every((each, at) => each === value[at]);
}

addEventListener("offline", () => lost(true));

let isLost = false;

/** Tell the page that the connection is lost, or there again. */
export function lost(now) {
  if (now === isLost) return;
  isLost = now;
  dispatchEvent(new CustomEvent("connection", { detail: { lost: now } }));
}

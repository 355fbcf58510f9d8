/** Tracking: starting runs, what is under way, old and new side by side, what the memory holds. */

import { act, refresh } from "./actions.js";
import { get, inOrder, ofVideo, post } from "./api.js";
import { button, byId, clock, el, renew } from "./dom.js";
import { fail, tell } from "./messages.js";
import { goTo } from "./player.js";
import { nameOf, set, state, touched, watch } from "./state.js";

/** @typedef {import("./types.js").Run} Run */

const UNDER_WAY = ["queued", "running", "paused"];
const SHOWN = 6;

/** What the form says. */
function asked() {
  const form = new FormData(byId("track-form", HTMLFormElement));
  const frames = Number(form.get("frames"));
  return {
    direction: String(form.get("direction")),
    length: form.get("extent") === "frames" && frames > 0 ? Math.round(frames) : null,
    all: form.get("which") === "all",
  };
}

/**
 * Track from the frame that is shown.
 * @param {string} [direction]  the form's by default
 */
export async function track(direction) {
  const form = asked();
  await inOrder(async () => undefined); // what was done just before counts
  await refresh(0, false).catch(fail);
  const ids = (state.session?.objects ?? []).map((one) => one.id);
  const objects = form.all ? ids : ids.filter((id) => id === state.selected);
  if (objects.length === 0) {
    return tell(
      ids.length ? "Choose the object to track, or all objects." : "Click on an object first; then it can be tracked.",
    );
  }
  const request = { objects, frame: state.frame, direction: direction ?? form.direction, length: form.length };
  try {
    await inOrder(() => post(ofVideo("runs"), request));
    await refresh(0, false);
  } catch (error) {
    fail(error);
  }
}

/**
 * @param {number} version
 * @param {"pause" | "resume" | "cancel" | "continue"} what
 */
async function steer(version, what) {
  try {
    await post(ofVideo(`runs/${version}/${what}`));
  } catch (error) {
    fail(error);
  }
}

/** Runs as they stand, the newest first. */
export function runs() {
  const known = state.session?.runs ?? [];
  return known.map((run) => ({ ...run, ...state.progress.get(run.version) })).reverse();
}

/** The newest run that nobody has judged. */
export const unjudged = () =>
  runs().find((run) => run.accepted === null && !UNDER_WAY.includes(run.state)) ?? null;

/** @param {"accept" | "discard"} what */
export async function judge(what, version = unjudged()?.version) {
  if (version === undefined) return tell("There is no run to accept or discard.");
  await act({ action: what, version });
}

/** Cancel what is being tracked; whether there was something. */
export function cancelRunning() {
  const run = runs().find((one) => UNDER_WAY.includes(one.state));
  if (run) steer(run.version, "cancel");
  return run !== undefined;
}

export function togglePause() {
  const run = runs().find((one) => one.state === "running" || one.state === "paused");
  if (run) steer(run.version, run.state === "paused" ? "resume" : "pause");
}

/** @param {Run} run */
function card(run) {
  const of = run.objects.map(nameOf).join(", ");
  const span = `frames ${run.frames[0]}–${run.frames[1]}`;
  const verb = run.run === "import" ? "Import" : "Run";
  /** @type {HTMLElement[]} */
  const lines = [
    el("div", { class: "run-head" }, el("b", {}, `${verb} ${run.version}`), el("span", { class: `badge ${run.state}` }, word(run))),
    el("div", { class: "dim" }, `${of} · ${span}`),
  ];
  if (UNDER_WAY.includes(run.state)) lines.push(...progress(run));
  else lines.push(verdict(run));
  if (run.message) lines.push(el("div", { class: "error" }, run.message));
  return el("li", { class: "run", "data-key": run.version }, ...lines);
}

/** @param {Run} run */
function word(run) {
  if (run.state === "done") {
    return run.accepted === null ? "to judge" : run.accepted ? "accepted" : "discarded";
  }
  return run.state;
}

/** @param {Run} run */
function progress(run) {
  const { visited = 0, steps = 1, rate, seconds_left: left } = run;
  const bar = el("progress", { max: steps, value: visited, "aria-label": `run ${run.version}` });
  const rest = left === null || left === undefined ? "" : ` · ${clock(left).slice(0, -3)} left`;
  const speed = rate ? ` · ${rate.toFixed(1)} frames/s` : "";
  const paused = run.state === "paused";
  const [text, what] = paused ? ["Resume", "resume"] : ["Pause", "pause"];
  return [
    bar,
    el("div", { class: "dim", id: `progress-${run.version}` }, `${visited} of ${steps}${speed}${rest}`),
    el(
      "div",
      { class: "row" },
      button(text, "Pause or resume (P)", () => steer(run.version, /** @type {"pause" | "resume"} */ (what))),
      button("Cancel", "Stop; what is done stays (Esc)", () => steer(run.version, "cancel")),
    ),
  ];
}

/** @param {Run} run */
function verdict(run) {
  const row = el("div", { class: "row" });
  if (run.accepted === null) {
    row.append(
      button("Accept", "These masks are good (Enter)", () => judge("accept", run.version)),
      button("Discard", "Show what they replaced (Backspace)", () => judge("discard", run.version)),
    );
  }
  if (["cancelled", "interrupted", "broken"].includes(run.state) && run.accepted !== false) {
    row.append(button("Continue", "Track the frames that are left", () => steer(run.version, "continue")));
  }
  return row;
}

function show() {
  const all = runs();
  renew(byId("runs", HTMLUListElement), ...all.slice(0, SHOWN).map(card));
  byId("no-runs", HTMLElement).hidden = all.length > 0;
  byId("more-runs", HTMLElement).hidden = all.length <= SHOWN;
  byId("more-runs", HTMLElement).textContent = `and ${all.length - SHOWN} earlier`;
}

/** Thumbnails of what the selected object's long-term memory holds. */
async function showMemory() {
  const run = runs().find((one) => state.selected !== null && one.objects.includes(state.selected));
  const place = byId("memory", HTMLElement);
  if (!run || run.run === "import") return renew(place);
  if (!state.memories.has(run.version)) {
    state.memories.set(run.version, {});
    get(ofVideo(`runs/${run.version}/memories`)).then((found) => {
      state.memories.set(run.version, { ...found, ...state.memories.get(run.version) });
      touched("memories");
    }, fail);
  }
  const frames = state.memories.get(run.version)?.[String(state.selected)] ?? [];
  const tiles = frames.map((frame, k) => {
    const what = k === 0 ? "prompted" : "long-term";
    const tile = button("", `Frame ${frame}, ${what} memory: go there`, () => goTo(frame), { class: "tile" });
    const picture = el("img", { src: `/api/${ofVideo(`frames/${frame}`)}?side=96`, alt: "", width: 72, height: 54 });
    tile.append(picture, el("span", {}, String(frame)));
    return tile;
  });
  renew(place, ...tiles);
}

export function startRuns() {
  watch(["session", "progress"], show);
  watch(["selected", "session", "memories"], showMemory);
  byId("track-form", HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault();
    track();
  });
  const compare = byId("compare", HTMLInputElement);
  compare.addEventListener("change", () => set({ compare: compare.checked }));
  watch(["compare"], () => (compare.checked = state.compare));
}

/** What the server says unasked: progress, new masks, changes made in other tabs. */

import { mark, refresh, refreshLanes } from "./actions.js";
import { get } from "./api.js";
import { forgetMasks } from "./frames.js";
import { tell, fail } from "./messages.js";
import { refreshMasks } from "./player.js";
import { set, state, touched, watch } from "./state.js";

const OVER = ["done", "cancelled", "broken", "interrupted"];

/** @param {any} event */
function hear(event) {
  if (event.kind === "model") return void get("project").then((project) => set({ project }), fail);
  if (event.kind === "behind") return void refresh().catch(fail);
  if (event.kind === "indexed") asked.delete(event.video);
  if (event.video !== state.video?.id) return;
  switch (event.kind) {
    case "session":
      if (event.revision > (state.session?.revision ?? 0)) later(() => refresh(event.revision));
      break;
    case "run":
    case "found":
      follow(event);
      break;
    case "memory": {
      const known = state.memories.get(event.version) ?? {};
      state.memories.set(event.version, { ...known, [event.object]: event.frames });
      touched("memories");
      break;
    }
    case "index":
      set({ indexing: { done: event.done, of: event.of } });
      break;
    case "indexed":
      indexed(event.error);
      break;
    default:
  }
}

/** @param {any} event */
function follow(event) {
  const { kind, video, frame, marks, ...run } = event;
  state.progress.set(event.version, { ...state.progress.get(event.version), ...run });
  touched("progress");
  if (kind === "found") {
    for (const [id, found] of Object.entries(marks)) mark(Number(id), frame, found);
    forgetMasks(frame);
    if (frame === state.frame && !state.playing) refreshMasks();
  } else if (OVER.includes(event.state)) {
    if (event.state === "broken") tell(event.message ?? "The run broke off.", "error");
    refresh(0, false).catch(fail);
    refreshLanes();
  }
}

/** @param {string | null} error */
async function indexed(error) {
  set({ indexing: null });
  if (error) tell(error, "error");
  await askAgain();
}

async function askAgain() {
  const asking = state.video?.id;
  const video = await get(`videos/${asking}`);
  if (state.video?.id !== asking) return;
  set({ video });
  if (!video.indexed) return;
  forgetMasks(); // they did not know their times
  refreshMasks();
  refreshLanes();
}

/** Videos that were asked about since the last thing was said of their index. */
const asked = new Set();
let listening = false;

/** What was said of the shown video before anyone listened, or while it was on its way here. */
function catchUp() {
  const video = state.video;
  if (!listening || !video || video.indexed || video.index_error || asked.has(video.id)) return;
  asked.add(video.id);
  askAgain().catch(fail);
}

let waiting = 0;

/**
 * Not for what this page has just done itself: its own answer is here first.
 * @param {() => Promise<void>} work
 */
function later(work) {
  clearTimeout(waiting);
  waiting = setTimeout(() => work().catch(fail), 200);
}

export function startEvents() {
  const stream = new EventSource("/api/events");
  let lost = false;
  stream.addEventListener("message", (message) => hear(JSON.parse(message.data)));
  watch(["video"], catchUp);
  stream.addEventListener("open", () => {
    if (lost) refresh().catch(fail);
    listening = true;
    asked.clear();
    catchUp();
    // What was said before anyone listened.
    if (!state.project?.model.loaded) get("project").then((project) => set({ project }), fail);
    lost = false;
  });
  stream.addEventListener("error", () => {
    if (!lost) tell("The server does not answer; the page tries again.", "error");
    lost = true;
  });
}

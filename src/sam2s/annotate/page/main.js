/** Puts the parts together and opens the first video. */

import { chosenFrames, refreshLanes, startFrom, toggleMark, toggleOutOfBody, undoOrRedo } from "./actions.js";
import { get, Refused } from "./api.js";
import { startDialogs } from "./dialogs.js";
import { byId, el } from "./dom.js";
import { startEvents } from "./events.js";
import { forgetAll } from "./frames.js";
import { SHORTCUTS, startKeys } from "./keys.js";
import { fail, tell } from "./messages.js";
import { startObjects } from "./objects.js";
import { goTo, lastFrame, pause, startPlayer, step, togglePlay } from "./player.js";
import { startRuns } from "./runs.js";
import { startStage } from "./stage.js";
import { set, state, watch } from "./state.js";
import { nextAlarm, nextUncertain, startTimeline } from "./timeline.js";
import { startTools } from "./tools.js";
import { startTour } from "./tour.js";

/** @param {string} text  why the video cannot be worked on */
function showTrouble(text) {
  const place = byId("trouble", HTMLElement);
  place.textContent = text;
  place.hidden = !text;
}

/** @param {string} id */
async function openVideo(id) {
  pause();
  forgetAll();
  set({
    video: null, session: null, lanes: new Map(), masks: null, broken: null, selected: null, hidden: new Set(), range: null,
    progress: new Map(), memories: new Map(), indexing: null, frame: 0,
  });
  const entry = state.project?.videos.find((one) => one.id === id);
  showTrouble(entry?.trouble ?? "");
  if (!entry || entry.trouble) return;
  const opened = await Promise.all([get(`videos/${id}`), get(`videos/${id}/session`)]).catch((error) => {
    if (!(error instanceof Refused)) throw error;
    showTrouble(error.message);
  });
  if (!opened) return;
  const [video, session] = opened;
  startFrom(session);
  const first = session.objects[0] ?? null;
  set({ video, session, selected: first?.id ?? null });
  if (video.index_error) tell(video.index_error, "error");
  video.notes.forEach((/** @type {string} */ note) => tell(note));
  const start = Object.keys(first?.given ?? {})[0];
  await goTo(start === undefined ? 0 : Number(start));
  refreshLanes();
}

function showTop() {
  const { project, saved, session } = state;
  const text = { saved: "Saved", saving: "Saving …", failed: "Not saved" }[saved];
  const place = byId("saved", HTMLElement);
  place.textContent = text;
  place.dataset.saved = saved;
  for (const what of /** @type {const} */ (["undo", "redo"])) {
    const one = byId(what, HTMLButtonElement);
    one.disabled = !session?.[what];
    one.title = session?.[what] ? `${what}: ${session[what]}` : `nothing to ${what}`;
  }
  byId("model", HTMLElement).textContent = project ? `${project.model.name} · ${project.model.state}` : "";
}

function showIndexing() {
  const { indexing, video } = state;
  const place = byId("indexing", HTMLElement);
  place.hidden = !indexing && video?.indexed !== false;
  const share = indexing ? Math.min(99, Math.round((100 * indexing.done) / Math.max(1, indexing.of))) : 0;
  place.textContent = `Reading the video for the first time: ${share} %. The first frames can be used already.`;
}

/** @param {import("./keys.js").Shortcut} one */
const keysOf = (one) => (one.shown ? [one.shown] : one.keys);

function showBroken() {
  const { broken, video, frame } = state;
  const end = video?.damage && frame === lastFrame() ? `The video can be used up to here. ${video.damage}` : null;
  const place = byId("broken", HTMLElement);
  place.textContent = broken ? `This frame cannot be shown. ${broken}` : end;
  place.hidden = !place.textContent;
}

function fillHelp() {
  const groups = new Map(SHORTCUTS.map((one) => [one.group, /** @type {typeof SHORTCUTS} */ ([])]));
  SHORTCUTS.filter((one) => one.shown !== "").forEach((one) => groups.get(one.group)?.push(one));
  const columns = [...groups].map(([name, list]) => {
    const rows = list.map((one) =>
      el("tr", {}, el("td", {}, ...keysOf(one).flatMap((k) => [el("kbd", {}, k.replace(/Arrow(?=[A-Z])/, "")), " "])), el("td", {}, one.text)),
    );
    return el("section", {}, el("h3", {}, name), el("table", {}, ...rows));
  });
  byId("shortcuts", HTMLElement).replaceChildren(...columns);
}

function startButtons() {
  const work = {
    undo: () => undoOrRedo("undo"),
    redo: () => undoOrRedo("redo"),
    play: togglePlay,
    back: () => step(-1),
    on: () => step(1),
    uncertain: () => nextUncertain(1),
    alarm: () => nextAlarm(1),
    absent: () => toggleMark("absent"),
    lock: () => toggleMark("locked"),
    "out-of-body": toggleOutOfBody,
  };
  for (const [id, does] of Object.entries(work)) {
    byId(id, HTMLButtonElement).addEventListener("click", () => void does());
  }
  watch(["playing"], () => {
    byId("play", HTMLButtonElement).textContent = state.playing ? "Stop" : "Play";
  });
  watch(["range", "frame"], () => {
    const { frame, to } = chosenFrames();
    byId("chosen", HTMLElement).textContent = frame === to ? `frame ${frame}` : `frames ${frame}–${to}`;
  });
  const videos = byId("videos", HTMLSelectElement);
  videos.addEventListener("change", () => openVideo(videos.value).catch(fail));
}

async function start() {
  startStage();
  startTools();
  startObjects();
  startPlayer();
  startRuns();
  startTimeline();
  startKeys();
  startDialogs();
  startButtons();
  fillHelp();
  watch(["saved", "session", "project"], showTop);
  watch(["indexing", "video"], showIndexing);
  watch(["broken", "video", "frame"], showBroken);
  const project = await get("project");
  set({ project });
  document.title = `${project.name} · SAM2S`;
  const options = project.videos.map((/** @type {{id: string, name: string}} */ one) => el("option", { value: one.id }, one.name));
  byId("videos", HTMLSelectElement).replaceChildren(...options);
  const usable = project.videos.find((/** @type {{trouble: string | null}} */ one) => !one.trouble) ?? project.videos[0];
  byId("videos", HTMLSelectElement).value = usable.id;
  startEvents();
  await openVideo(usable.id);
  document.body.dataset.ready = "yes";
  startTour();
}

window.addEventListener("beforeunload", (event) => {
  if (state.saved !== "saved") event.preventDefault();
});
start().catch(fail);

/** What an annotator does: sent to the server, shown when it is on the disk there. */

import { get, inOrder, ofVideo, post, Refused } from "./api.js";
import { forgetMasks } from "./frames.js";
import { decode, encode } from "./rle.js";
import { fail, tell } from "./messages.js";
import { refreshMasks } from "./player.js";
import { nextId, selectedObject, set, state, touched } from "./state.js";

/** @typedef {import("./types.js").Lane} Lane */

/** The revision that this page's own changes have led to, before the session itself is here. */
let seen = 0;
/** The revision that the masks on show are of: a prompt's own is there before the session. */
let shown = 0;

/**
 * Change the session, and know its revision at once: the next change may be waiting already.
 * @param {string} path
 * @param {object} content
 */
async function change(path, content) {
  const answer = await post(ofVideo(path), { ...content, seen: seen || null });
  seen = answer.revision;
  return answer;
}

/**
 * Add an action to the session's log.
 * @param {Record<string, unknown>} action
 * @returns {Promise<boolean>} whether it was taken
 */
export async function act(action) {
  try {
    const answer = await inOrder(() => change("actions", { action }));
    if (answer.behind) tell("This session is open elsewhere too; both changes were kept.");
    await refresh(answer.revision);
    return true;
  } catch (error) {
    fail(error);
    return false;
  }
}

/** The object that a prompt is for; a new one where none is chosen. */
function target() {
  const id = state.selected ?? nextId();
  if (state.selected !== id) set({ selected: id });
  return id;
}

/**
 * A prompt on the frame that is shown, and what it gives.
 * @param {Record<string, unknown>} prompt
 */
export async function prompt(prompt) {
  if (state.broken) return tell("This frame cannot be read, so nothing can be marked on it.");
  const [object, frame] = [target(), state.frame];
  try {
    const answer = await inOrder(() => change("actions", { action: { ...prompt, object, frame } }));
    if (answer.behind) tell("This session is open elsewhere too; both changes were kept.");
    // A prompt changes nothing but the mask that its preview gives.
    const mine = !answer.behind && shown === answer.revision - 1;
    if (mine) shown = answer.revision;
    const listed = refresh(answer.revision, !mine);
    await preview(object, frame);
    await listed;
  } catch (error) {
    fail(error);
  }
}

/**
 * @param {number} object
 * @param {number} frame
 */
async function preview(object, frame) {
  const there = () => state.session?.objects.some((one) => one.id === object && one.given[frame]);
  try {
    const answer = await inOrder(() => post(ofVideo("preview"), { object, frame }));
    forgetMasks(frame);
    mark(object, frame, answer.mark);
    const { masks } = state;
    if (state.frame === frame && masks?.frame === frame) {
      set({ masks: { ...masks, masks: { ...masks.masks, [object]: answer.mask } } });
    }
  } catch (error) {
    // Taken back before it was shown, perhaps.
    await refresh(0, false).catch(fail);
    if (there()) fail(error);
  }
}

/** @param {[number, number]} point  @param {boolean} include */
export const clickAt = ([x, y], include) =>
  prompt({ action: "click", x, y, label: include ? 1 : 0 });

/** @param {[number, number]} a  @param {[number, number]} b */
export function boxBetween([x0, y0], [x1, y1]) {
  if (Math.abs(x1 - x0) < 2 || Math.abs(y1 - y0) < 2) return;
  const [x, x2] = [Math.min(x0, x1), Math.max(x0, x1)];
  const [y, y2] = [Math.min(y0, y1), Math.max(y0, y1)];
  return prompt({ action: "box", x, y, x2, y2 });
}

/**
 * The selected object's mask on this frame with some pixels added or taken away.
 * @param {Uint8Array} pixels  rows, 1 where something changes
 * @param {boolean} add
 */
export function paint(pixels, add) {
  const { width, height } = /** @type {import("./types.js").Video} */ (state.video);
  const shown = state.selected === null ? null : state.masks?.masks[String(state.selected)];
  const mask = shown?.rle ? decode(shown.rle) : new Uint8Array(width * height);
  for (let k = 0; k < mask.length; k += 1) if (pixels[k]) mask[k] = add ? 1 : 0;
  if (!mask.includes(1)) {
    tell("Nothing is left of the mask. If the object is not in view, mark it as absent (A).");
    return;
  }
  return prompt({ action: "mask", rle: encode(mask, height, width) });
}

/** @param {"undo" | "redo"} what */
export async function undoOrRedo(what) {
  try {
    const answer = await inOrder(() => change(what, {}));
    await refresh(answer.revision, true);
  } catch (error) {
    fail(error);
    if (error instanceof Refused && error.status === 409) {
      seen = 0;
      await refresh(0, true);
    }
  }
}

/** The frames that a mark is for: the chosen range, or the frame that is shown. */
export function chosenFrames() {
  const [frame, to] = state.range ?? [state.frame, state.frame];
  return { frame, to };
}

/**
 * Mark the chosen frames of the selected object, or take the mark back where it is on all of them.
 * @param {"absent" | "locked"} what
 */
export async function toggleMark(what) {
  const object = selectedObject();
  if (!object) return tell("Choose an object first: click it in the list, or press its number.");
  const { frame, to } = chosenFrames();
  const marked = object[what].some(([first, last]) => first <= frame && to <= last);
  const [on, off] = what === "absent" ? ["absent", "present"] : ["lock", "unlock"];
  await act({ action: marked ? off : on, object: object.id, frame, to });
}

export async function toggleOutOfBody() {
  const { frame, to } = chosenFrames();
  const marked = (state.session?.out_of_body ?? []).some(([a, b]) => a <= frame && to <= b);
  await act({ action: marked ? "in_body" : "out_of_body", frame, to });
}

export async function clearFrame() {
  const object = selectedObject();
  if (object) await act({ action: "clear", object: object.id, frame: state.frame });
}

/** @param {number} id */
export async function removeObject(id) {
  if (await act({ action: "remove", object: id })) set({ selected: null });
}

/** @param {number} id  @param {string} name */
export const rename = (id, name) => act({ action: "name", object: id, name });

/**
 * Take over the session as it is now; masks and lanes too, where they may have changed.
 * @param {number} [revision]  nothing to do where this one is here already
 * @param {boolean} [all]
 */
export async function refresh(revision = 0, all = true) {
  const known = all ? shown : (state.session?.revision ?? 0);
  if (revision && known >= revision) return;
  const session = await get(ofVideo("session"));
  if (session.revision < (state.session?.revision ?? 0)) return; // a later answer was quicker
  seen = Math.max(seen, session.revision);
  set({ session });
  if (!all) return;
  shown = session.revision;
  forgetMasks();
  await refreshMasks();
  refreshLanes();
}

/**
 * Another video is open, with this session.
 * @param {import("./types.js").Session} session
 */
export function startFrom(session) {
  seen = shown = session.revision;
}

let lanesWaiting = 0;

/** Fetch the timeline again, soon, once. */
export function refreshLanes() {
  clearTimeout(lanesWaiting);
  lanesWaiting = setTimeout(async () => {
    try {
      const answer = await get(ofVideo("lanes"));
      /** @type {Map<number, Lane>} */
      const lanes = new Map();
      for (const [id, lane] of Object.entries(answer.objects)) {
        lanes.set(Number(id), {
          states: bytes(lane.states),
          scores: bytes(lane.scores),
          alarms: bytes(lane.alarms),
        });
      }
      set({ lanes });
    } catch (error) {
      fail(error);
    }
  }, 150);
}

/** @param {string} text */
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

/**
 * What was just found of an object on a frame, on the timeline.
 * @param {number} id
 * @param {number} frame
 * @param {{state: number, score: number}} found
 */
export function mark(id, frame, found) {
  const frames = state.video?.frames ?? 0;
  let lane = state.lanes.get(id);
  if (!lane || lane.states.length !== frames) {
    const empty = () => new Uint8Array(frames);
    lane = { states: empty(), scores: empty(), alarms: empty() };
    state.lanes.set(id, lane);
  }
  lane.states[frame] = found.state;
  lane.scores[frame] = Math.round(255 * found.score);
  touched("lanes");
}

/** Which frame is shown: going to one, stepping, playing. */

import { ofVideo, post, Refused } from "./api.js";
import { fetchAhead, masksOf, picture, readyPicture } from "./frames.js";
import { set, state, watch } from "./state.js";
import { fail } from "./messages.js";

let wanted = 0;
let fetching = false;
let resting = 0;
/** Milliseconds on a frame after which someone looks at it. */
const REST = 80;

/** The last frame of the video. */
export const lastFrame = () => Math.max(0, (state.video?.frames ?? 1) - 1);

/**
 * Show a frame. While it is fetched only the latest wish counts, so scrubbing never queues.
 * @param {number} frame
 * @returns {Promise<void>}
 */
export async function goTo(frame) {
  wanted = Math.max(0, Math.min(lastFrame(), Math.round(frame)));
  if (fetching) return;
  fetching = true;
  try {
    while (state.frame !== wanted || state.masks?.frame !== wanted) {
      const target = wanted;
      const [broken, masks] = await Promise.all([picture(target).then(() => null, whyBroken), masksOf(target)]);
      set({ frame: target, masks, broken });
      if (target === wanted) break;
    }
  } catch (error) {
    fail(error);
    wanted = state.frame;
  } finally {
    fetching = false;
  }
}

/**
 * Of a frame that cannot be read: one may go on to others.
 * @param {unknown} error
 */
function whyBroken(error) {
  if (error instanceof Refused && error.status === 400) return error.message;
  throw error;
}

/** Fetch the masks of the frame that is shown again. */
export async function refreshMasks() {
  const frame = state.frame;
  try {
    const masks = await masksOf(frame);
    if (state.frame === frame) set({ masks });
  } catch (error) {
    fail(error);
  }
}

/** @param {number} by */
export function step(by) {
  pause();
  return goTo(wanted + by);
}

export function pause() {
  if (state.playing) set({ playing: false });
}

/** Play from this frame in the video's own time, or stop. */
export function togglePlay() {
  if (state.playing) return pause();
  set({ playing: true });
  if (state.frame >= lastFrame()) set({ frame: 0 });
  play(state.frame, performance.now());
}

/**
 * @param {number} from  frame that was shown at `begun`
 * @param {number} begun  milliseconds
 */
async function play(from, begun) {
  const rate = (state.video?.fps ?? 25) / 1000;
  while (state.playing && state.frame < lastFrame()) {
    const due = Math.min(lastFrame(), from + Math.floor((performance.now() - begun) * rate));
    fetchAhead(state.frame);
    if (due > state.frame) {
      const next = readyPicture(due) ? due : state.frame + 1;
      wanted = next;
      await goTo(next);
      if (next < due) [from, begun] = [next, performance.now()]; // slower than life: no frame is left out
    }
    await new Promise((done) => setTimeout(done, 4));
  }
  set({ playing: false });
}

/** The server gets ready for clicks on the frame that someone looks at. */
function look() {
  clearTimeout(resting);
  if (!state.video || !state.project?.model.loaded || state.playing) return;
  const { frame } = state;
  resting = setTimeout(() => post(ofVideo("look"), { frame }).catch(() => undefined), REST);
}

export function startPlayer() {
  watch(["frame", "video", "playing", "project"], look);
}

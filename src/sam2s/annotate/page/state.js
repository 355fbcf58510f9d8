/** What the page knows, in one place; whoever shows a part of it is told when that part changes. */

/** @typedef {import("./types.js").State} State */

/** @type {State} */
export const state = {
  project: null,
  video: null,
  session: null,
  lanes: new Map(),
  frame: 0,
  masks: null,
  broken: null,
  selected: null,
  hidden: new Set(),
  tool: "click",
  brush: 12,
  playing: false,
  compare: false,
  range: null,
  progress: new Map(),
  memories: new Map(),
  saved: "saved",
  indexing: null,
};

/** @type {{keys: Set<string>, show: () => void}[]} */
const watchers = [];
/** @type {Set<string>} */
const dirty = new Set();
let waiting = false;

/**
 * Call `show` now and, once a picture, whenever one of `keys` has changed.
 * @param {(keyof State)[]} keys
 * @param {() => void} show
 */
export function watch(keys, show) {
  watchers.push({ keys: new Set(keys), show });
  show();
}

/**
 * Change some of the state.
 * @param {Partial<State>} change
 */
export function set(change) {
  Object.assign(state, change);
  touched(.../** @type {(keyof State)[]} */ (Object.keys(change)));
}

/**
 * Say that the content of these parts has changed.
 * @param {(keyof State)[]} keys
 */
export function touched(...keys) {
  keys.forEach((key) => dirty.add(key));
  if (waiting) return;
  waiting = true;
  // A task of its own rather than an animation frame: pages in the background get none of those.
  queueMicrotask(() => {
    waiting = false;
    const changed = new Set(dirty);
    dirty.clear();
    for (const watcher of watchers) {
      if ([...watcher.keys].some((key) => changed.has(key))) watcher.show();
    }
  });
}

/** The object that prompts are for, when it exists. */
export function selectedObject() {
  return state.session?.objects.find((one) => one.id === state.selected) ?? null;
}

/** The number of the next new object. */
export function nextId() {
  return Math.max(0, ...(state.session?.objects ?? []).map((one) => one.id)) + 1;
}

/**
 * Whether a frame is in one of the ranges.
 * @param {import("./types.js").Range[]} ranges
 * @param {number} frame
 */
export function inside(ranges, frame) {
  return ranges.some(([first, last]) => first <= frame && frame <= last);
}

/**
 * The colour of an object, the one that overlays and exports use.
 * @param {number} id
 * @returns {[number, number, number]}
 */
export function colourOf(id) {
  const known = state.session?.objects.find((one) => one.id === id)?.colour;
  return known ?? state.project?.colours[id - 1] ?? [200, 200, 200];
}

/**
 * @param {number} id
 * @returns {string}
 */
export function nameOf(id) {
  return state.session?.objects.find((one) => one.id === id)?.name ?? `object ${id}`;
}

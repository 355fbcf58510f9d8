/** The list of objects: choosing, naming, hiding, what each is on the frame that is shown. */

import { removeObject, rename } from "./actions.js";
import { button, byId, el, renew, rgb } from "./dom.js";
import { colourOf, inside, nextId, selectedObject, set, state, touched, watch } from "./state.js";

const list = byId("objects", HTMLUListElement);

/** @param {number} id */
export function choose(id) {
  set({ selected: id });
}

export function newObject() {
  set({ selected: nextId() });
  byId("stage", HTMLCanvasElement).focus();
}

/**
 * The object behind a number key: the first nine in the list.
 * @param {number} place  from 1
 */
export function chooseByKey(place) {
  const object = state.session?.objects[place - 1];
  if (object) choose(object.id);
}

/** What an object is on the frame that is shown, in a word. */
function stateHere(/** @type {import("./types.js").AnnotatedObject} */ object) {
  if (inside(object.locked, state.frame)) return "locked";
  if (inside(object.absent, state.frame)) return "absent";
  const known = ["", "present", "absent", "uncertain"];
  const lane = state.lanes.get(object.id);
  return known[lane?.states[state.frame] ?? 0] || (object.given[state.frame] ? "prompted" : "–");
}

function show() {
  const objects = state.session?.objects ?? [];
  const rows = objects.map((object, k) => row(object, k + 1));
  if (state.selected !== null && !objects.some((one) => one.id === state.selected)) {
    rows.push(newRow(state.selected));
  }
  renew(list, ...rows);
  byId("no-objects", HTMLElement).hidden = rows.length > 0 || !state.video || state.broken !== null;
  byId("object-actions", HTMLElement).hidden = selectedObject() === null;
  const name = byId("object-name", HTMLInputElement);
  if (document.activeElement !== name) name.value = selectedObject()?.name ?? "";
}

/**
 * @param {import("./types.js").AnnotatedObject} object
 * @param {number} place
 */
function row(object, place) {
  const chosen = object.id === state.selected;
  const here = stateHere(object);
  const swatch = el("span", { class: "swatch", "aria-hidden": "true" }, place < 10 ? String(place) : "");
  swatch.style.backgroundColor = rgb(object.colour);
  const main = button("", `Choose object ${object.id}${place < 10 ? ` (${place})` : ""}`, () => choose(object.id), {
    class: "object",
    "aria-pressed": String(chosen),
  });
  main.append(
    swatch,
    el("span", { class: "name" }, object.name ?? `object ${object.id}`),
    el("span", { class: `here ${here}` }, here),
  );
  const hidden = state.hidden.has(object.id);
  const eye = button(hidden ? "show" : "hide", "Show or hide its masks (H)", () => toggleHidden(object.id), {
    class: "small",
    "aria-pressed": String(hidden),
  });
  return el("li", { "data-key": object.id }, main, eye);
}

/** @param {number} id */
function newRow(id) {
  const swatch = el("span", { class: "swatch", "aria-hidden": "true" }, "+");
  swatch.style.backgroundColor = rgb(colourOf(id));
  const main = el("div", { class: "object new", "aria-live": "polite" }, swatch);
  main.append(el("span", { class: "name" }, "New object: click on it in the picture"));
  return el("li", { "data-key": "new" }, main);
}

/** @param {number} id */
export function toggleHidden(id) {
  if (!state.hidden.delete(id)) state.hidden.add(id);
  touched("hidden");
}

export function startObjects() {
  watch(["session", "selected", "hidden", "lanes", "frame", "video", "broken"], show);
  watch(["project"], () => {
    const classes = state.project?.classes ?? { instrument: [], tissue: [] };
    const options = [...classes.instrument, ...classes.tissue].map((name) => el("option", { value: name }));
    byId("classes", HTMLDataListElement).replaceChildren(...options);
  });
  byId("new-object", HTMLButtonElement).addEventListener("click", newObject);
  byId("remove-object", HTMLButtonElement).addEventListener("click", () => {
    if (state.selected !== null) removeObject(state.selected);
  });
  const name = byId("object-name", HTMLInputElement);
  name.addEventListener("change", () => {
    const object = selectedObject();
    const text = name.value.trim();
    if (object && text && text !== object.name) rename(object.id, text);
  });
  name.addEventListener("keydown", (event) => {
    if (event.key === "Enter") name.blur();
  });
}

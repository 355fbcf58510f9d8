/** Dialogs: go to, export, import, fine-tune, help. */

import { refresh } from "./actions.js";
import { get, inOrder, ofVideo, post, upload } from "./api.js";
import { byId, el } from "./dom.js";
import { fail, tell } from "./messages.js";
import { goTo } from "./player.js";
import { nameOf, nextId, set, state } from "./state.js";

/** @type {Record<string, () => unknown>} */
const prepare = { export: prepareExport, import: prepareImport };

/** @param {string} id */
export function openDialog(id) {
  closeDialogs();
  prepare[id]?.();
  const dialog = byId(id, HTMLDialogElement);
  dialog.showModal();
  if (!dialog.hasAttribute("tabindex")) return;
  dialog.focus(); // its beginning, not the button at its end
  dialog.scrollTop = 0;
}

export function closeDialogs() {
  document.querySelectorAll("dialog[open]").forEach((one) => /** @type {HTMLDialogElement} */ (one).close());
}

/**
 * Say in a dialog how something went.
 * @param {string} id
 * @param {...(Node | string)} content
 */
function say(id, ...content) {
  byId(id, HTMLElement).replaceChildren(...content);
}

async function prepareExport() {
  say("export-said");
  await inOrder(async () => undefined); // what was done just before is listed as it is then
  await refresh(0, false).catch(fail);
  const formats = state.project?.formats ?? [];
  const select = byId("export-format", HTMLSelectElement);
  if (!select.options.length) {
    select.replaceChildren(...formats.map((one) => el("option", { value: one.name }, one.name)));
    select.addEventListener("change", describe);
  }
  const objects = (state.session?.objects ?? []).map((one) =>
    el("label", {}, el("input", { type: "checkbox", name: "object", value: one.id, checked: true }), ` ${nameOf(one.id)}`),
  );
  byId("export-objects", HTMLElement).replaceChildren(...objects);
  const range = byId("export-range", HTMLInputElement);
  range.checked = state.range !== null;
  range.disabled = state.range === null;
  byId("export-range-text", HTMLElement).textContent = state.range
    ? `only frames ${state.range[0]} to ${state.range[1]}`
    : "only a range (choose one on the timeline with [ and ])";
  describe();
}

function describe() {
  const name = byId("export-format", HTMLSelectElement).value;
  const format = state.project?.formats.find((one) => one.name === name);
  byId("export-keeps", HTMLElement).textContent = format
    ? `Keeps ${format.keeps}.${format.reads ? " Read back and compared before it is kept." : ""}`
    : "";
  byId("export-polygons", HTMLInputElement).disabled = !format?.polygons;
}

async function runExport() {
  const form = new FormData(byId("export-form", HTMLFormElement));
  const range = form.get("range") && state.range;
  const request = {
    format: String(form.get("format")),
    objects: form.getAll("object").map(Number),
    ranges: range ? [{ first: range[0], last: range[1] }] : [],
    allow_loss: form.get("loss") !== null,
    polygons: form.get("polygons") !== null,
  };
  if (request.objects.length === 0) return say("export-said", "Choose at least one object.");
  say("export-said", "Writing and comparing …");
  try {
    const made = await post(ofVideo("exports"), request);
    const link = el("a", { href: `/api/exports/${made.id}`, download: "" }, "Download as one file");
    const notes = made.notes.map((/** @type {string} */ note) => el("p", { class: "dim" }, note));
    say("export-said", `${made.frames} frames written to ${made.folder}. `, link, ...notes);
  } catch (error) {
    say("export-said", error instanceof Error ? error.message : String(error));
  }
}

function prepareImport() {
  say("import-said");
  const formats = (state.project?.formats ?? []).filter((one) => one.reads);
  byId("import-format", HTMLSelectElement).replaceChildren(
    ...formats.map((one) => el("option", { value: one.name }, one.name)),
  );
}

async function runImport() {
  const file = byId("import-file", HTMLInputElement).files?.[0];
  const format = byId("import-format", HTMLSelectElement).value;
  if (!file) return say("import-said", "Choose a file first.");
  say("import-said", "Reading …");
  try {
    const answer = await inOrder(() => upload(ofVideo(`imports?format=${encodeURIComponent(format)}`), file));
    say("import-said", `Added ${Object.keys(answer.objects).join(", ")}.`);
    await refresh();
  } catch (error) {
    say("import-said", error instanceof Error ? error.message : String(error));
  }
}

async function runTrainingSet() {
  say("finetune-said", "Writing frames and masks …");
  try {
    const made = await post(ofVideo("training-set"));
    byId("finetune-command", HTMLElement).textContent = made.command;
    say("finetune-said", `${made.frames} frames with their masks are in ${made.folder}. Run this in a terminal:`);
    byId("finetune-copy", HTMLButtonElement).hidden = false;
  } catch (error) {
    say("finetune-said", error instanceof Error ? error.message : String(error));
  }
}

async function runGoTo() {
  const text = byId("go-to-text", HTMLInputElement).value.trim();
  closeDialogs();
  try {
    if (/^\d+$/.test(text)) return await goTo(Number(text));
    const parts = text.replace(/s$/, "").split(":").map(Number);
    if (!text || parts.some((part) => !Number.isFinite(part)) || parts.length > 3) {
      return tell("Give a frame (120) or a time (1:05.5).", "error");
    }
    const seconds = parts.reduce((sum, part) => sum * 60 + part, 0);
    const { frame } = await get(ofVideo(`frame-at?seconds=${seconds}`));
    await goTo(frame);
  } catch (error) {
    fail(error);
  }
}

/** A picture's mask for the object on the frame that is shown. */
async function importMask() {
  const input = byId("mask-file", HTMLInputElement);
  const file = input.files?.[0];
  input.value = "";
  if (!file) return;
  const id = state.selected ?? nextId();
  set({ selected: id });
  const frame = state.frame;
  try {
    await inOrder(() => upload(ofVideo(`mask-file?object=${id}&frame=${frame}`), file));
    await inOrder(() => post(ofVideo("preview"), { object: id, frame }));
    await refresh();
  } catch (error) {
    fail(error);
  }
}

export function startDialogs() {
  for (const one of document.querySelectorAll("[data-open]")) {
    one.addEventListener("click", () => openDialog(/** @type {HTMLElement} */ (one).dataset.open ?? ""));
  }
  for (const one of document.querySelectorAll("dialog .close")) one.addEventListener("click", closeDialogs);
  const forms = /** @type {const} */ ({
    "export-form": runExport,
    "import-form": runImport,
    "finetune-form": runTrainingSet,
    "go-to-form": runGoTo,
  });
  for (const [id, work] of Object.entries(forms)) {
    byId(id, HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      work();
    });
  }
  byId("mask-file", HTMLInputElement).addEventListener("change", importMask);
  byId("finetune-copy", HTMLButtonElement).addEventListener("click", () => {
    navigator.clipboard.writeText(byId("finetune-command", HTMLElement).textContent ?? "").then(
      () => tell("Copied."),
      () => tell("The browser does not let the page copy; mark the line and copy it.", "error"),
    );
  });
}

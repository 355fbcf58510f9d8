/** Elements in one line. */

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string | number | boolean | null>} [attributes]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null) made.setAttribute(name, String(value));
  }
  made.append(...children);
  return made;
}

/**
 * Asks for `work` soon, and once, however often it is asked before that.
 * @param {() => void} work
 * @returns {() => void}
 */
export function soon(work) {
  let queued = false;
  return () => {
    if (queued) return;
    queued = true;
    setTimeout(() => {
      queued = false;
      work();
    }, 0);
  };
}

/**
 * A button that does something.
 * @param {string} text
 * @param {string} title
 * @param {() => unknown} work
 * @param {Record<string, string | number | boolean | null>} [attributes]
 */
export function button(text, title, work, attributes = {}) {
  const made = el("button", { type: "button", title, ...attributes }, text);
  made.addEventListener("click", () => work());
  return made;
}

/**
 * Show these children. What is the same stays as it is, so that a button that is being pressed, or
 * has the focus, is not another one a moment later. Elements that stand for something say for what
 * in `data-key`.
 * @param {Element} place
 * @param {...Element} children
 */
export function renew(place, ...children) {
  const there = [...place.children];
  children.forEach((child, k) => (there[k] ? change(there[k], child) : place.append(child)));
  there.slice(children.length).forEach((one) => one.remove());
}

/**
 * @param {Element} there
 * @param {Element} child
 */
function change(there, child) {
  if (there.isEqualNode(child)) return;
  const inside = there.children.length > 0 && child.children.length > 0;
  const alike = there.tagName === child.tagName && there.getAttribute("data-key") === child.getAttribute("data-key");
  if (!inside || !alike || there.tagName === "BUTTON") {
    const focused = there === document.activeElement;
    there.replaceWith(child);
    if (focused && child instanceof HTMLElement) child.focus({ preventScroll: true });
    return;
  }
  for (const { name } of [...there.attributes]) if (!child.hasAttribute(name)) there.removeAttribute(name);
  for (const { name, value } of child.attributes) there.setAttribute(name, value);
  renew(there, ...child.children);
}

/**
 * The element of an id, of the kind it is.
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} kind
 * @returns {T}
 */
export function byId(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`#${id} is missing`);
  return found;
}

/** @param {[number, number, number]} colour */
export const rgb = (colour, alpha = 1) => `rgba(${colour.join(", ")}, ${alpha})`;

/**
 * @param {number | null | undefined} seconds
 * @returns {string}
 */
export function clock(seconds) {
  if (seconds === null || seconds === undefined) return "";
  const whole = Math.floor(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const shown = (parts[0] ? parts : parts.slice(1)).map((n) => String(n).padStart(2, "0"));
  return `${shown.join(":")}.${String(Math.floor((seconds - whole) * 100)).padStart(2, "0")}`;
}

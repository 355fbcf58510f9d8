/** The server, as functions. Actions go one after the other, so that clicks keep their order. */

import { set, state } from "./state.js";

export class Refused extends Error {
  /**
   * @param {string} message  the server's line
   * @param {number} status
   */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/**
 * @param {string} path
 * @param {RequestInit} [init]
 * @returns {Promise<any>}
 */
async function ask(path, init) {
  let answer;
  try {
    answer = await fetch(path, init);
  } catch {
    throw new Refused("The server does not answer. Is sam2s annotate still running?", 0);
  }
  const content = await answer.json().catch(() => ({ error: answer.statusText }));
  if (!answer.ok) throw new Refused(content.error ?? answer.statusText, answer.status);
  return content;
}

/**
 * @param {string} path
 * @returns {Promise<any>}
 */
export const get = (path) => ask(`/api/${path}`);

/**
 * @param {string} path
 * @param {object} content
 * @returns {Promise<any>}
 */
export function post(path, content = {}) {
  const body = JSON.stringify(content);
  const headers = { "content-type": "application/json" };
  return ask(`/api/${path}`, { method: "POST", headers, body });
}

/**
 * @param {string} path
 * @param {Blob} file
 * @returns {Promise<any>}
 */
export function upload(path, file) {
  const headers = { "content-type": "application/octet-stream" };
  return ask(`/api/${path}`, { method: "POST", headers, body: file });
}

/** @param {string} rest */
export const ofVideo = (rest) => `videos/${state.video?.id}/${rest}`;

/** @type {Promise<unknown>} */
let last = Promise.resolve();
let pending = 0;

/**
 * Do `work` after everything that was asked for before; the page says "saved" when all is done.
 * @template T
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export function inOrder(work) {
  pending += 1;
  set({ saved: "saving" });
  const mine = last.then(work);
  last = mine.catch(() => undefined);
  mine.then(
    () => finished("saved"),
    // Refused with a reason: there is nothing to save. Without an answer, nobody knows.
    (error) => finished(error instanceof Refused && 400 <= error.status && error.status < 500 ? "saved" : "failed"),
  );
  return mine;
}

/** @param {"saved" | "failed"} how */
function finished(how) {
  pending -= 1;
  if (how === "failed" || pending === 0) set({ saved: how });
}

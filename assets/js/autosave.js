/** Saves the page in the browser, so that a reload or a crash does not lose it. */

import { simplify } from "./simplify.js";

/** @typedef {import("./drawing.js").Stroke} Stroke */
/** @typedef {import("./api.js").Sketch} Sketch */

const KEY = "sketchzoo.page";

/** Milliseconds without a change after which the page is saved. */
const DELAY = 250;

export class Autosave {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {Pick<typeof import("./storage.js").storage, "getItem" | "setItem">} storage
   * @param {() => Sketch} page what is on the page now.
   */
  constructor(storage, page) {
    this.storage = storage;
    this.page = page;
  }

  /** Call this when the page has changed. It is saved once no more changes come. */
  changed() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.save(), DELAY);
  }

  /** Saves the page now; with fewer strokes and points if the storage is too small for it. */
  save() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const page = this.page();
    const keep = (/** @type {Sketch} */ sketch) => this.storage.setItem(KEY, JSON.stringify(sketch));
    if (!keep(page)) keep({ ...page, strokes: simplify(page.strokes) });
  }

  /** Saves the page now, but only if it has unsaved changes: it would replace the page of another tab. */
  flush() {
    if (this.#timer !== undefined) this.save();
  }

  /**
   * The page that was saved last; null if there is none, or if it is damaged.
   *
   * @returns {Sketch | null}
   */
  read() {
    try {
      const saved = JSON.parse(this.storage.getItem(KEY) ?? "null");
      return Array.isArray(saved?.strokes) && saved.strokes.every(isStroke) ? saved : null;
    } catch {
      return null;
    }
  }
}

/** @param {any} stroke @returns {stroke is Stroke} */
function isStroke(stroke) {
  return (
    Number.isFinite(stroke?.width) &&
    Array.isArray(stroke.points) &&
    stroke.points.length > 0 &&
    stroke.points.every((/** @type {any} */ p) => Array.isArray(p) && p.every(Number.isFinite))
  );
}

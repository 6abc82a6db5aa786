/** The page as this browser keeps it, so that a reload or a crash does not lose it. */

/** @typedef {import("./drawing.js").Stroke} Stroke */
/** @typedef {{strokes: Stroke[], picture: string | null}} Kept  strokes and the upload's path. */

const KEY = "sketchzoo.page";
const AFTER = 250;

/**
 * What the browser keeps. Each tab has its own; a new tab begins with what any tab kept last. Where
 * the browser keeps nothing, or no more, it costs the memory alone.
 */
export const storage = {
  /** @param {string} key */
  getItem(key) {
    const get = (/** @type {Storage} */ place) => place.getItem(key);
    return inTab(get) ?? inAll(get) ?? null;
  },
  /** @param {string} key @param {string} value */
  setItem(key, value) {
    const set = (/** @type {Storage} */ place) => (place.setItem(key, value), true);
    const isKept = inTab(set);
    // Or an older value of the tab would hide the newer one.
    if (inAll(set) && !isKept) inTab((place) => place.removeItem(key));
  },
};

/** @template T @param {(place: Storage) => T} act @returns {T | undefined} */
const inTab = (act) => tried(() => act(sessionStorage));

/** @template T @param {(place: Storage) => T} act @returns {T | undefined} */
const inAll = (act) => tried(() => act(localStorage));

/** @template T @param {() => T} act @returns {T | undefined} nothing where the browser refuses. */
function tried(act) {
  try {
    return act();
  } catch {
    return undefined;
  }
}

export class Keeper {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {Pick<Storage, "getItem" | "setItem">} storage
   * @param {() => Kept} page what is on the page now.
   */
  constructor(storage, page) {
    this.storage = storage;
    this.page = page;
  }

  /** Says that the page has changed; it is written once no more changes come. */
  changed() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.write(), AFTER);
  }

  /** Writes the page now. */
  write() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.storage.setItem(KEY, JSON.stringify(this.page()));
  }

  /** Writes the page now if a change waits to be written: another tab may have written since. */
  flush() {
    if (this.#timer !== undefined) this.write();
  }

  /**
   * The page that was written last; null without one, or when it is damaged.
   *
   * @returns {Kept | null}
   */
  read() {
    try {
      const kept = JSON.parse(this.storage.getItem(KEY) ?? "null");
      return Array.isArray(kept?.strokes) && kept.strokes.every(isStroke) ? kept : null;
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

/**
 * What the browser stores. Each tab has its own values; a new tab starts with what any tab stored
 * last. If the browser refuses to store anything, or is full, nothing is kept.
 */
export const storage = {
  /** @param {string} key */
  getItem(key) {
    const get = (/** @type {Storage} */ place) => place.getItem(key);
    return inTab(get) ?? inAllTabs(get) ?? null;
  },
  /**
   * @param {string} key
   * @param {string} value
   * @returns {boolean} whether it is kept.
   */
  setItem(key, value) {
    const set = (/** @type {Storage} */ place) => (place.setItem(key, value), true);
    const isSet = inTab(set);
    const isSetInAll = inAllTabs(set);
    // An older value of the tab would hide the newer one.
    if (isSetInAll && !isSet) inTab((place) => place.removeItem(key));
    return Boolean(isSet || isSetInAll);
  },
};

/** @template T @param {(place: Storage) => T} act @returns {T | undefined} */
const inTab = (act) => attempt(() => act(sessionStorage));

/** @template T @param {(place: Storage) => T} act @returns {T | undefined} */
const inAllTabs = (act) => attempt(() => act(localStorage));

/** @template T @param {() => T} act @returns {T | undefined} undefined if the browser refuses. */
function attempt(act) {
  try {
    return act();
  } catch {
    return undefined;
  }
}

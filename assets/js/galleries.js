/** Which gallery is searched: the menus of galleries and animals, and photos being downloaded. */

import { part } from "./dom.js";
import { retry } from "./retry.js";
import { storage } from "./storage.js";
import { TEXT } from "./text.js";

/** @typedef {import("./api.js").Progress} Progress */
/**
 * @typedef {{gallery: string | null, version: string}} Where  the gallery, null for the first one, and
 *   its version, which changes when it is indexed again.
 */

/** Key of the gallery's name in the browser's storage. */
const KEY = "sketchzoo.gallery";

/** Milliseconds between questions about photos being downloaded. */
const POLL_TIME = 3000;

export class Galleries {
  /**
   * The gallery that is searched; at first the one that this browser has searched last. Each choice
   * of a person makes a new object, so that answers of the gallery before can be told from new ones.
   *
   * @type {Where}
   */
  where = { gallery: storage.getItem(KEY), version: "" };
  /** How this person gets more photos; empty if they cannot. */
  more = "";
  /** The number of descriptions asked for: only the last one counts. */
  #asked = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #poll;

  /**
   * @param {HTMLElement} root
   * @param {import("./api.js").Server} server
   * @param {object} options
   * @param {() => void} options.onGallery called when another gallery is chosen, or has to be
   *   because this one is gone.
   * @param {(label: string) => void} options.onAnimal called with an animal to search among, or an
   *   empty text for all.
   * @param {() => string} options.animal the only animal that is searched; empty for all.
   */
  constructor(root, server, { onGallery, onAnimal, animal }) {
    this.server = server;
    this.onGallery = onGallery;
    this.animal = animal;
    this.menu = /** @type {HTMLSelectElement} */ (part(root, "galleries"));
    this.animals = /** @type {HTMLSelectElement} */ (part(root, "animals"));
    this.progress = part(root, "progress");
    this.menu.addEventListener("change", () => {
      const gallery = this.menu.value;
      storage.setItem(KEY, gallery);
      this.where = { gallery, version: "" };
      onGallery();
    });
    this.animals.addEventListener("change", () => onAnimal(this.animals.value));
  }

  /** Fills the menus. Asks until the server answers. If the gallery is gone, the first is searched. */
  async describe() {
    const number = ++this.#asked;
    const { gallery } = this.where;
    const isLast = () => number === this.#asked;
    const info = await retry(async () => (isLast() ? this.server.describe(gallery) : null));
    if (!info || !isLast()) return;
    if (gallery && info.gallery !== gallery) {
      this.where = { gallery: null, version: "" };
      return this.onGallery();
    }
    if (info.gallery === info.galleries[0]) this.where.gallery = null;
    this.more = info.more;
    this.menu.replaceChildren(...info.galleries.map((each) => new Option(each, each)));
    this.menu.value = info.gallery;
    this.menu.hidden = info.galleries.length < 2;
    this.#showProgress(info.coming);
    const labels = info.labels.map(([label, photos]) => new Option(`${label} (${photos})`, label));
    this.animals.replaceChildren(this.animals.options[0], ...labels);
    this.showAnimal();
  }

  /** Selects the only animal that is searched in the menu. */
  showAnimal() {
    this.animals.value = this.animal();
  }

  /**
   * Takes the version of an answer. If the gallery has been indexed again, the menus are filled
   * again.
   *
   * @param {string} [version]
   */
  setVersion(version) {
    if (!version || version === this.where.version) return;
    if (this.where.version) this.describe();
    this.where.version = version;
  }

  /**
   * Says how many photos have been downloaded, and asks again while the download goes on.
   *
   * @param {Progress | null} progress
   */
  #showProgress(progress) {
    const text = progress ? progress.trouble || TEXT.downloading(progress.done, progress.wanted) : "";
    if (this.progress.textContent !== text) this.progress.textContent = text;
    clearTimeout(this.#poll);
    if (progress) this.#pollLater();
  }

  #pollLater() {
    this.#poll = setTimeout(async () => {
      const info = await this.server.describe(this.where.gallery).catch(() => null);
      if (info) this.#showProgress(info.coming);
      else this.#pollLater();
    }, POLL_TIME);
  }
}

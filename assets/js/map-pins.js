/** The nearest photos as small pictures on the map. */

import { load, reload } from "./thumbnails.js";

/** @typedef {import("./results.js").Match} Match */
/** @typedef {import("./map-layout.js").Pin} Pin */

export class Pins {
  /** @type {Map<string, HTMLImageElement>} */
  #images = new Map();
  /** @type {{match: Match, pin: Pin}[]} */
  #pins = [];
  /** @type {Match[]} */
  #matches = [];

  /** @param {HTMLElement} list */
  constructor(list) {
    this.list = list;
  }

  /**
   * Shows the pins. Pictures that are already there move and grow.
   *
   * @param {Match[]} matches
   * @param {Pin[]} pins of the matches.
   */
  show(matches, pins) {
    // Each move of the map shows the same matches: their pictures are not tried again each time.
    const isNew = matches !== this.#matches;
    this.#matches = matches;
    this.#pins = matches.map((match, i) => ({ match, pin: pins[i] }));
    /** @type {Map<string, HTMLImageElement>} */
    const images = new Map();
    for (const { match, pin } of this.#pins) {
      if (!pin.shown) continue;
      const image = this.#images.get(match.thumbnail) ?? new Image();
      if (!image.src) load(image, match.thumbnail);
      else if (isNew) reload(image);
      image.alt = "";
      image.style.width = image.style.height = `${pin.width}px`;
      image.style.translate = `${pin.x - pin.width / 2}px ${pin.y - pin.height / 2}px`;
      images.set(match.thumbnail, image);
    }
    for (const [thumbnail, image] of this.#images) if (!images.has(thumbnail)) image.remove();
    for (const image of images.values()) if (!image.isConnected) this.list.append(image);
    this.#images = images;
  }

  /**
   * The pin at a point in pixels, with its photo.
   *
   * @param {number} x
   * @param {number} y
   */
  at(x, y) {
    return this.#pins.find(
      ({ pin }) =>
        pin.shown &&
        Math.abs(x - pin.x) <= pin.width / 2 &&
        Math.abs(y - pin.y) <= pin.height / 2,
    );
  }
}

/** What the drawing may show, as bars. */

import { SAY } from "./strings.js";

/**
 * @typedef {{label: string, share: number, photos: number}} Guess
 *   `share`: how sure the guess is, 0 to 1; `photos`: how many of it the gallery holds.
 */

/** Guesses that are less sure are not worth a bar. */
const LEAST = 0.03;

export class Guesses {
  /**
   * @param {HTMLElement} list
   */
  constructor(list) {
    this.list = list;
  }

  /** @param {Guess[]} guesses likeliest first. */
  show(guesses) {
    const bars = guesses.filter(({ share }) => share >= LEAST).map(bar);
    this.list.replaceChildren(...bars);
  }
}

/** @param {Guess} guess */
function bar({ label, share }) {
  const item = document.createElement("li");
  item.style.setProperty("--share", String(share));
  const name = document.createElement("span");
  name.textContent = label;
  const sure = document.createElement("b");
  sure.textContent = SAY.percent(share);
  item.append(name, sure);
  return item;
}

/** What the drawing may show, as bars. */

import { TEXT } from "./text.js";

/**
 * @typedef {{label: string, share: number, photos: number}} Guess
 *   `share`: probability, 0 to 1; `photos`: how many of this animal the gallery holds.
 */

/** Guesses with a smaller share get no bar. */
const MIN_SHARE = 0.03;

/**
 * @param {HTMLElement} list
 * @param {Guess[]} guesses likeliest first.
 */
export function showGuesses(list, guesses) {
  list.replaceChildren(...guesses.filter(({ share }) => share >= MIN_SHARE).map(bar));
}

/** @param {Guess} guess */
function bar({ label, share }) {
  const item = document.createElement("li");
  item.style.setProperty("--share", String(share));
  const name = document.createElement("span");
  name.textContent = label;
  const percent = document.createElement("b");
  percent.textContent = TEXT.percent(share);
  item.append(name, percent);
  return item;
}

/** Who made the photos. */

import { part } from "./dom.js";
import { TEXT } from "./text.js";

/** @typedef {import("./results.js").Match} Match */

/**
 * Makers and licences of these photos, each pair once.
 *
 * @param {Match[]} matches
 */
export function creditsOf(matches) {
  const all = matches.map(({ credit, licence }) => [credit, licence].filter(Boolean).join(", "));
  return [...new Set(all)].filter(Boolean);
}

/**
 * Shows the credits in a line that opens.
 *
 * @param {HTMLElement} root of the board
 * @param {Match[]} matches
 */
export function showCredits(root, matches) {
  const credits = creditsOf(matches);
  part(root, "credits").hidden = !credits.length;
  part(root, "makers").textContent = TEXT.credit(credits.length);
  const lines = credits.map((text) => {
    const line = document.createElement("li");
    line.textContent = text;
    return line;
  });
  part(root, "terms").replaceChildren(...lines);
}

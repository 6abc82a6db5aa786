/** One photo, large, with what can be done with it. */

import { part } from "./gallery.js";
import { linked } from "./licence.js";
import { SAY } from "./strings.js";

/** @typedef {import("./gallery.js").Match} Match */
/** @typedef {"similar" | "like" | "unlike" | "only" | "without"} Action */

export class Closer {
  /** @type {Match | null} */
  #match = null;

  /**
   * @param {HTMLDialogElement} dialog
   * @param {(action: Action, match: Match) => void} acted
   */
  constructor(dialog, acted) {
    this.dialog = dialog;
    part(dialog, "close").addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close();
    });
    for (const button of dialog.querySelectorAll("[data-action]")) {
      button.addEventListener("click", () => {
        const action = /** @type {HTMLElement} */ (button).dataset.action;
        dialog.close();
        if (this.#match) acted(/** @type {Action} */ (action), this.#match);
      });
    }
  }

  /** @param {Match} match */
  show(match) {
    this.#match = match;
    const { dialog } = this;
    const image = /** @type {HTMLImageElement} */ (part(dialog, "large"));
    image.src = match.thumbnail;
    image.alt = match.label;
    const large = new Image();
    large.src = match.thumbnail.replace("thumbnails/", "photos/");
    large.decode().then(
      () => this.#match === match && (image.src = large.src),
      () => {},
    );
    part(dialog, "title").textContent = match.label;
    part(dialog, "match").textContent = SAY.similar(match.similarity);
    const [credit, licence] = [match.credit, linked(match.licence)];
    if (credit && licence.length) part(dialog, "credit").replaceChildren(credit, " · ", ...licence);
    else part(dialog, "credit").replaceChildren(...(credit ? [credit] : licence));
    if (!credit && !licence.length) part(dialog, "credit").textContent = SAY.noCredit;
    for (const name of dialog.querySelectorAll("[data-name]")) name.textContent = match.label;
    dialog.showModal();
  }
}

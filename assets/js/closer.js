/** One photo, large, with what can be done with it. */

import { part } from "./gallery.js";
import { SAY } from "./strings.js";

/** @typedef {import("./gallery.js").Photo} Photo */
/** @typedef {"similar" | "like" | "unlike" | "only" | "without"} Action */

export class Closer {
  /** @type {Photo | null} */
  #match = null;

  /**
   * @param {HTMLDialogElement} dialog
   * @param {(action: Action, match: Photo) => void} acted
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

  /** @param {Photo} match */
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
    const { similarity } = match;
    part(dialog, "match").textContent = similarity === undefined ? "" : SAY.similar(similarity);
    const credit = [match.credit, match.licence].filter(Boolean).join(" · ");
    part(dialog, "credit").textContent = credit || SAY.noCredit;
    for (const name of dialog.querySelectorAll("[data-name]")) name.textContent = match.label;
    dialog.showModal();
  }
}

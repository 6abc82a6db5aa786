/** Shows an answer: the photos, the map, the guesses, and the credits. */

import { showCredits } from "./credits.js";
import { part } from "./dom.js";
import { showGuesses } from "./guesses.js";
import { GalleryMap } from "./map.js";
import { Results } from "./results.js";
import { animalFirst, summarize } from "./summary.js";

export class AnswerView {
  /**
   * @param {HTMLElement} root
   * @param {object} options
   * @param {(photo: import("./results.js").Photo) => void} options.onOpen called when a photo is
   *   clicked.
   */
  constructor(root, { onOpen }) {
    this.root = root;
    this.list = part(root, "results");
    this.guesses = part(root, "guesses");
    const tile = /** @type {HTMLTemplateElement} */ (part(root, "tile"));
    this.results = new Results(this.list, tile, { onOpen });
    this.map = new GalleryMap(part(root, "map"), { onOpen });
  }

  /** @param {boolean} busy whether a newer answer is to come. */
  setBusy(busy) {
    this.list.setAttribute("aria-busy", String(busy));
  }

  /**
   * @param {import("./api.js").Answer} answer
   * @param {object} options
   * @param {boolean} options.byPhoto whether the search is by a photo instead of the drawing.
   * @param {string} options.more how this person gets more photos; empty if they cannot.
   * @returns {string} the answer in one sentence; empty without photos.
   */
  show(answer, { byPhoto, more }) {
    const { matches = [], guesses = [], spots = [], place = null, map = "" } = answer;
    const summary = matches.length
      ? summarize(answer, more)
      : { text: "", unlike: false, animal: "", others: "" };
    this.results.show(animalFirst(matches, summary.animal), summary);
    this.map.show({ matches, spots, place, map }, byPhoto);
    showGuesses(this.guesses, guesses);
    showCredits(this.root, matches);
    return summary.text;
  }
}

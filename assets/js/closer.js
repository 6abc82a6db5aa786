/** One photo, large, with what can be done with it. */

import { closable } from "./dialogs.js";
import { part } from "./gallery.js";
import { fitted, paintHeat } from "./heat.js";
import { linked } from "./licence.js";
import { paintPage } from "./pad.js";
import { told } from "./search.js";
import { SAY } from "./strings.js";

/** @typedef {import("./gallery.js").Photo} Photo */
/** @typedef {import("./drawing.js").Page} Page */
/** @typedef {import("./heat.js").Grid} Grid */
/**
 * @typedef {{sketch: Grid, photo: Grid, box: [number, number, number]}} Warmth
 * @typedef {Warmth | {error: string}} Explained
 *   `box`: left, top and side of what was looked at on the page, as shares of its side.
 */
/** @typedef {"similar" | "like" | "unlike" | "only" | "without"} Action */

export class Closer {
  /** @type {Photo | null} */
  #match = null;
  /** @type {Warmth | null} */
  #explained = null;

  /**
   * @param {HTMLDialogElement} dialog
   * @param {(action: Action, match: Photo) => void} acted
   * @param {(match: Photo) => Promise<Explained>} explain
   * @param {() => Page | null} page what was searched by, if that was a drawing.
   */
  constructor(dialog, acted, explain, page) {
    this.dialog = dialog;
    this.explain = explain;
    this.page = page;
    this.why = /** @type {HTMLButtonElement} */ (part(dialog, "why"));
    this.why.addEventListener("click", () => this.#toggle());
    new ResizeObserver(() => this.#paint()).observe(part(dialog, "large"));
    closable(dialog);
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
    part(dialog, "match").textContent = similarity === undefined ? "" : SAY.percent(similarity);
    const maker = match.credit ? [named(match)] : [];
    const licence = linked(match.licence);
    const between = maker.length && licence.length ? [" · "] : [];
    part(dialog, "credit").replaceChildren(...maker, ...between, ...licence);
    if (!maker.length && !licence.length) part(dialog, "credit").textContent = SAY.noCredit;
    this.#explained = null;
    part(dialog, "because").textContent = "";
    part(dialog, "asking").hidden = !this.page();
    this.#paint();
    for (const name of dialog.querySelectorAll("[data-name]")) name.textContent = match.label;
    dialog.showModal();
  }

  /** Shows or hides what made the photo match. */
  async #toggle() {
    const match = this.#match;
    if (this.why.getAttribute("aria-disabled") === "true") return;
    part(this.dialog, "because").textContent = "";
    if (this.#explained || !match) this.#explained = null;
    else {
      // Not `disabled`, which would take the focus away.
      this.why.setAttribute("aria-disabled", "true");
      const found = await this.explain(match).catch((error) => ({ error: told(error) }));
      this.why.setAttribute("aria-disabled", "false");
      if (this.#match !== match) return;
      if ("sketch" in found) this.#explained = found;
      else part(this.dialog, "because").textContent = found.error;
    }
    this.#paint();
  }

  #paint() {
    const { dialog } = this;
    const found = this.#explained;
    const page = this.page();
    this.why.setAttribute("aria-pressed", String(Boolean(found)));
    dialog.classList.toggle("warm", Boolean(found));
    if (!found || !page) return;
    part(dialog, "because").textContent = SAY.because;
    const image = /** @type {HTMLImageElement} */ (part(dialog, "large"));
    const over = sharp(/** @type {HTMLCanvasElement} */ (part(dialog, "photo-heat")));
    const natural = { width: image.naturalWidth || 1, height: image.naturalHeight || 1 };
    paintHeat(over, found.photo, fitted(over.canvas, natural));
    const drawn = sharp(/** @type {HTMLCanvasElement} */ (part(dialog, "sketch-heat")));
    const [left, top, side] = found.box;
    const scale = drawn.canvas.width / side;
    drawn.save();
    drawn.translate(-left * scale, -top * scale);
    paintPage(drawn, page, scale);
    drawn.restore();
    const { width, height } = drawn.canvas;
    paintHeat(drawn, found.sketch, { left: 0, top: 0, width, height });
  }
}

/**
 * An empty canvas of as many pixels as the screen has there.
 *
 * @param {HTMLCanvasElement} canvas
 */
function sharp(canvas) {
  canvas.width = Math.round(canvas.clientWidth * window.devicePixelRatio);
  canvas.height = Math.round(canvas.clientHeight * window.devicePixelRatio);
  return /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
}

/**
 * Who made a photo, as a link to the page that it comes from, where there is one.
 *
 * @param {import("./gallery.js").Photo} photo
 */
function named({ credit, page }) {
  if (!page.startsWith("https://")) return credit;
  const link = document.createElement("a");
  link.href = page;
  link.target = "_blank";
  link.rel = "noopener";
  link.textContent = credit;
  return link;
}

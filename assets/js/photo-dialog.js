/** The dialog of one photo: large, with its credit, why it matches, and what to do with it. */

import { messageOf } from "./api.js";
import { context2d, newTabLink, part, setEnabled } from "./dom.js";
import { makeDismissible } from "./dismiss.js";
import { fit, paintHeatmap } from "./heatmap.js";
import { licenceLinks } from "./licences.js";
import { paintPage } from "./paint.js";
import { TEXT } from "./text.js";

/** @typedef {import("./results.js").Photo} Photo */
/** @typedef {import("./drawing.js").Page} Page */
/** @typedef {import("./heatmap.js").Grid} Grid */
/**
 * @typedef {{sketch: Grid, photo: Grid, box: [number, number, number]}} Heatmaps
 *   `box`: left, top and side of the part of the page that the encoder saw, as shares of its side.
 * @typedef {Heatmaps | {error: string}} Explanation
 * @typedef {"similar" | "like" | "unlike" | "only" | "without"} Action
 */

export class PhotoDialog {
  /** @type {Photo | null} */
  #photo = null;
  /** @type {Heatmaps | null} */
  #heatmaps = null;

  /**
   * @param {HTMLDialogElement} dialog
   * @param {object} options
   * @param {() => Page | null} options.page the drawing; null if the search is by a photo.
   * @param {(photo: Photo) => Promise<Explanation>} options.explain
   * @param {(action: Action, photo: Photo) => void} options.onAction
   */
  constructor(dialog, { page, explain, onAction }) {
    this.dialog = dialog;
    this.page = page;
    this.explain = explain;
    this.image = /** @type {HTMLImageElement} */ (part(dialog, "large"));
    this.because = part(dialog, "because");
    this.why = /** @type {HTMLButtonElement} */ (part(dialog, "why"));
    this.why.addEventListener("click", () => this.#toggleHeatmaps());
    new ResizeObserver(() => this.#paint()).observe(this.image);
    makeDismissible(dialog);
    for (const button of dialog.querySelectorAll("[data-action]")) {
      button.addEventListener("click", () => {
        const { action } = /** @type {HTMLElement} */ (button).dataset;
        dialog.close();
        if (this.#photo) onAction(/** @type {Action} */ (action), this.#photo);
      });
    }
  }

  /** @param {Photo} photo */
  open(photo) {
    this.#photo = photo;
    const { dialog } = this;
    this.#showImage(photo);
    part(dialog, "title").textContent = photo.label;
    const { similarity } = photo;
    part(dialog, "match").textContent = similarity === undefined ? "" : TEXT.percent(similarity);
    part(dialog, "credit").replaceChildren(...creditLine(photo));
    this.#heatmaps = null;
    setEnabled(this.why, true);
    this.because.textContent = "";
    part(dialog, "explanation").hidden = !this.page();
    this.#paint();
    for (const name of dialog.querySelectorAll("[data-name]")) name.textContent = photo.label;
    dialog.showModal();
  }

  /**
   * Shows the thumbnail until the large photo is there.
   *
   * @param {Photo} photo
   */
  #showImage(photo) {
    this.image.src = photo.thumbnail;
    this.image.alt = photo.label;
    const large = new Image();
    large.src = photo.thumbnail.replace("thumbnails/", "photos/");
    large.decode().then(
      () => this.#photo === photo && (this.image.src = large.src),
      () => {},
    );
  }

  /** Shows or hides what made the photo match. */
  async #toggleHeatmaps() {
    const photo = this.#photo;
    if (this.why.getAttribute("aria-disabled") === "true") return;
    this.because.textContent = "";
    if (this.#heatmaps || !photo) this.#heatmaps = null;
    else {
      setEnabled(this.why, false);
      this.because.textContent = TEXT.looking;
      const answer = await this.explain(photo).catch((error) => ({ error: messageOf(error) }));
      if (this.#photo !== photo) return;
      setEnabled(this.why, true);
      if ("sketch" in answer) this.#heatmaps = answer;
      else this.because.textContent = answer.error;
    }
    this.#paint();
  }

  #paint() {
    const heatmaps = this.#heatmaps;
    const page = this.page();
    this.why.setAttribute("aria-pressed", String(Boolean(heatmaps)));
    this.dialog.classList.toggle("explained", Boolean(heatmaps));
    if (!heatmaps || !page) return;
    this.because.textContent = TEXT.because;
    this.#paintPhoto(heatmaps);
    this.#paintSketch(heatmaps, page);
  }

  /** @param {Heatmaps} heatmaps */
  #paintPhoto({ photo }) {
    const context = sharpContext(part(this.dialog, "photo-heat"));
    const { naturalWidth, naturalHeight } = this.image;
    const size = { width: naturalWidth || 1, height: naturalHeight || 1 };
    paintHeatmap(context, photo, fit(context.canvas, size));
  }

  /** @param {Heatmaps} heatmaps @param {Page} page */
  #paintSketch({ sketch, box: [left, top, side] }, page) {
    const context = sharpContext(part(this.dialog, "sketch-heat"));
    const { width, height } = context.canvas;
    const scale = width / side;
    context.save();
    context.translate(-left * scale, -top * scale);
    paintPage(context, page, scale);
    context.restore();
    paintHeatmap(context, sketch, { left: 0, top: 0, width, height });
  }
}

/**
 * An empty canvas with as many pixels as the screen has there.
 *
 * @param {HTMLElement} element
 */
function sharpContext(element) {
  const canvas = /** @type {HTMLCanvasElement} */ (element);
  canvas.width = Math.round(canvas.clientWidth * window.devicePixelRatio);
  canvas.height = Math.round(canvas.clientHeight * window.devicePixelRatio);
  return context2d(canvas);
}

/**
 * Maker and licence of a photo. The maker is a link to the page that the photo comes from.
 *
 * @param {Photo} photo
 */
function creditLine({ credit, licence, page }) {
  const maker = page.startsWith("https://") ? newTabLink(page, credit) : credit;
  const licences = licenceLinks(licence);
  if (!credit && !licences.length) return [TEXT.noCredit];
  if (!credit) return licences;
  return licences.length ? [maker, " · ", ...licences] : [maker];
}

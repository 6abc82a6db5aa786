/** The dialog that shares a drawing: as a link, as a picture, or as code. */

import { part } from "./dom.js";
import { makeDismissible } from "./dismiss.js";
import { decode, encode } from "./link.js";
import { compose, loadPhotos } from "./poster.js";
import { simplify } from "./simplify.js";
import { curl, python } from "./snippets.js";
import { TEXT } from "./text.js";

/** @typedef {import("./drawing.js").Page} Page */
/** @typedef {import("./drawing.js").Stroke} Stroke */
/** @typedef {import("./results.js").Match} Match */
/** @typedef {import("./snippets.js").Search} Search */

/** What a URL fragment begins with if it is a drawing. */
const FRAGMENT = "#d=";

/** Milliseconds after which the data of a saved picture is released. */
const RELEASE_AFTER = 60_000;

export class ShareDialog {
  /** @type {Match[]} */
  #matches = [];
  /** Resolves once the picture is painted. */
  #painted = Promise.resolve();

  /**
   * @param {HTMLDialogElement} dialog
   * @param {object} options
   * @param {() => Page} options.page the drawing.
   * @param {() => Search} options.search the present search.
   */
  constructor(dialog, { page, search }) {
    this.dialog = dialog;
    this.page = page;
    this.search = search;
    this.link = /** @type {HTMLInputElement} */ (part(dialog, "link"));
    this.code = /** @type {HTMLTextAreaElement} */ (part(dialog, "code"));
    this.poster = /** @type {HTMLCanvasElement} */ (part(dialog, "poster"));
    makeDismissible(dialog);
    this.#onClick("copy-link", () => this.#copy(this.link.value, this.link));
    this.#onClick("send-link", () => this.#send());
    this.#onClick("save-picture", () => this.#save());
    this.#onClick("copy-curl", () => this.#copy(curl(document.baseURI, this.search()), this.code));
    this.#onClick("copy-python", () =>
      this.#copy(python(document.baseURI, this.search()), this.code),
    );
    part(dialog, "send-link").hidden = !("share" in navigator);
  }

  /**
   * Sets the photos of the picture.
   *
   * @param {Match[]} matches
   */
  setMatches(matches) {
    this.#matches = matches;
    if (this.dialog.open) this.#paint();
  }

  async open() {
    const { picture, strokes } = this.page();
    const text = strokes.length ? await encode(simplify(strokes)).catch(() => null) : "";
    if (this.dialog.open) return;
    const url = new URL(document.baseURI);
    url.search = "";
    url.hash = `${FRAGMENT}${text}`;
    this.link.value = url.href;
    this.code.hidden = true;
    part(this.dialog, "by-link").hidden = !text;
    // A program can send strokes, or the id of a photo, but not an upload of this page.
    const byPhoto = typeof this.search().photo === "string";
    part(this.dialog, "by-program").hidden = !byPhoto && (picture !== null || !strokes.length);
    part(this.dialog, "upload-note").hidden = !picture;
    this.#say(text === null ? TEXT.noLink : "", text === null);
    this.dialog.showModal();
    this.#paint();
  }

  #paint() {
    const matches = this.#matches;
    this.poster.setAttribute("aria-label", TEXT.poster(matches.length));
    this.#painted = loadPhotos(matches).then((photos) => {
      if (matches === this.#matches) compose(this.poster, this.page(), matches, photos);
    });
  }

  /**
   * Copies a text. If the browser does not let scripts do that, it selects the text for people.
   *
   * @param {string} text
   * @param {HTMLInputElement | HTMLTextAreaElement} field
   */
  async #copy(text, field) {
    try {
      await navigator.clipboard.writeText(text);
      this.#say(TEXT.copied);
    } catch {
      field.hidden = false;
      field.value = text;
      field.focus();
      field.select();
      this.#say(TEXT.copyByHand);
    }
  }

  async #send() {
    try {
      await navigator.share({ title: document.title, url: this.link.value });
    } catch (error) {
      const { name } = /** @type {Error} */ (error);
      if (name !== "AbortError") this.#say(TEXT.notSent, true);
    }
  }

  async #save() {
    await this.#painted;
    this.poster.toBlob((blob) => {
      if (!blob) return this.#say(TEXT.notSaved, true);
      const link = document.createElement("a");
      link.href = URL.createObjectURL(blob);
      link.download = "sketchzoo.png";
      link.click();
      // Some browsers read the data later than the click.
      setTimeout(() => URL.revokeObjectURL(link.href), RELEASE_AFTER);
      this.#say(TEXT.saved);
    }, "image/png");
  }

  /** @param {string} name @param {() => void} handler */
  #onClick(name, handler) {
    part(this.dialog, name).addEventListener("click", handler);
  }

  /** @param {string} text @param {boolean} [isError] */
  #say(text, isError = false) {
    const outcome = part(this.dialog, "outcome");
    outcome.textContent = text;
    outcome.classList.toggle("error", isError);
    if (text) outcome.scrollIntoView({ block: "nearest" });
  }
}

/**
 * Takes the drawing out of the address of the page; null if there is none.
 *
 * @returns {Promise<Stroke[] | null>}
 * @throws if the link is damaged.
 */
export async function takeSharedDrawing() {
  if (!location.hash.startsWith(FRAGMENT)) return null;
  const text = location.hash.slice(FRAGMENT.length);
  history.replaceState(history.state, "", location.pathname + location.search);
  return decode(text);
}

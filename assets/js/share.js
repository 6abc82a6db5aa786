/** The dialog that gives a drawing away: as a link, a picture, or the call of a program. */

import { closable } from "./dialogs.js";
import { part } from "./gallery.js";
import { decode, encode } from "./link.js";
import { compose, load } from "./poster.js";
import { curl, python } from "./snippets.js";
import { SAY } from "./strings.js";
import { thinned } from "./thin.js";

/** @typedef {import("./drawing.js").Page} Page */
/** @typedef {import("./drawing.js").Stroke} Stroke */
/** @typedef {import("./gallery.js").Match} Match */
/** @typedef {import("./snippets.js").Asked} Asked */

/** The part of an address that is a drawing. */
const FRAGMENT = "#d=";

/** Milliseconds after which a picture that was saved is let go. */
const FETCHED = 60_000;

export class Sharing {
  /** @type {Match[]} */
  #matches = [];
  /** The picture to save, once it is painted. */
  #composed = Promise.resolve();

  /**
   * @param {HTMLDialogElement} dialog
   * @param {() => Page} page what is drawn now.
   * @param {() => Asked} asked what is searched for now.
   */
  constructor(dialog, page, asked) {
    this.dialog = dialog;
    this.page = page;
    this.asked = asked;
    this.link = /** @type {HTMLInputElement} */ (part(dialog, "link"));
    this.code = /** @type {HTMLTextAreaElement} */ (part(dialog, "code"));
    this.poster = /** @type {HTMLCanvasElement} */ (part(dialog, "poster"));
    closable(dialog);
    this.#on("copy-link", () => this.#copy(this.link.value, this.link));
    this.#on("send-link", () => this.#send());
    this.#on("save-picture", () => this.#save());
    this.#on("copy-curl", () => this.#copy(curl(document.baseURI, this.asked()), this.code));
    this.#on("copy-python", () => this.#copy(python(document.baseURI, this.asked()), this.code));
    part(dialog, "send-link").hidden = !("share" in navigator);
  }

  /**
   * Takes over which photos are shown.
   *
   * @param {Match[]} matches
   */
  found(matches) {
    this.#matches = matches;
    if (this.dialog.open) this.#compose();
  }

  async open() {
    const { picture, strokes } = this.page();
    const text = strokes.length ? await encode(thinned(strokes)).catch(() => null) : "";
    if (this.dialog.open) return;
    const address = new URL(document.baseURI);
    address.search = "";
    address.hash = `${FRAGMENT}${text}`;
    this.link.value = address.href;
    this.code.hidden = true;
    part(this.dialog, "by-link").hidden = !text;
    // A program can send strokes, or the id of a photo, but not an upload of this page.
    const byPhoto = typeof this.asked().photo === "string";
    part(this.dialog, "by-program").hidden = !byPhoto && (picture !== null || !strokes.length);
    part(this.dialog, "upload-note").hidden = !picture;
    this.#say(text === null ? SAY.noLink : "", text === null);
    this.dialog.showModal();
    this.#compose();
  }

  #compose() {
    const matches = this.#matches;
    this.poster.setAttribute("aria-label", SAY.poster(matches.length));
    this.#composed = load(matches).then((photos) => {
      if (matches === this.#matches) compose(this.poster, this.page(), matches, photos);
    });
  }

  /**
   * Copies a text; where the browser does not let scripts do that, people can.
   *
   * @param {string} text
   * @param {HTMLInputElement | HTMLTextAreaElement} field
   */
  async #copy(text, field) {
    try {
      await navigator.clipboard.writeText(text);
      this.#say(SAY.copied);
    } catch {
      field.hidden = false;
      field.value = text;
      field.focus();
      field.select();
      this.#say(SAY.copyByHand);
    }
  }

  async #send() {
    try {
      await navigator.share({ title: document.title, url: this.link.value });
    } catch (error) {
      const { name } = /** @type {Error} */ (error);
      if (name !== "AbortError") this.#say(SAY.notSent, true);
    }
  }

  async #save() {
    await this.#composed;
    this.poster.toBlob((blob) => {
      if (!blob) return this.#say(SAY.notSaved, true);
      const link = document.createElement("a");
      link.href = URL.createObjectURL(blob);
      link.download = "sketchzoo.png";
      link.click();
      // Some browsers fetch it later than the click.
      setTimeout(() => URL.revokeObjectURL(link.href), FETCHED);
      this.#say(SAY.saved);
    }, "image/png");
  }

  /** @param {string} name @param {() => void} act */
  #on(name, act) {
    part(this.dialog, name).addEventListener("click", act);
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
 * The drawing in the address of the page, which it leaves; null where there is none.
 *
 * @returns {Promise<Stroke[] | null>}
 * @throws when the link is damaged.
 */
export async function received() {
  if (!location.hash.startsWith(FRAGMENT)) return null;
  const text = location.hash.slice(FRAGMENT.length);
  history.replaceState(history.state, "", location.pathname + location.search);
  return decode(text);
}

/**
 * How a search is narrowed: by animals, and by photos it should be like or unlike.
 *
 * @typedef {{number: number, id: string, label: string}} Photo
 * @typedef {{photo: number | null, like: number[], unlike: number[], only: string[],
 *   without: string[]}} Narrowed
 * @typedef {{text: string, remove: () => void}} Chip
 */

import { SAY } from "./strings.js";

export class Narrowing {
  /** @type {Photo | null} */
  #photo = null;
  /**
   * Photos by number, in two lists.
   *
   * @type {Map<number, Photo>}
   */
  #like = new Map();
  /** @type {Map<number, Photo>} */
  #unlike = new Map();
  /** @type {Set<string>} */
  #only = new Set();
  /** @type {Set<string>} */
  #without = new Set();

  /**
   * What the server is asked.
   *
   * @returns {Narrowed}
   */
  get query() {
    return {
      photo: this.#photo?.number ?? null,
      like: [...this.#like.keys()],
      unlike: [...this.#unlike.keys()],
      only: [...this.#only],
      without: [...this.#without],
    };
  }

  /** Photos as programs name them: their ids stay when the gallery is indexed again. */
  get ids() {
    return {
      photo: this.#photo?.id ?? null,
      like: [...this.#like.values()].map(({ id }) => id),
      unlike: [...this.#unlike.values()].map(({ id }) => id),
    };
  }

  /** Whether a photo is searched by instead of the drawing. */
  get byPhoto() {
    return this.#photo !== null;
  }

  /**
   * Searches by a photo instead of the drawing.
   *
   * @param {Photo | null} photo
   */
  searchBy(photo) {
    this.#photo = photo;
  }

  /** @param {Photo} photo */
  moreLike(photo) {
    this.#unlike.delete(photo.number);
    this.#like.set(photo.number, photo);
  }

  /** @param {Photo} photo */
  lessLike(photo) {
    this.#like.delete(photo.number);
    this.#unlike.set(photo.number, photo);
  }

  /**
   * Searches among one animal more.
   *
   * @param {string} label
   */
  only(label) {
    this.#without.delete(label);
    this.#only.add(label);
  }

  /**
   * Searches among one animal, or among all.
   *
   * @param {string} label empty for all.
   */
  onlyOne(label) {
    this.#only.clear();
    if (label) this.only(label);
  }

  /**
   * Leaves an animal out.
   *
   * @param {string} label
   */
  without(label) {
    this.#only.delete(label);
    this.#without.add(label);
  }

  /** Takes everything back. */
  clear() {
    this.#photo = null;
    for (const all of [this.#like, this.#unlike, this.#only, this.#without]) all.clear();
  }

  /**
   * What narrows the search, in words, each with the way to take it back.
   *
   * @returns {Chip[]}
   */
  get chips() {
    const by = this.#photo;
    return [
      ...(by ? [{ text: SAY.byPhoto(by.label), remove: () => this.searchBy(null) }] : []),
      ...[...this.#only].map((l) => ({ text: SAY.only(l), remove: () => this.#only.delete(l) })),
      ...[...this.#without].map((l) => ({
        text: SAY.without(l),
        remove: () => this.#without.delete(l),
      })),
      ...[...this.#like.values()].map((p) => ({
        text: SAY.like(p.label),
        remove: () => this.#like.delete(p.number),
      })),
      ...[...this.#unlike.values()].map((p) => ({
        text: SAY.unlike(p.label),
        remove: () => this.#unlike.delete(p.number),
      })),
    ];
  }
}

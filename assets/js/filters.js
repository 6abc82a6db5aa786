/**
 * What narrows a search: animals, and photos that the results should be like or unlike.
 *
 * @typedef {{id: string, label: string}} Photo
 * @typedef {{photo: string | null, like: string[], unlike: string[], only: string[],
 *   without: string[]}} FilterQuery  photos by their id, which stays when the gallery is indexed
 *   again; animals by their label.
 * @typedef {{text: string, remove: () => void}} Filter
 */

import { TEXT } from "./text.js";

export class Filters {
  /** @type {Photo | null} */
  #photo = null;
  /** @type {Map<string, Photo>} */
  #like = new Map();
  /** @type {Map<string, Photo>} */
  #unlike = new Map();
  /** @type {Set<string>} */
  #only = new Set();
  /** @type {Set<string>} */
  #without = new Set();

  /**
   * The filters as the server takes them.
   *
   * @returns {FilterQuery}
   */
  get query() {
    return {
      photo: this.#photo?.id ?? null,
      like: [...this.#like.keys()],
      unlike: [...this.#unlike.keys()],
      only: [...this.#only],
      without: [...this.#without],
    };
  }

  /** Whether the search is by a photo instead of the drawing. */
  get byPhoto() {
    return this.#photo !== null;
  }

  /** The only animal that is searched; empty if there are more, or none. */
  get onlyAnimal() {
    return this.#only.size === 1 ? [...this.#only][0] : "";
  }

  /**
   * Searches by a photo instead of the drawing.
   *
   * @param {Photo | null} photo null for the drawing.
   */
  searchBy(photo) {
    this.#photo = photo;
  }

  /** @param {Photo} photo */
  moreLike(photo) {
    this.#unlike.delete(photo.id);
    this.#like.set(photo.id, photo);
  }

  /** @param {Photo} photo */
  lessLike(photo) {
    this.#like.delete(photo.id);
    this.#unlike.set(photo.id, photo);
  }

  /**
   * Adds an animal to those that are searched.
   *
   * @param {string} label
   */
  only(label) {
    this.#without.delete(label);
    this.#only.add(label);
  }

  /**
   * Searches one animal, or all.
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

  /** Removes all filters. */
  clear() {
    this.#photo = null;
    for (const all of [this.#like, this.#unlike, this.#only, this.#without]) all.clear();
  }

  /**
   * All filters in words, each with a function that removes it.
   *
   * @returns {Filter[]}
   */
  get list() {
    const by = this.#photo;
    return [
      ...(by ? [{ text: TEXT.byPhoto(by.label), remove: () => this.searchBy(null) }] : []),
      ...[...this.#only].map((l) => ({ text: TEXT.only(l), remove: () => this.#only.delete(l) })),
      ...[...this.#without].map((l) => ({
        text: TEXT.without(l),
        remove: () => this.#without.delete(l),
      })),
      ...[...this.#like.values()].map((p) => ({
        text: TEXT.like(p.label),
        remove: () => this.#like.delete(p.id),
      })),
      ...[...this.#unlike.values()].map((p) => ({
        text: TEXT.unlike(p.label),
        remove: () => this.#unlike.delete(p.id),
      })),
    ];
  }
}

/** The photos found, as tiles. A tile stays the same element while the order changes. */

import { part } from "./dom.js";
import { TEXT } from "./text.js";
import { load, reload } from "./thumbnails.js";

/**
 * @typedef {{number: number, id: string, label: string, credit: string, licence: string,
 *   page: string, thumbnail: string, similarity?: number}} Photo  of the gallery; `page` is where it
 *   comes from; `similarity` is missing if it is not known.
 * @typedef {Photo & {similarity: number, rank: number, animal: string}} Match
 */

/** Milliseconds that a photo takes to its new place. */
const MOVE_TIME = 260;

export class Results {
  /** @type {Map<string, HTMLElement>} */
  #tiles = new Map();

  /**
   * @param {HTMLElement} list
   * @param {HTMLTemplateElement} template
   * @param {object} options
   * @param {(match: Match) => void} options.onOpen called when a photo is clicked.
   */
  constructor(list, template, { onOpen }) {
    this.list = list;
    this.template = template;
    this.onOpen = onOpen;
  }

  /**
   * Shows these photos in this order. Photos that are already there move to their new place.
   *
   * @param {Match[]} matches
   * @param {{animal: string, others: string, unlike: boolean}} options  the line `others` comes
   *   after the photos of the animal; `unlike` makes all photos pale.
   */
  show(matches, { animal, others, unlike }) {
    const before = new Map([...this.#tiles.values()].map((t) => [t, t.getBoundingClientRect()]));
    const shown = matches.map((match) => this.#tile(match));
    this.list.dataset.others = others;
    this.list.classList.toggle("unlike", unlike);
    for (const [i, tile] of shown.entries()) {
      tile.classList.toggle("other", others !== "" && matches[i].animal !== animal);
    }
    const focused = [...this.list.children].findIndex((t) => t.contains(document.activeElement));
    const tile = this.list.children[focused];
    this.list.replaceChildren(...shown);
    if (tile) this.#focus(shown.includes(/** @type {HTMLElement} */ (tile)) ? tile : shown[focused]);
    this.#tiles = new Map(matches.map((match, i) => [match.thumbnail, shown[i]]));
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    for (const each of shown) animate(each, before.get(each));
  }

  /**
   * Gives the focus back to a tile that has moved, or to the one that took its place.
   *
   * @param {Element | undefined} tile
   */
  #focus(tile) {
    if (tile) part(/** @type {HTMLElement} */ (tile), "open").focus({ preventScroll: true });
  }

  /** @param {Match} match */
  #tile(match) {
    const tile = this.#tiles.get(match.thumbnail) ?? this.#newTile(match);
    reload(/** @type {HTMLImageElement} */ (part(tile, "photo")));
    part(tile, "rank").textContent = String(match.rank);
    part(tile, "similarity").textContent = TEXT.percent(match.similarity);
    const open = part(tile, "open");
    open.setAttribute("aria-label", TEXT.open(match.label, match.rank));
    open.onclick = () => this.onOpen(match);
    return tile;
  }

  /** @param {Match} match */
  #newTile(match) {
    const copy = /** @type {DocumentFragment} */ (this.template.content.cloneNode(true));
    const tile = /** @type {HTMLElement} */ (copy.firstElementChild);
    const image = /** @type {HTMLImageElement} */ (part(tile, "photo"));
    load(image, match.thumbnail);
    image.alt = match.label;
    part(tile, "label").textContent = match.label;
    tile.title = [match.label, match.credit, match.licence].filter(Boolean).join(" · ");
    return tile;
  }
}

/**
 * Moves a tile from its old place to its new one, or fades it in if it is new.
 *
 * @param {HTMLElement} tile
 * @param {DOMRect | undefined} from
 */
function animate(tile, from) {
  const to = tile.getBoundingClientRect();
  if (!from) tile.animate([{ opacity: 0 }, { opacity: 1 }], MOVE_TIME);
  else if (from.x !== to.x || from.y !== to.y) {
    const start = `translate(${from.x - to.x}px, ${from.y - to.y}px)`;
    tile.animate([{ transform: start }, { transform: "none" }], {
      duration: MOVE_TIME,
      easing: "cubic-bezier(.2, .8, .2, 1)",
    });
  }
}

/** The photos that were found, as tiles that are kept while their order changes. */

import { SAY } from "./strings.js";

/**
 * @typedef {{number: number, id: string, label: string, credit: string, licence: string,
 *   page: string, thumbnail: string, similarity?: number}} Photo  of the gallery; `page` is where it
 *   comes from, and how similar it is is told only where that is known.
 * @typedef {Photo & {similarity: number, rank: number, animal: string}} Match
 */

/** Milliseconds that a photo takes to its new place. */
const MOVE = 260;

export class Gallery {
  /** @type {Map<string, HTMLElement>} */
  #tiles = new Map();

  /**
   * @param {HTMLElement} list
   * @param {HTMLTemplateElement} template
   * @param {(match: Match) => void} opened when a photo is clicked.
   */
  constructor(list, template, opened) {
    this.list = list;
    this.template = template;
    this.opened = opened;
  }

  /**
   * Shows these photos in this order. Those that are there already move to their new place.
   *
   * @param {Match[]} matches
   * @param {{animal: string, others: string}} parts a line comes after the photos of the animal.
   */
  show(matches, { animal, others }) {
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const before = new Map([...this.#tiles.values()].map((t) => [t, t.getBoundingClientRect()]));
    const shown = matches.map((match) => this.#tile(match));
    this.list.dataset.others = others;
    for (const [i, tile] of shown.entries()) {
      tile.classList.toggle("other", others !== "" && matches[i].animal !== animal);
    }
    const focused = [...this.list.children].findIndex((t) => t.contains(document.activeElement));
    const tile = this.list.children[focused];
    this.list.replaceChildren(...shown);
    if (tile) this.#focus(shown.includes(/** @type {HTMLElement} */ (tile)) ? tile : shown[focused]);
    this.#tiles = new Map(matches.map((match, i) => [match.thumbnail, shown[i]]));
    if (still) return;
    for (const tile of shown) {
      const [from, to] = [before.get(tile), tile.getBoundingClientRect()];
      if (!from) tile.animate([{ opacity: 0 }, { opacity: 1 }], MOVE);
      else if (from.x !== to.x || from.y !== to.y) {
        const there = `translate(${from.x - to.x}px, ${from.y - to.y}px)`;
        tile.animate([{ transform: there }, { transform: "none" }], {
          duration: MOVE,
          easing: "cubic-bezier(.2, .8, .2, 1)",
        });
      }
    }
  }

  /**
   * Gives the focus back that a tile has lost by being moved, or that a photo had in its place.
   *
   * @param {Element | undefined} tile
   */
  #focus(tile) {
    if (tile) part(/** @type {HTMLElement} */ (tile), "open").focus({ preventScroll: true });
  }

  /** @param {Match} match */
  #tile(match) {
    const known = this.#tiles.get(match.thumbnail);
    const tile = known ?? this.#newTile(match);
    part(tile, "rank").textContent = String(match.rank);
    part(tile, "similarity").textContent = SAY.percent(match.similarity);
    const open = part(tile, "open");
    open.setAttribute("aria-label", SAY.open(match.label, match.rank));
    open.onclick = () => this.opened(match);
    return tile;
  }

  /** @param {Match} match */
  #newTile(match) {
    const copy = /** @type {DocumentFragment} */ (this.template.content.cloneNode(true));
    const tile = /** @type {HTMLElement} */ (copy.firstElementChild);
    const image = /** @type {HTMLImageElement} */ (part(tile, "photo"));
    image.src = match.thumbnail;
    image.alt = match.label;
    part(tile, "label").textContent = match.label;
    tile.title = [match.label, match.credit, match.licence].filter(Boolean).join(" · ");
    return tile;
  }
}

/**
 * Who made these photos and on what terms, each once.
 *
 * @param {Match[]} matches
 */
export function terms(matches) {
  const all = matches.map(({ credit, licence }) => [credit, licence].filter(Boolean).join(", "));
  return [...new Set(all)].filter(Boolean);
}

/**
 * The element with this data-part.
 *
 * @param {HTMLElement} root
 * @param {string} name
 */
export function part(root, name) {
  return /** @type {HTMLElement} */ (root.querySelector(`[data-part="${name}"]`));
}

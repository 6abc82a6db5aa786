/** The photos that were found, as tiles that are kept while their order changes. */

/**
 * @typedef {{number: number, label: string, distance: number, rank: number, credit: string,
 *   licence: string, thumbnail: string}} Match
 */

export class Gallery {
  /** @type {Map<string, HTMLElement>} */
  #tiles = new Map();

  /** @param {HTMLElement} list @param {HTMLTemplateElement} template */
  constructor(list, template) {
    this.list = list;
    this.template = template;
  }

  /** Shows these photos in this order. @param {Match[]} matches */
  show(matches) {
    const shown = matches.map((match) => this.#tile(match));
    this.list.replaceChildren(...shown);
    this.#tiles = new Map(matches.map((match, i) => [match.thumbnail, shown[i]]));
  }

  /** @param {Match} match */
  #tile(match) {
    const known = this.#tiles.get(match.thumbnail);
    const tile = known ?? this.#newTile(match);
    part(tile, "rank").textContent = String(match.rank);
    part(tile, "distance").textContent = match.distance.toFixed(2);
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

/** The element with this data-part. @param {HTMLElement} root @param {string} name */
export function part(root, name) {
  return /** @type {HTMLElement} */ (root.querySelector(`[data-part="${name}"]`));
}

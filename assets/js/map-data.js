/** The photos of the map as the server sends them. */

import { median } from "./map-layout.js";

/** @typedef {import("./results.js").Photo} Photo */
/** @typedef {import("./map-layout.js").Spot} Spot */
/**
 * @typedef {[number, number, number, number, number]} Dot  x and y from 0 to 1, the index of its
 *   label, the index of its credit, licence and page, and the number of the photo.
 * @typedef {{gallery: string, version: string, labels: string[], terms: [string, string, string][],
 *   ids: string[], photos: Dot[]}} MapData
 * @typedef {{label: string, middle: Spot, photos: number}} Animal  `middle`: the median of its dots.
 */

/**
 * @param {string} url
 * @returns {Promise<MapData | null>} null if it cannot be loaded.
 */
export function fetchMap(url) {
  return fetch(new URL(url, document.baseURI))
    .then((answer) => (answer.ok ? answer.json() : null))
    .catch(() => null);
}

/**
 * The animals of a map, in the order of its labels.
 *
 * @param {MapData} data
 * @returns {Animal[]}
 */
export function animalsOf({ labels, photos }) {
  /** @type {Spot[][]} */
  const spots = labels.map(() => []);
  for (const [x, y, label] of photos) spots[label].push([x, y]);
  return labels.map((label, i) => ({ label, middle: median(spots[i]), photos: spots[i].length }));
}

/**
 * The photo of a dot.
 *
 * @param {MapData} data
 * @param {number} index of the dot.
 * @returns {Photo}
 */
export function photoOf({ gallery, version, labels, terms, ids, photos }, index) {
  const [, , label, term, number] = photos[index];
  const [credit, licence, page] = terms[term];
  const thumbnail = `thumbnails/${number}?gallery=${encodeURIComponent(gallery)}&v=${version}`;
  return { number, id: ids[index], label: labels[label], credit, licence, page, thumbnail };
}

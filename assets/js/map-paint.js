/** Paints the dots and labels of the map. */

import { colour, fitLabels } from "./map-layout.js";

/** @typedef {import("./map-data.js").Animal} Animal */
/** @typedef {import("./map-data.js").Dot} Dot */
/** @typedef {import("./map-layout.js").Box} Box */
/** @typedef {import("./map-layout.js").Pin} Pin */
/** @typedef {import("./map-layout.js").Spot} Spot */

/**
 * The radius of dots in pixels: smaller for more photos, or for less room.
 *
 * @param {number} photos
 * @param {number} area in square pixels.
 */
export function dotRadius(photos, area) {
  return Math.min(5, Math.max(1.5, 0.12 * Math.sqrt(area / photos)));
}

/**
 * Paints all dots, in the colour of their animal.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Spot[]} spots in pixels.
 * @param {object} options
 * @param {Dot[]} options.photos
 * @param {Animal[]} options.animals
 * @param {number} options.radius
 * @param {boolean} options.isDark
 */
export function paintDots(context, spots, { photos, animals, radius, isDark }) {
  const colours = animals.map(({ middle }) => colour(middle, isDark));
  context.globalAlpha = 0.85;
  for (const [i, [x, y]] of spots.entries()) {
    context.fillStyle = colours[photos[i][2]];
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.fill();
  }
}

/**
 * Marks the dots of the nearest photos, with a line to each pin that had to move aside.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Spot[]} spots in pixels.
 * @param {Pin[]} pins of the spots.
 * @param {number} radius of the dots.
 */
export function paintStems(context, spots, pins, radius) {
  const style = getComputedStyle(context.canvas);
  context.strokeStyle = style.getPropertyValue("--soft");
  for (const [i, [x, y]] of spots.entries()) {
    const pin = pins[i];
    context.beginPath();
    context.lineWidth = 2;
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.stroke();
    if (!pin.shown) continue;
    context.beginPath();
    context.lineWidth = 1;
    context.moveTo(x, y);
    context.lineTo(pin.x, pin.y);
    context.stroke();
  }
}

/**
 * Paints the names of animals that fit: first those that were found, in bold, then those with the
 * most photos.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Animal[]} animals
 * @param {object} options
 * @param {Set<string>} options.found labels of the nearest photos.
 * @param {(place: Spot) => Spot} options.toPixels
 * @param {number} options.radius of the dots.
 * @param {Box[]} options.taken boxes that stay free.
 * @param {Box} options.plane
 */
export function paintLabels(context, animals, { found, toPixels, radius, taken, plane }) {
  const style = getComputedStyle(context.canvas);
  const font = (/** @type {string} */ text) =>
    `${found.has(text) ? 700 : 500} 12.5px ${style.fontFamily}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  const above = radius + 9;
  const boxes = animals.map(({ label: text, middle, photos }) => {
    const [x, y] = toPixels(middle);
    context.font = font(text);
    const width = context.measureText(text).width + 6;
    const weight = found.has(text) ? Infinity : photos;
    return { text, weight, x, y: y - above, width, height: 14 };
  });
  boxes.sort((a, b) => (a.weight < b.weight ? 1 : a.weight > b.weight ? -1 : 0));
  context.lineJoin = "round";
  context.lineWidth = 4;
  context.strokeStyle = style.getPropertyValue("--card");
  for (const { text, x, y } of fitLabels(boxes, taken, plane)) {
    context.font = font(text);
    context.globalAlpha = 0.75;
    context.strokeText(text, x, y);
    context.globalAlpha = 1;
    context.fillStyle = style.getPropertyValue(found.has(text) ? "--ink" : "--soft");
    context.fillText(text, x, y);
  }
}

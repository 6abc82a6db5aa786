/** The drawing and the photos found as one picture, with the credits below. */

import { creditsOf } from "./credits.js";
import { context2d } from "./dom.js";
import { paintPage } from "./paint.js";
import { TEXT } from "./text.js";

/** @typedef {import("./drawing.js").Page} Page */
/** @typedef {import("./results.js").Match} Match */

/** Lengths in pixels. `SKETCH` is the side of the drawing, `PHOTOS` the width of all photos. */
const MARGIN = 48;
const HEAD = 84;
const GAP = 16;
const CAPTION = 30;
const SKETCH = 680;
const PHOTOS = 784;
const LINE = 24;

/** A picture leaves the page, so it is always light. */
const COLOURS = {
  ground: "#f3ede1",
  paper: "#fffdf8",
  line: "#ddd3c0",
  ink: "#25231f",
  soft: "#6a6355",
  accent: "#c4491d",
};

/**
 * The photos of matches; null for those that cannot be loaded.
 *
 * @param {Match[]} matches
 */
export function loadPhotos(matches) {
  return Promise.all(matches.map(({ thumbnail }) => loadImage(thumbnail)));
}

/**
 * Paints the picture on a canvas, and sets the canvas's size.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {Page} page
 * @param {Match[]} matches
 * @param {(HTMLImageElement | null)[]} photos of the matches.
 */
export function compose(canvas, page, matches, photos) {
  const context = context2d(canvas);
  const family = getComputedStyle(canvas).fontFamily;
  const layout = grid(matches.length);
  const width = 2 * MARGIN + SKETCH + (matches.length ? MARGIN + PHOTOS : 0);
  const creditFont = `17px ${family}`;
  context.font = creditFont;
  const named = creditsOf(matches);
  const credits = named.length
    ? wrap(TEXT.credits(named), (text) => context.measureText(text).width, width - 2 * MARGIN)
    : [];
  const below = HEAD + Math.max(SKETCH, layout.height) + MARGIN / 2;
  canvas.width = width;
  canvas.height = below + MARGIN / 2 + LINE * credits.length;

  context.fillStyle = COLOURS.ground;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.textBaseline = "middle";
  paintText(context, "SketchZoo", MARGIN, HEAD / 2 + 4, `800 32px ${family}`, COLOURS.ink);
  paintCard(context, MARGIN, HEAD, SKETCH, 24, COLOURS.paper);
  context.drawImage(sketch(page), MARGIN, HEAD);
  for (const [i, match] of matches.entries()) {
    paintMatch(context, match, photos[i], { ...layout, index: i, family });
  }
  for (const [i, line] of credits.entries()) {
    paintText(context, line, MARGIN, below + LINE * (i + 0.5), creditFont, COLOURS.soft);
  }
}

/**
 * A photo on its card, with rank and label below.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Match} match
 * @param {HTMLImageElement | null} photo
 * @param {{columns: number, tile: number, index: number, family: string}} options
 */
function paintMatch(context, { rank, label }, photo, { columns, tile, index, family }) {
  const x = 2 * MARGIN + SKETCH + (index % columns) * (tile + GAP);
  const y = HEAD + Math.floor(index / columns) * (tile + CAPTION + GAP);
  paintCard(context, x, y, tile, 12, "#fff");
  if (photo) {
    const scale = (tile - 12) / Math.max(photo.width, photo.height);
    const [w, h] = [photo.width * scale, photo.height * scale];
    context.drawImage(photo, x + (tile - w) / 2, y + (tile - h) / 2, w, h);
  }
  const size = Math.min(19, 12 + tile / 24);
  const [number, middle] = [`${rank} `, y + tile + CAPTION / 2 + 2];
  paintText(context, number, x + 2, middle, `700 ${size}px ${family}`, COLOURS.accent);
  const start = x + 4 + context.measureText(number).width;
  context.font = `${size}px ${family}`;
  const name = clip(label, (part) => context.measureText(part).width, x + tile - start);
  paintText(context, name, start, middle, context.font, COLOURS.ink);
}

/**
 * How photos are laid out beside the drawing, about as high as it.
 *
 * @param {number} count
 * @returns {{columns: number, tile: number, height: number}} tile: the side of a photo.
 */
export function grid(count) {
  if (!count) return { columns: 1, tile: 0, height: 0 };
  const columns = Math.ceil(Math.sqrt((count * 4) / 3));
  const rows = Math.ceil(count / columns);
  const tile = Math.floor((PHOTOS - GAP * (columns - 1)) / columns);
  return { columns, tile, height: rows * (tile + CAPTION) + (rows - 1) * GAP };
}

/**
 * Breaks a text into lines of at most this width.
 *
 * @param {string} text
 * @param {(text: string) => number} measure
 * @param {number} width
 */
export function wrap(text, measure, width) {
  /** @type {string[]} */
  const lines = [];
  for (const word of text.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`;
    if (lines.length && measure(longer) <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

/**
 * A text, cut with an ellipsis if it is wider than this.
 *
 * @param {string} whole
 * @param {(text: string) => number} measure
 * @param {number} width
 */
export function clip(whole, measure, width) {
  let part = whole;
  while (part && measure(part === whole ? whole : `${part}…`) > width) part = part.slice(0, -1);
  return part === whole ? whole : `${part.trimEnd()}…`;
}

/**
 * The drawing on a transparent canvas: erased ink leaves nothing behind.
 *
 * @param {Page} page
 */
function sketch(page) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SKETCH;
  paintPage(context2d(canvas), page, SKETCH);
  return canvas;
}

/**
 * An image, or null if it cannot be loaded.
 *
 * @param {string} url
 */
async function loadImage(url) {
  const image = new Image();
  image.src = url;
  return image.decode().then(
    () => image,
    () => null,
  );
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} x @param {number} y @param {number} side @param {number} radius
 * @param {string} colour
 */
function paintCard(context, x, y, side, radius, colour) {
  context.beginPath();
  context.roundRect(x + 0.5, y + 0.5, side - 1, side - 1, radius);
  context.fillStyle = colour;
  context.fill();
  context.strokeStyle = COLOURS.line;
  context.lineWidth = 1;
  context.stroke();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {string} text @param {number} x @param {number} y
 * @param {string} font @param {string} colour
 */
function paintText(context, text, x, y, font, colour) {
  context.font = font;
  context.fillStyle = colour;
  context.fillText(text, x, y);
}

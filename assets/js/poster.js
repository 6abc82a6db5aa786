/** The drawing and the photos that were found as one picture, with who made them. */

import { terms } from "./gallery.js";
import { paintPage } from "./pad.js";
import { SAY } from "./strings.js";

/** @typedef {import("./drawing.js").Page} Page */
/** @typedef {import("./gallery.js").Match} Match */

/** Pixels. */
const MARGIN = 48;
const HEAD = 84;
const GAP = 16;
const CAPTION = 30;
const SKETCH = 680;
const PHOTOS = 784;
const LINE = 24;

/** A picture leaves the page, so it has its light colours always. */
const COLOURS = {
  ground: "#f3ede1",
  paper: "#fffdf8",
  line: "#ddd3c0",
  ink: "#25231f",
  soft: "#6a6355",
  accent: "#c4491d",
};

/**
 * The photos of matches; null for those that do not come.
 *
 * @param {Match[]} matches
 */
export function load(matches) {
  return Promise.all(matches.map(({ thumbnail }) => loaded(thumbnail)));
}

/**
 * Paints the picture on a canvas, which gets the size for it.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {Page} page
 * @param {Match[]} matches
 * @param {(HTMLImageElement | null)[]} photos of them.
 */
export function compose(canvas, page, matches, photos) {
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const family = getComputedStyle(canvas).fontFamily;
  const { columns, tile, height } = grid(matches.length);
  const width = 2 * MARGIN + SKETCH + (matches.length ? MARGIN + PHOTOS : 0);
  context.font = `17px ${family}`;
  const named = terms(matches);
  const credits = named.length
    ? wrap(SAY.credits(named), (text) => context.measureText(text).width, width - 2 * MARGIN)
    : [];
  const below = HEAD + Math.max(SKETCH, height) + MARGIN / 2;
  canvas.width = width;
  canvas.height = below + MARGIN / 2 + LINE * credits.length;

  context.fillStyle = COLOURS.ground;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.textBaseline = "middle";
  text(context, "SketchZoo", MARGIN, HEAD / 2 + 4, `800 32px ${family}`, COLOURS.ink);
  card(context, MARGIN, HEAD, SKETCH, 24, COLOURS.paper);
  context.drawImage(sketch(page), MARGIN, HEAD);

  const size = Math.min(19, 12 + tile / 24);
  for (const [i, { rank, label }] of matches.entries()) {
    const x = 2 * MARGIN + SKETCH + (i % columns) * (tile + GAP);
    const y = HEAD + Math.floor(i / columns) * (tile + CAPTION + GAP);
    card(context, x, y, tile, 12, "#fff");
    const photo = photos[i];
    if (photo) {
      const scale = (tile - 12) / Math.max(photo.width, photo.height);
      const [w, h] = [photo.width * scale, photo.height * scale];
      context.drawImage(photo, x + (tile - w) / 2, y + (tile - h) / 2, w, h);
    }
    const [at, middle] = [`${rank} `, y + tile + CAPTION / 2 + 2];
    text(context, at, x + 2, middle, `700 ${size}px ${family}`, COLOURS.accent);
    const start = x + 4 + context.measureText(at).width;
    context.font = `${size}px ${family}`;
    const name = clip(label, (part) => context.measureText(part).width, x + tile - start);
    text(context, name, start, middle, context.font, COLOURS.ink);
  }
  for (const [i, line] of credits.entries()) {
    text(context, line, MARGIN, below + LINE * (i + 0.5), `17px ${family}`, COLOURS.soft);
  }
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
 * Words in lines that are no wider than this.
 *
 * @param {string} words
 * @param {(text: string) => number} measure
 * @param {number} width
 */
export function wrap(words, measure, width) {
  /** @type {string[]} */
  const lines = [];
  for (const word of words.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`;
    if (lines.length && measure(longer) <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

/**
 * A text, or as much of it as this width takes.
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
 * The drawing alone: where ink is erased, nothing is left.
 *
 * @param {Page} page
 */
function sketch(page) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SKETCH;
  paintPage(/** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d")), page, SKETCH);
  return canvas;
}

/**
 * A photo, or null where it does not come.
 *
 * @param {string} address
 */
async function loaded(address) {
  const image = new Image();
  image.src = address;
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
function card(context, x, y, side, radius, colour) {
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
 * @param {string} words @param {number} x @param {number} y
 * @param {string} font @param {string} colour
 */
function text(context, words, x, y, font, colour) {
  context.font = font;
  context.fillStyle = colour;
  context.fillText(words, x, y);
}

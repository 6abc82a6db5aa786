/** Which parts of a drawing and of a photo made them match, as warm colours laid over both. */

import { context2d } from "./dom.js";

/**
 * @typedef {number[][]} Grid  what each part adds to the similarity, by row and column.
 * @typedef {{left: number, top: number, width: number, height: number}} Rectangle
 */

const WARM = [226, 64, 12];

/**
 * Opacities of a grid: 0 for parts that add no more than the mean, 1 for the part that adds most.
 *
 * @param {Grid} grid
 */
export function opacities(grid) {
  const parts = grid.flat();
  const mean = parts.reduce((sum, value) => sum + value, 0) / parts.length;
  const most = Math.max(...parts) - mean;
  return grid.map((row) => row.map((value) => (most > 0 ? Math.max(0, (value - mean) / most) : 0)));
}

/**
 * Where a picture lies that is fitted into a box and keeps its proportions.
 *
 * @param {{width: number, height: number}} box
 * @param {{width: number, height: number}} picture
 * @returns {Rectangle}
 */
export function fit(box, picture) {
  const scale = Math.min(box.width / picture.width, box.height / picture.height);
  const [width, height] = [picture.width * scale, picture.height * scale];
  return { left: (box.width - width) / 2, top: (box.height - height) / 2, width, height };
}

/**
 * Paints a heatmap over a part of a canvas.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Grid} grid
 * @param {Rectangle} rectangle in device pixels.
 */
export function paintHeatmap(context, grid, { left, top, width, height }) {
  const small = document.createElement("canvas");
  [small.width, small.height] = [grid[0].length, grid.length];
  const pixels = new ImageData(small.width, small.height);
  for (const [i, opacity] of opacities(grid).flat().entries()) {
    pixels.data.set([...WARM, Math.round(opacity ** 1.4 * 215)], 4 * i);
  }
  context2d(small).putImageData(pixels, 0, 0);
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = "high";
  context.drawImage(small, left, top, width, height);
}

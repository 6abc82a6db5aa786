/** Which parts of a drawing and of a photo made them match, as warmth laid over both. */

/**
 * @typedef {number[][]} Grid  what each part contributes to the similarity, by row and column.
 * @typedef {{left: number, top: number, width: number, height: number}} Place
 */

const WARM = [226, 64, 12];

/**
 * Opacities for a grid: 0 for what contributes no more than a part does on average, 1 for the most.
 *
 * @param {Grid} grid
 */
export function warmth(grid) {
  const parts = grid.flat();
  const mean = parts.reduce((sum, value) => sum + value, 0) / parts.length;
  const most = Math.max(...parts) - mean;
  return grid.map((row) => row.map((value) => (most > 0 ? Math.max(0, (value - mean) / most) : 0)));
}

/**
 * Where a picture lies that is fitted into a box, with its proportions kept.
 *
 * @param {{width: number, height: number}} box
 * @param {{width: number, height: number}} picture
 * @returns {Place}
 */
export function fitted(box, picture) {
  const scale = Math.min(box.width / picture.width, box.height / picture.height);
  const [width, height] = [picture.width * scale, picture.height * scale];
  return { left: (box.width - width) / 2, top: (box.height - height) / 2, width, height };
}

/**
 * Lays warmth over a part of a canvas.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Grid} grid
 * @param {Place} place in device pixels.
 */
export function paintHeat(context, grid, place) {
  const small = document.createElement("canvas");
  [small.width, small.height] = [grid[0].length, grid.length];
  const pixels = new ImageData(small.width, small.height);
  for (const [i, share] of warmth(grid).flat().entries()) {
    pixels.data.set([...WARM, Math.round(share ** 1.4 * 215)], 4 * i);
  }
  /** @type {CanvasRenderingContext2D} */ (small.getContext("2d")).putImageData(pixels, 0, 0);
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = "high";
  context.drawImage(small, place.left, place.top, place.width, place.height);
}

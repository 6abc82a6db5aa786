/** Drawings with no more points than an eye can tell apart, nor than the server takes. */

import { MAX_POINTS, MAX_STROKES } from "./link.js";

/** @typedef {import("./drawing.js").Point} Point */
/** @typedef {import("./drawing.js").Stroke} Stroke */

/** Distance between points that are kept, as a share of the page's side: half a pixel or so. */
export const NEAR = 0.001;

/** Difference of pressure from which a point is kept wherever it is. */
const PRESSED = 0.1;

/**
 * Of some points, those that are not beside the one before.
 *
 * @param {Point} last the point before them.
 * @param {Point[]} points
 * @param {number} [near] distance that they keep.
 * @returns {Point[]}
 */
export function spaced(last, points, near = NEAR) {
  return points.filter((point) => {
    const isFar = Math.hypot(point[0] - last[0], point[1] - last[1]) >= near;
    if (!isFar && Math.abs((point[2] ?? 1) - (last[2] ?? 1)) < PRESSED) return false;
    last = point;
    return true;
  });
}

/**
 * The same drawing within the server's limits. Where there are too many points, all strokes lose
 * some; where there are too many strokes, those with the least ink go.
 *
 * @param {Stroke[]} strokes
 * @returns {Stroke[]} the same list where it is within the limits.
 */
export function thinned(strokes) {
  let kept = strokes;
  if (kept.length > MAX_STROKES) {
    const heaviest = [...kept].sort((a, b) => ink(b) - ink(a)).slice(0, MAX_STROKES);
    const chosen = new Set(heaviest);
    kept = kept.filter((stroke) => chosen.has(stroke));
  }
  for (let near = 2 * NEAR; count(kept) > MAX_POINTS; near *= 2) {
    kept = kept.map((stroke) => ({ ...stroke, points: thin(stroke.points, near) }));
  }
  return kept;
}

/**
 * A line with fewer points, and the same ends.
 *
 * @param {Point[]} points
 * @param {number} near
 * @returns {Point[]}
 */
function thin([first, ...rest], near) {
  const last = rest.pop();
  return [first, ...spaced(first, rest, near), ...(last ? [last] : [])];
}

/** @param {Stroke[]} strokes */
function count(strokes) {
  return strokes.reduce((sum, { points }) => sum + points.length, 0);
}

/**
 * About the area that a stroke covers.
 *
 * @param {Stroke} stroke
 */
function ink({ width, points }) {
  let way = width;
  for (let i = 1; i < points.length; i++) {
    way += Math.hypot(points[i][0] - points[i - 1][0], points[i][1] - points[i - 1][1]);
  }
  return width * way;
}

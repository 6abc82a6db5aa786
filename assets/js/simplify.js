/** Removes points and strokes that nobody can see, or that the server does not accept. */

import { MAX_POINTS, MAX_STROKES } from "./link.js";

/** @typedef {import("./drawing.js").Point} Point */
/** @typedef {import("./drawing.js").Stroke} Stroke */

/** Least distance between points, as a share of the page's side: about half a pixel. */
export const MIN_DISTANCE = 0.001;

/** Difference of pressure from which a point is kept wherever it is. */
const MIN_PRESSURE_CHANGE = 0.1;

/**
 * The points that are not too close to the one before.
 *
 * @param {Point} last the point before them.
 * @param {Point[]} points
 * @param {number} [distance] least distance between two of them.
 * @returns {Point[]}
 */
export function dropClosePoints(last, points, distance = MIN_DISTANCE) {
  return points.filter((point) => {
    const isFar = Math.hypot(point[0] - last[0], point[1] - last[1]) >= distance;
    const change = Math.abs((point[2] ?? 1) - (last[2] ?? 1));
    if (!isFar && change < MIN_PRESSURE_CHANGE) return false;
    last = point;
    return true;
  });
}

/**
 * The same drawing within the server's limits. If there are too many points, all strokes lose
 * some. If there are too many strokes, those with the least ink are left out.
 *
 * @param {Stroke[]} strokes
 * @returns {Stroke[]} the same list if it is within the limits.
 */
export function simplify(strokes) {
  let kept = strokes;
  if (kept.length > MAX_STROKES) {
    const heaviest = [...kept].sort((a, b) => ink(b) - ink(a)).slice(0, MAX_STROKES);
    const chosen = new Set(heaviest);
    kept = kept.filter((stroke) => chosen.has(stroke));
  }
  for (let distance = 2 * MIN_DISTANCE; countPoints(kept) > MAX_POINTS; distance *= 2) {
    kept = kept.map((stroke) => ({ ...stroke, points: simplifyLine(stroke.points, distance) }));
  }
  return kept;
}

/**
 * A line with fewer points and the same ends.
 *
 * @param {Point[]} points
 * @param {number} distance
 * @returns {Point[]}
 */
function simplifyLine([first, ...rest], distance) {
  const last = rest.pop();
  return [first, ...dropClosePoints(first, rest, distance), ...(last ? [last] : [])];
}

/** @param {Stroke[]} strokes */
function countPoints(strokes) {
  return strokes.reduce((sum, { points }) => sum + points.length, 0);
}

/**
 * Roughly the area that a stroke covers.
 *
 * @param {Stroke} stroke
 */
function ink({ width, points }) {
  let length = width;
  for (let i = 1; i < points.length; i++) {
    length += Math.hypot(points[i][0] - points[i - 1][0], points[i][1] - points[i - 1][1]);
  }
  return width * length;
}

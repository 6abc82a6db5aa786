/**
 * The geometry of the map.
 *
 * @typedef {[number, number]} Spot  x to the right and y downwards.
 * @typedef {{x: number, y: number, width: number, height: number}} Box  x and y of its middle.
 * @typedef {Box & {shown: boolean}} Pin  a small photo; hidden if there is no room.
 */

/** Sizes that are tried for a pin, as shares of its full size. */
const SIZES = [1, 0.75, 0.55];

/** Distances from its spot that are tried for a pin, as shares of its side. */
const SHIFTS = [0, 0.6, 0.85, 1.15, 1.5, 1.9, 2.4];

/** Directions that are tried at each distance. */
const DIRECTIONS = 12;

/** Space between two things on the map, in pixels. */
const GAP = 3;

/**
 * A function from places on the map, 0 to 1, to pixels. It scales the map so that all places just fit
 * between the margins.
 *
 * @param {Spot[]} places
 * @param {number} width
 * @param {number} height
 * @param {number} margin
 * @returns {(place: Spot) => Spot}
 */
export function fitPlane(places, width, height, margin) {
  const low = [Infinity, Infinity];
  const high = [-Infinity, -Infinity];
  for (const place of places) {
    for (const i of [0, 1]) {
      low[i] = Math.min(low[i], place[i]);
      high[i] = Math.max(high[i], place[i]);
    }
  }
  const scale = Math.min(
    (width - 2 * margin) / (high[0] - low[0] || 1),
    (height - 2 * margin) / (high[1] - low[1] || 1),
  );
  return ([x, y]) => [
    width / 2 + scale * (x - (low[0] + high[0]) / 2),
    height / 2 + scale * (y - (low[1] + high[1]) / 2),
  ];
}

/**
 * The median of x and of y, which a few far spots do not move.
 *
 * @param {Spot[]} spots at least one.
 * @returns {Spot}
 */
export function median(spots) {
  const middle = (/** @type {0 | 1} */ i) => {
    const sorted = spots.map((spot) => spot[i]).sort((a, b) => a - b);
    const half = sorted.length >> 1;
    return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  };
  return [middle(0), middle(1)];
}

/**
 * The colour of a place: from dark blue on the left through red to light yellow on the right.
 * Lightness and the balance of blue and yellow change along with the hue, so that people with all
 * kinds of colour vision can follow it.
 *
 * @param {Spot} place x and y from 0 to 1.
 * @param {boolean} isDark whether the background is dark.
 */
export function colour([x, y], isDark) {
  const light = (isDark ? 0.6 : 0.48) + 0.2 * x;
  const hue = (265 + 180 * x + 30 * (y - 0.5)) % 360;
  return `oklch(${light.toFixed(3)} 0.115 ${hue.toFixed(0)})`;
}

/**
 * Whether two boxes overlap, or are closer than the gap.
 *
 * @param {Box} a
 * @param {Box} b
 */
export function overlap(a, b) {
  return (
    Math.abs(a.x - b.x) < (a.width + b.width) / 2 + GAP &&
    Math.abs(a.y - b.y) < (a.height + b.height) / 2 + GAP
  );
}

/**
 * A small photo at each spot, the first spots first. If something is in the way, the photo moves
 * away from the ring, or shrinks. Without any room it is hidden.
 *
 * @param {Spot[]} spots
 * @param {object} options
 * @param {number} options.side of the first pin in pixels; the others are smaller.
 * @param {Box} options.ring stays free.
 * @param {Box} options.plane all pins stay inside.
 * @param {Box[]} [options.taken] stay free, too.
 * @returns {Pin[]} one for each spot.
 */
export function placePins(spots, { side, ring, plane, taken = [] }) {
  const boxes = [ring, ...taken];
  return spots.map((spot, rank) => {
    const full = side * (rank === 0 ? 1 : rank < 4 ? 0.85 : 0.7);
    const box = SIZES.map((size) => findRoom(spot, full * size, ring, plane, boxes)).find(Boolean);
    if (!box) return { x: spot[0], y: spot[1], width: 0, height: 0, shown: false };
    boxes.push(box);
    return { ...box, shown: true };
  });
}

/**
 * @param {Spot} spot
 * @param {number} side
 * @param {Box} ring
 * @param {Box} plane
 * @param {Box[]} taken
 * @returns {Box | undefined}
 */
function findRoom([x, y], side, ring, plane, taken) {
  const away = Math.atan2(y - ring.y, x - ring.x);
  for (const shift of SHIFTS) {
    for (let i = 0; i < (shift ? DIRECTIONS : 1); i++) {
      // 0, 1, -1, 2, -2 ... steps from straight away.
      const turn = ((i % 2 ? 1 : -1) * Math.ceil(i / 2) * 2 * Math.PI) / DIRECTIONS;
      const box = {
        x: x + shift * side * Math.cos(away + turn),
        y: y + shift * side * Math.sin(away + turn),
        width: side,
        height: side,
      };
      if (isInside(box, plane) && !taken.some((other) => overlap(box, other))) return box;
    }
  }
}

/**
 * The labels that fit: none overlaps another, a box that is taken, or the edge.
 *
 * @template {Box} Label
 * @param {Label[]} labels the most important first.
 * @param {Box[]} taken
 * @param {Box} plane
 * @returns {Label[]}
 */
export function fitLabels(labels, taken, plane) {
  /** @type {Label[]} */
  const fitting = [];
  for (const label of labels) {
    const hits = (/** @type {Box} */ other) => overlap(label, other);
    if (isInside(label, plane) && !taken.some(hits) && !fitting.some(hits)) fitting.push(label);
  }
  return fitting;
}

/**
 * @param {Box} box
 * @param {Box} plane
 */
function isInside(box, plane) {
  return (
    Math.abs(box.x - plane.x) <= (plane.width - box.width) / 2 &&
    Math.abs(box.y - plane.y) <= (plane.height - box.height) / 2
  );
}

/**
 * The spot nearest to a point.
 *
 * @param {Spot[]} spots
 * @param {Spot} point
 * @param {number} within the largest distance that counts.
 * @returns {number} its index; -1 if all are farther.
 */
export function nearestSpot(spots, point, within) {
  let found = -1;
  let least = within;
  for (const [i, spot] of spots.entries()) {
    const distance = Math.hypot(spot[0] - point[0], spot[1] - point[1]);
    if (distance <= least) [found, least] = [i, distance];
  }
  return found;
}

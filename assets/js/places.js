/**
 * What goes where on the map: sums that need no canvas.
 *
 * @typedef {[number, number]} Spot  x to the right and y downwards.
 * @typedef {{x: number, y: number, width: number, height: number}} Box  x and y of its middle.
 * @typedef {Box & {shown: boolean}} Pin  a small photo; hidden where there is no room.
 */

/** Sizes and shifts that are tried for a pin, as shares of its full size. */
const SIZES = [1, 0.75, 0.55];
const SHIFTS = [0, 0.6, 0.85, 1.15, 1.5, 1.9, 2.4];
const WAYS = 12;

/** Space between two things on the map, in pixels. */
const GAP = 3;

/**
 * The way from places on the map, 0 to 1, to pixels: all of them, as large as there is room.
 *
 * @param {Spot[]} places
 * @param {number} width
 * @param {number} height
 * @param {number} margin
 * @returns {(place: Spot) => Spot}
 */
export function fit(places, width, height, margin) {
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
 * The median of some spots, each way for itself, so that a few far ones do not move it.
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
 * The colour of a place on the map: from dark blue through red to light yellow, left to right. Along
 * that way lightness and the balance of blue and yellow tell as much as the hue, so that people of
 * all kinds of colour vision can follow it.
 *
 * @param {Spot} place x and y from 0 to 1.
 * @param {boolean} dark whether the ground is.
 */
export function colour([x, y], dark) {
  const light = (dark ? 0.6 : 0.48) + 0.2 * x;
  const hue = (265 + 180 * x + 30 * (y - 0.5)) % 360;
  return `oklch(${light.toFixed(3)} 0.115 ${hue.toFixed(0)})`;
}

/**
 * Whether two boxes touch, or nearly.
 *
 * @param {Box} a
 * @param {Box} b
 */
export function meet(a, b) {
  return (
    Math.abs(a.x - b.x) < (a.width + b.width) / 2 + GAP &&
    Math.abs(a.y - b.y) < (a.height + b.height) / 2 + GAP
  );
}

/**
 * Room for a small photo at each spot, the first spots first. Where one is in the way of another it
 * moves aside, away from the ring, or shrinks; without any room it is hidden.
 *
 * @param {Spot[]} spots
 * @param {number} side of a pin of full size in pixels; later ones are smaller.
 * @param {Box} ring stays free.
 * @param {Box} plane all of them stay inside.
 * @param {Box[]} [others] what stays free, too.
 * @returns {Pin[]} one a spot.
 */
export function placePins(spots, side, ring, plane, others = []) {
  const taken = [ring, ...others];
  return spots.map((spot, rank) => {
    const full = side * (rank === 0 ? 1 : rank < 4 ? 0.85 : 0.7);
    const box = SIZES.map((size) => roomFor(spot, full * size, ring, plane, taken)).find(Boolean);
    if (!box) return { x: spot[0], y: spot[1], width: 0, height: 0, shown: false };
    taken.push(box);
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
function roomFor([x, y], side, ring, plane, taken) {
  const away = Math.atan2(y - ring.y, x - ring.x);
  for (const shift of SHIFTS) {
    for (let way = 0; way < (shift ? WAYS : 1); way++) {
      // 0, 1, -1, 2, -2 ... steps from straight away.
      const turn = ((way % 2 ? 1 : -1) * Math.ceil(way / 2) * 2 * Math.PI) / WAYS;
      const box = {
        x: x + shift * side * Math.cos(away + turn),
        y: y + shift * side * Math.sin(away + turn),
        width: side,
        height: side,
      };
      if (isInside(box, plane) && !taken.some((other) => meet(box, other))) return box;
    }
  }
}

/**
 * The labels that fit: none meets another, one of the boxes that are taken, or the edge.
 *
 * @template {Box} Label
 * @param {Label[]} labels the most important first.
 * @param {Box[]} taken
 * @param {Box} plane
 * @returns {Label[]}
 */
export function labelsThatFit(labels, taken, plane) {
  /** @type {Label[]} */
  const fitting = [];
  for (const label of labels) {
    const meets = (/** @type {Box} */ other) => meet(label, other);
    if (isInside(label, plane) && !taken.some(meets) && !fitting.some(meets)) fitting.push(label);
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
 * @param {number} within farthest that counts.
 * @returns {number} its number, -1 if all are farther.
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

import assert from "node:assert/strict";
import { test } from "node:test";

import { MAX_POINTS, MAX_STROKES } from "../../assets/js/link.js";
import { dropClosePoints, MIN_DISTANCE, simplify } from "../../assets/js/simplify.js";

/** @typedef {import("../../assets/js/drawing.js").Point} Point */

test("points close to the one before are dropped, unless the pressure changes", () => {
  /** @type {Point[]} */
  const points = [[0.5, 0.5], [0.5004, 0.5], [0.5008, 0.5], [0.5012, 0.5], [0.5012, 0.5, 1.5]];
  assert.deepEqual(dropClosePoints([0.5, 0.5], points), [[0.5012, 0.5], [0.5012, 0.5, 1.5]]);
});

test("a drawing within the limits stays the same list", () => {
  const strokes = Array.from({ length: MAX_STROKES }, () => ({ width: 0.01, points: /** @type {Point[]} */ ([[0, 0]]) }));
  assert.equal(simplify(strokes), strokes);
});

test("of too many strokes, those with the least ink are dropped, and the order stays", () => {
  /** @type {Point[]} */
  const dot = [[0.5, 0.5]];
  const line = (/** @type {number} */ y) => ({ width: 0.01, points: /** @type {Point[]} */ ([[0.1, y], [0.9, y]]) });
  const lines = Array.from({ length: MAX_STROKES - 1 }, (_, i) => line(i / MAX_STROKES));
  const strokes = [line(1), ...Array.from({ length: 50 }, () => ({ width: 0.01, points: dot })), ...lines];
  assert.deepEqual(simplify(strokes), [line(1), ...lines]);
});

test("too many points are simplified to the same line with the same ends", () => {
  const points = Array.from({ length: 3 * MAX_POINTS }, (_, i) => /** @type {Point} */ ([i / (3 * MAX_POINTS), 0.5]));
  const [{ points: kept }] = simplify([{ width: 0.01, points }]);
  assert.ok(kept.length <= MAX_POINTS && kept.length > 100);
  assert.deepEqual([kept[0], kept.at(-1)], [points[0], points.at(-1)]);
  const steps = kept.slice(1, -1).map((point, i) => point[0] - kept[i][0]);
  assert.ok(Math.max(...steps) < 3 * MIN_DISTANCE, "no gap that an eye could see");
});

test("a thousand points a second for an hour stay within the limits", () => {
  let stroke = { width: 0.01, points: /** @type {Point[]} */ ([[0.5, 0.5]]) };
  for (let i = 1; i <= 400_000; i++) {
    const turn = i / 150;
    const next = /** @type {Point} */ ([0.5 + 0.4 * Math.cos(turn), 0.5 + 0.4 * Math.sin(1.3 * turn)]);
    stroke.points.push(...dropClosePoints(stroke.points[stroke.points.length - 1], [next]));
  }
  const kept = simplify([stroke])[0].points.length;
  assert.ok(kept <= MAX_POINTS && kept > 1000, `${kept}`);
});

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  colour, fitPlane, fitLabels, median, overlap, nearestSpot, placePins,
} from "../../assets/js/map-layout.js";

const plane = { x: 200, y: 150, width: 400, height: 300 };
const ring = { x: 200, y: 150, width: 26, height: 26 };

test("places fill the plane up to its margin, with the same scale in x and y", () => {
  const toPixels = fitPlane([[0, 0.25], [1, 0.75]], 400, 300, 20);
  assert.deepEqual(toPixels([0, 0.25]), [20, 60]);
  assert.deepEqual(toPixels([1, 0.75]), [380, 240]);
  assert.deepEqual(toPixels([0.5, 0.5]), [200, 150]);
});

test("a single place lies in the middle", () => {
  assert.deepEqual(fitPlane([[0.5, 0.5]], 400, 300, 20)([0.5, 0.5]), [200, 150]);
});

test("far spots do not move the median", () => {
  assert.deepEqual(median([[1, 5], [2, 6], [900, 7]]), [2, 6]);
  assert.deepEqual(median([[1, 1], [3, 2]]), [2, 1.5]);
});

test("colours get lighter from left to right, on light and dark ground", () => {
  for (const dark of [false, true]) {
    const lights = [0, 0.5, 1].map((x) => Number(colour([x, 0.5], dark).slice(6, 11)));
    assert.deepEqual(lights, [...lights].sort());
    assert.equal(new Set(lights).size, 3);
  }
});

test("pins far apart stay at their spot, and only the first has full size", () => {
  const [first, second] = placePins([[60, 60], [340, 60]], { side: 60, ring, plane });
  assert.deepEqual([first.x, first.y, first.width], [60, 60, 60]);
  assert.deepEqual([second.x, second.y], [340, 60]);
  assert.ok(second.width < 60);
});

test("pins at one spot move aside: none overlaps another, the ring or the edge", () => {
  const pins = placePins(Array(12).fill([205, 152]), { side: 60, ring, plane }).filter((pin) => pin.shown);
  assert.ok(pins.length >= 8, `${pins.length} pins`);
  for (const [i, pin] of pins.entries()) {
    assert.ok(!overlap(pin, ring));
    assert.ok(pins.slice(i + 1).every((other) => !overlap(pin, other)));
    assert.ok(pin.x >= pin.width / 2 && pin.x <= 400 - pin.width / 2);
    assert.ok(pin.y >= pin.height / 2 && pin.y <= 300 - pin.height / 2);
  }
});

test("without room the first pins are shown and the last hidden", () => {
  const small = { x: 50, y: 50, width: 100, height: 100 };
  const away = { x: -9, y: -9, width: 0, height: 0 };
  const shown = placePins(Array(12).fill([50, 50]), { side: 60, ring: away, plane: small }).map((pin) => pin.shown);
  assert.equal(shown[0], true);
  assert.equal(shown.at(-1), false);
});

test("labels give way to pins, to the edge, and to labels that come first", () => {
  const label = (/** @type {string} */ name, /** @type {number} */ x, /** @type {number} */ y) => ({
    name, x, y, width: 50, height: 14,
  });
  const labels = [
    label("first", 100, 100), label("on first", 120, 105), label("on ring", 200, 150),
    label("out", 390, 100), label("free", 100, 130),
  ];
  assert.deepEqual(fitLabels(labels, [ring], plane).map((l) => l.name), ["first", "free"]);
});

test("the nearest spot has to be within reach", () => {
  /** @type {[number, number][]} */
  const spots = [[0, 0], [10, 0], [30, 40]];
  assert.equal(nearestSpot(spots, [7, 0], 12), 1);
  assert.equal(nearestSpot(spots, [30, 27], 12), -1);
  assert.equal(nearestSpot(spots, [30, 28], 12), 2);
  assert.equal(nearestSpot([], [0, 0], 12), -1);
});

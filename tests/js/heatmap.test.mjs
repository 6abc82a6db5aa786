import assert from "node:assert/strict";
import { test } from "node:test";

import { fit, opacities } from "../../assets/js/heatmap.js";

test("the part that adds most is opaque, and the mean is transparent", () => {
  assert.deepEqual(opacities([[0, 4], [2, 2]]), [[0, 1], [0, 0]]);
  assert.deepEqual(opacities([[-3, 1], [-1, 3]]), [[0, 1 / 3], [0, 1]]);
});

test("equal parts are all transparent", () => {
  assert.deepEqual(opacities([[0.5, 0.5]]), [[0, 0]]);
});

test("a picture keeps its proportions in a box", () => {
  const wide = fit({ width: 100, height: 100 }, { width: 40, height: 20 });
  assert.deepEqual(wide, { left: 0, top: 25, width: 100, height: 50 });
  const tall = fit({ width: 200, height: 100 }, { width: 20, height: 40 });
  assert.deepEqual(tall, { left: 75, top: 0, width: 50, height: 100 });
});

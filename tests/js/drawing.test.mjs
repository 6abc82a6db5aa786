import assert from "node:assert/strict";
import { test } from "node:test";

import { Drawing } from "../../assets/js/drawing.js";

test("undo goes back through strokes, pictures and clearing", () => {
  const drawing = new Drawing();
  assert.ok(drawing.isEmpty && !drawing.canUndo);
  drawing.begin([0.1, 0.2], 0.01);
  drawing.extend([[0.3, 0.4], [0.5, 0.6]]);
  drawing.begin([0.9, 0.9], 0.01);
  drawing.clear();
  assert.ok(drawing.isEmpty);
  drawing.undo();
  assert.equal(drawing.page.strokes.length, 2);
  drawing.undo();
  assert.deepEqual(drawing.page.strokes, [
    { width: 0.01, points: [[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]] },
  ]);
  drawing.place({ path: "up.png", image: /** @type {any} */ ({ width: 1, height: 1 }) });
  assert.equal(drawing.page.picture?.path, "up.png");
  drawing.undo();
  assert.equal(drawing.page.strokes.length, 1);
  drawing.undo();
  assert.ok(drawing.isEmpty && !drawing.canUndo);
  drawing.undo();
  assert.ok(drawing.isEmpty);
});

test("clearing an empty page is nothing to undo", () => {
  const drawing = new Drawing();
  drawing.clear();
  assert.equal(drawing.canUndo, false);
});

test("drawing on an example leaves the example as it was", () => {
  const example = [{ width: 0.01, points: /** @type {any} */ ([[0, 0], [1, 1]]) }];
  const drawing = new Drawing();
  drawing.load(example);
  drawing.extend([[0.5, 0.5]]);
  assert.equal(example[0].points.length, 2);
});

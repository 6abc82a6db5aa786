import assert from "node:assert/strict";
import { test } from "node:test";

import { Drawing } from "../../assets/js/drawing.js";

test("undo goes back through strokes, pictures and clearing", () => {
  const drawing = new Drawing();
  assert.ok(drawing.isEmpty && !drawing.canUndo);
  const stroke = drawing.begin([0.1, 0.2], 0.01);
  drawing.extend(stroke, [[0.3, 0.4], [0.5, 0.6]]);
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
  drawing.extend(drawing.page.strokes[0], [[0.5, 0.5]]);
  assert.equal(drawing.page.strokes[0].points.length, 3);
  assert.equal(example[0].points.length, 2);
});

test("a stroke that was undone while it was drawn stays away", () => {
  const drawing = new Drawing();
  drawing.begin([0, 0], 0.01);
  const stroke = drawing.begin([0.5, 0.5], 0.01);
  drawing.undo();
  drawing.extend(stroke, [[0.6, 0.6]]);
  assert.deepEqual(drawing.page.strokes.map((s) => s.points), [[[0, 0]]]);
  drawing.clear();
  drawing.extend(stroke, [[0.7, 0.7]]);
  assert.ok(drawing.isEmpty);
});
